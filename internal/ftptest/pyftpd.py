# Runs pyftpdlib as the configuration in argv[1] (JSON) says.
import json
import logging
import os
import sys

from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler, TLS_FTPHandler
from pyftpdlib.servers import FTPServer

cfg = json.load(open(sys.argv[1]))
logging.basicConfig(level=logging.WARNING)

handler = TLS_FTPHandler if cfg["tls"] else FTPHandler
if cfg["tls"]:
    handler.certfile = cfg["tls"]
    # Read the key while still root.
    handler.ssl_context = handler.get_ssl_context()

os.setgroups([])
os.setgid(cfg["gid"])
os.setuid(cfg["uid"])
os.umask(0o022)

perm = "elr" if cfg["read_only"] else "elradfmwMT"
authorizer = DummyAuthorizer()
authorizer.add_user(cfg["user"], cfg["password"], cfg["root"], perm=perm)
handler.authorizer = authorizer
handler.banner = "pyftpdlib ready."
if cfg["no_mlsd"]:
    handler.proto_cmds = {k: v for k, v in handler.proto_cmds.items() if k not in ("MLSD", "MLST")}
handler.permit_foreign_addresses = cfg["promiscuous"]
if cfg["idle_timeout"]:
    handler.timeout = cfg["idle_timeout"]



class Server(FTPServer):
    max_cons_per_ip = cfg["max_per_addr"]

    # The original also counts data connections and the listener.
    def _accept_new_cons(self):
        sessions = [h for h in self.ioloop.socket_map.values() if isinstance(h, FTPHandler)]
        return len(sessions) <= (cfg["max_clients"] or 500)


# Without a timeout of the loop's own, idle sessions live until some other event comes.
Server((cfg["host"], cfg["port"]), handler).serve_forever(timeout=0.2)
