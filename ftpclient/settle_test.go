package ftpclient

import (
	"context"
	"io"
	"testing"
)

// A server that does several things at once may answer the passive command that is sent at the
// end of the data sooner than it ends the transfer, or refuse it for that; the transfer's own
// reply counts, whichever comes first.
func TestPassiveReplyBeforeTheEnd(t *testing.T) {
	const row = "type=file;size=1; one\r\n"
	begin := func(p *peer, cmd string) {
		p.expect(cmd)
		p.send("150 here")
		data := p.accept()
		io.WriteString(data, row)
		data.Close()
	}
	for name, play := range map[string]func(p *peer){
		"passive first": func(p *peer) {
			begin(p, "MLSD /a")
			p.epsv()
			p.send("226 done")
			begin(p, "MLSD /b")
			p.epsv()
			p.send("226 done")
			p.accept()
			p.end()
		},
		"refused first": func(p *peer) {
			begin(p, "MLSD /a")
			p.expect("EPSV")
			p.send("450 data transfer in progress", "226 done")
			p.epsv()
			begin(p, "MLSD /b")
			p.send("226 done")
			p.epsv()
			p.accept()
			p.end()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startScript(t, func(p *peer) {
				p.login(" MLST type*;size*;modify*;")
				begin(p, "MLSD /")
				p.expect("EPSV")
				p.send("226 done")
				p.passive()
				play(p)
			})
			cl := s.client(Config{Connections: 1, ListBy: ListMLSD})
			for _, dir := range []string{"/", "/a", "/b"} {
				if l, err := cl.List(context.Background(), dir); err != nil || len(l.Entries) != 1 {
					t.Errorf("%s: %+v, %v", dir, l, err)
				}
				settled(t, cl)
			}
		})
	}
	t.Run("cut", func(t *testing.T) {
		t.Parallel()
		s := startScript(t, func(p *peer) {
			p.login(" MLST type*;size*;modify*;")
			begin(p, "MLSD /")
			p.epsv()
			p.send("426 aborted")
			p.accept()
			p.end()
		})
		cl := s.client(Config{Connections: 1, ListBy: ListMLSD})
		if l, err := cl.List(context.Background(), "/"); err == nil {
			t.Errorf("%+v", l)
		}
		settled(t, cl)
	})
}
