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
if cfg["idle_timeout"]:
    handler.timeout = cfg["idle_timeout"]

server = FTPServer((cfg["host"], cfg["port"]), handler)
server.max_cons = cfg["max_clients"] or 512
server.serve_forever()
