package ftpclient

import (
	"net"
	"testing"
)

// beginLingering is begin for a server that waits for the client when it closes data
// connections.
func (p *peer) beginLingering() (spare net.Conn) {
	p.loginAs("(vsFTPd 3.0.3)", " MLST type*;size*;modify*;")
	data := p.accept()
	p.expect("MLSD /", "EPSV")
	p.send("150 here")
	data.Close()
	p.send("226 done")
	p.passive()
	return p.accept()
}

// An upload with a hastened end arrives whole; those that are too large for that end as usual.
func TestHastened(t *testing.T) {
	for _, size := range []int{0, 1, maxHastened, maxHastened + 1} {
		s := startScript(t, func(p *peer) {
			data := p.beginLingering()
			p.expect("STOR /f")
			p.content(data, random(size))
			if size <= maxHastened {
				p.expectOne("EPSV") // before the verdict
			}
			p.send("150 go", "226 done")
			if size <= maxHastened {
				p.passive()
				p.accept()
			} else {
				p.next()
			}
			p.end()
		})
		cl := s.client(Config{Connections: 1})
		beginClient(t, cl)
		w := store(t, cl, "/f")
		w.Write(random(size))
		if err := w.Close(); err != nil {
			t.Errorf("%d bytes: %v", size, err)
		}
		if w.hastened != (size <= maxHastened) {
			t.Errorf("%d bytes: hastened: %v", size, w.hastened)
		}
		settled(t, cl)
	}
}

// What was lost because of a hastened end is sent again, and no other end is hastened.
func TestHastenedRepeated(t *testing.T) {
	s := startScript(t, func(p *peer) {
		p.beginLingering()
		p.expect("STOR /f", "EPSV")
		p.send("150 go", "426 Failure reading network stream.")
		p.passive() // which is not used after that
		data := p.next()
		p.expect("STOR /f")
		p.send("150 go")
		p.content(data, random(4096))
		p.send("226 done")
		data = p.next()
		p.expectOne("STOR /g")
		p.content(data, random(10))
		p.send("150 go", "226 done")
		p.next()
		p.end()
	})
	cl := s.client(Config{Connections: 1})
	beginClient(t, cl)
	for i, path := range []string{"/f", "/g"} {
		size := []int{4096, 10}[i]
		w := store(t, cl, path)
		w.Write(random(size))
		if err := w.Close(); err != nil {
			t.Errorf("%s: %v", path, err)
		}
		if again := w.hastened || cl.server.lingers(); again {
			t.Errorf("%s: hastened again", path)
		}
		settled(t, cl)
	}
}

// What is appended is not sent again, so it is not hastened either.
func TestAppendIsNotHastened(t *testing.T) {
	s := startScript(t, func(p *peer) {
		data := p.beginLingering()
		p.expectOne("APPE /f")
		p.content(data, random(10))
		p.send("150 go", "226 done")
		p.next()
		p.end()
	})
	cl := s.client(Config{Connections: 1})
	beginClient(t, cl)
	w, err := cl.Append(t.Context(), "/f")
	if err != nil {
		t.Fatal(err)
	}
	w.Write(random(10))
	if err := w.Close(); err != nil || w.hastened {
		t.Errorf("hastened: %v, %v", w.hastened, err)
	}
	settled(t, cl)
}
