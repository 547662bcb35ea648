package ftpfs_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ftpfs/ftpclient"
	"ftpfs/ftpfs"
	"ftpfs/internal/ftptest"
	"ftpfs/internal/fusetest"

	"github.com/spf13/afero"
)

// A watchman dials, and notes whoever else than one host, or a service, was to be connected to.
// Those are never dialled.
type watchman struct {
	host, control string

	mu     sync.Mutex
	wanted []string
}

func (w *watchman) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	at, err := netip.ParseAddrPort(addr)
	if addr != w.control && (err != nil || at.Addr().String() != w.host || at.Port() < 1024) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.wanted = append(w.wanted, addr)
		return nil, errors.New("nobody goes there")
	}
	return new(net.Dialer).DialContext(ctx, network, addr)
}

// Whatever a server says of where to fetch data, it is fetched from that server, and from none
// of its services; what it says falsely is an outage where there is no other way.
func TestDataComesFromTheServerAlone(t *testing.T) {
	stranger, err := net.Listen("tcp", "127.0.0.2:0")
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	theirs := netip.MustParseAddrPort(stranger.Addr().String())
	for name, c := range map[string]struct {
		mode  ftpclient.Mode
		lie   netip.AddrPort
		reply string // to EPSV or PASV, instead
		works bool
	}{
		"another host":                     {ftpclient.ModePASV, netip.MustParseAddrPort("192.0.2.1:0"), "", true},
		"another host, its port":           {ftpclient.ModePASV, theirs, "", false},
		"another host, its port, any mode": {ftpclient.ModeAuto, theirs, "", true},
		"port 22 by EPSV":                  {ftpclient.ModeEPSV, netip.MustParseAddrPort("127.0.0.1:22"), "", false},
		"port 22 by PASV":                  {ftpclient.ModePASV, netip.MustParseAddrPort("127.0.0.1:22"), "", false},
		"port 1023, any mode":              {ftpclient.ModeAuto, netip.MustParseAddrPort("127.0.0.1:1023"), "", true},
		"port 0 by EPSV":                   {ftpclient.ModeEPSV, netip.AddrPort{}, "229 (|||0|)", false},
		"port 0 by PASV":                   {ftpclient.ModePASV, netip.AddrPort{}, "227 (127,0,0,1,0,0)", false},
		"a host by EPSV":                   {ftpclient.ModeEPSV, netip.AddrPort{}, "229 (|1|192.0.2.1|" + fmt.Sprint(theirs.Port()) + "|)", false},
		"no port":                          {ftpclient.ModeEPSV, netip.AddrPort{}, "229 (|||65536|)", false},
		"control bytes":                    {ftpclient.ModePASV, netip.AddrPort{}, "227 (127,0,0,1,\x1b,1)", false},
	} {
		t.Run(name, func(t *testing.T) {
			server := ftptest.Start(t, ftptest.Options{})
			if err := afero.WriteFile(server.Fs(), "/dir/file", []byte("content"), 0o644); err != nil {
				t.Fatal(err)
			}
			w := &watchman{host: "127.0.0.1", control: server.Addr()}
			config := embeddedConfig(server, time.Second)
			config.Mode, config.Dial = c.mode, w.dial
			server.Lie(c.lie)
			if c.reply != "" {
				server.Replace("EPSV", c.reply, ftptest.Always)
				server.Replace("PASV", c.reply, ftptest.Always)
			}
			m := fusetest.Server(t, config, ftpfs.Options{Delay: true})
			out, err := start(t, m, "exec cat dir/file").wait(endsIn)
			if c.works && (err != nil || out != "content") {
				t.Errorf("%v: %s", err, out)
			} else if !c.works {
				wantOutage(t, out, err)
			}
			if len(w.wanted) > 0 {
				t.Errorf("it wanted to go to %v", w.wanted)
			}
		})
	}
	stranger.(*net.TCPListener).SetDeadline(time.Now())
	if nc, err := stranger.Accept(); err == nil {
		t.Errorf("the stranger was visited by %v", nc.RemoteAddr())
	}
}

// In active mode anybody may find the port first; only the server is listened to.
func TestDataOfStrangersIsNotTaken(t *testing.T) {
	t.Parallel()
	for _, mode := range []ftpclient.Mode{ftpclient.ModeEPRT, ftpclient.ModePORT} {
		var forged atomic.Int32
		server := ftptest.StartLiar(t, ftptest.Lies{
			Reply: func(verb, arg string) io.Reader {
				var to netip.AddrPort
				var err error
				switch verb {
				case "EPRT":
					parts := strings.Split(arg, "|")
					to, err = netip.ParseAddrPort(parts[2] + ":" + parts[3])
				case "PORT":
					var p [6]int
					_, err = fmt.Sscanf(arg, "%d,%d,%d,%d,%d,%d", &p[0], &p[1], &p[2], &p[3], &p[4], &p[5])
					to = netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(p[4]<<8|p[5]))
				default:
					return nil
				}
				dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}, Timeout: time.Second}
				nc, dialErr := dialer.Dial("tcp", to.String())
				if err != nil || dialErr != nil {
					t.Errorf("%s %s: %v, %v", verb, arg, err, dialErr)
					return nil
				}
				forged.Add(1)
				io.WriteString(nc, "type=file;size=6; forged\r\n")
				nc.Close()
				return nil
			},
			Features: []string{" MLST type*;size*;"},
			Data: func(verb, _ string) io.Reader {
				if verb == "RETR" {
					return strings.NewReader("honest")
				}
				return strings.NewReader("type=file;size=6; file\r\n")
			},
		})
		m := fusetest.Server(t, ftpclient.Config{Addr: server.Addr(), User: "u", Password: "p", Mode: mode, Timeout: silence}, ftpfs.Options{})
		if got := m.Run("echo $(ls) $(cat file)"); got != "file honest" || forged.Load() < 2 {
			t.Errorf("%v: %q; %d were forged", mode, got, forged.Load())
		}
	}
}

// Under TLS an end of the data that the server has not declared is no end, whatever it says.
func TestCutDataIsNotWhole(t *testing.T) {
	t.Parallel()
	server := ftptest.StartLiar(t, ftptest.Lies{
		TLS:      true,
		Features: []string{" AUTH TLS", " PBSZ", " PROT", " REST STREAM", " MLST type*;size*;modify*;"},
		Cut:      func(_, path string) bool { return strings.Contains(path, "cut") },
		Data: func(verb, path string) io.Reader {
			switch {
			case verb == "RETR":
				return strings.NewReader(strings.Repeat("data", 10_000))
			case path == "/cut":
				return strings.NewReader("type=file;size=1; one\r\n")
			}
			return strings.NewReader("type=dir; cut\r\ntype=file;size=40000;modify=20200101000000; whole\r\ntype=file;size=80000;modify=20200101000000; cut half\r\n")
		},
	})
	m := fusetest.Server(t, ftpclient.Config{
		Addr: server.Addr(), User: "u", Password: "p", TLS: ftpclient.TLSExplicit, TLSConfig: server.Trust(), Timeout: silence,
	}, ftpfs.Options{})
	if got := m.Run("cat whole | wc -c"); got != "40000" {
		t.Errorf("%s bytes of what is whole", got)
	}
	for _, script := range []string{"exec ls cut", "exec stat cut/one", "exec cat 'cut half'"} {
		out, err := start(t, m, script+" > /dev/null").wait(endsIn)
		if wantOutage(t, out, err); t.Failed() {
			t.Error(script)
		}
	}
}

// A server that offers TLS no more after the first login is told neither name nor password.
func TestLaterDowngrade(t *testing.T) {
	t.Parallel()
	var later atomic.Bool
	server := ftptest.StartLiar(t, ftptest.Lies{
		TLS: true, Features: []string{" AUTH TLS", " PBSZ", " PROT", " MLST type*;size*;"},
		Reply: func(verb, _ string) io.Reader {
			switch {
			case verb == "USER" && later.Load():
				t.Error("the name was told in clear")
			case verb == "AUTH" && later.Load():
				return strings.NewReader("502 In clear only.\r\n")
			case later.Load() && verb != ftptest.Greeting:
				return strings.NewReader("421 Bye.\r\n")
			}
			return nil
		},
		Data: func(string, string) io.Reader { return strings.NewReader("type=file;size=6; file\r\n") },
	})
	m := fusetest.Server(t, ftpclient.Config{
		Addr: server.Addr(), User: "u", Password: "p", TLS: ftpclient.TLSTry, TLSConfig: server.Trust(), Timeout: silence,
	}, ftpfs.Options{DirTTL: time.Millisecond})
	m.Run("ls > /dev/null")
	later.Store(true)
	out, err := start(t, m, "exec ls").wait(endsIn)
	wantOutage(t, out, err)
}

// No name, of a listing or of a program, becomes a second command.
func TestNamesAreNoCommands(t *testing.T) {
	t.Parallel()
	names := []string{"a\nDELE file", "a\rDELE file", "\nDELE file", "a\n\nDELE file\n"}
	server := ftptest.StartLiar(t, ftptest.Lies{
		Features: []string{" MLST type*;size*;"},
		Data: func(verb, _ string) io.Reader {
			var text strings.Builder
			for _, name := range append(names, "file") {
				fmt.Fprintf(&text, "type=file;size=4; %s\r\ntype=dir; dir%s\r\n", name, name)
			}
			return strings.NewReader(text.String())
		},
	})
	m := fusetest.Server(t, ftpclient.Config{Addr: server.Addr(), User: "u", Password: "p", Timeout: silence}, ftpfs.Options{Xattr: true})
	python(t, m, `
listed = os.listdir(b".")
assert b"a\nDELE file" in listed and b"a\rDELE file" in listed, listed
for name in listed + [b"new\r\nDELE file", b"new\nDELE file"]:
    if b"\n" not in name and b"\r" not in name:
        continue
    for call in (lambda: slurp(name), lambda: spit(name, b"x"), lambda: os.unlink(name), lambda: os.rmdir(name), lambda: os.mkdir(name + b"2"), lambda: os.listdir(name),
            lambda: os.rename(name, b"moved"), lambda: os.rename(b"file", name), lambda: os.symlink(name, b"link"), lambda: os.symlink(b"file", name + b"3"),
            lambda: os.chmod(name, 0o600), lambda: os.utime(name, (1, 1)), lambda: os.truncate(name, 1), lambda: os.getxattr(name, "user.ftp.facts")):
        try:
            call()
        except OSError:
            pass
`)
	// What was written to names that no command can hold is told of at the end.
	if err := m.FS.Unmount(t.Context()); err == nil || !strings.Contains(err.Error(), "illegal file name") {
		t.Errorf("unmount: %v", err)
	}
	for _, line := range server.Commands() {
		if strings.HasPrefix(line, "DELE file") || strings.Contains(line, "\r") || line == "" {
			t.Errorf("sent %q", line)
		}
	}
}
