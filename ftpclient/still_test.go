package ftpclient

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
)

var errOther = errors.New("it is another file's")

// The server hears nothing of an upload that nobody wants any more when there is a connection for
// it, and the connection is as good as before.
func TestUploadNotWantedAnyMore(t *testing.T) {
	for name, mode := range map[string]Mode{"auto": ModeAuto, "passive": ModeEPSV, "active": ModePORT} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, cl := embedded(t, Config{Connections: 1, Mode: mode})
			for range 2 { // without and with a spare data connection
				for _, open := range []func() (*Writer, error){
					func() (*Writer, error) { return cl.StoreIf(t.Context(), "/f", func() error { return errOther }) },
					func() (*Writer, error) { return cl.AppendIf(t.Context(), "/f", func() error { return errOther }) },
				} {
					if w, err := open(); w != nil || !errors.Is(err, errOther) {
						t.Errorf("%v, %v", w, err)
					}
				}
				if err := store(t, cl, "/other").Close(); err != nil {
					t.Error(err)
				}
				settled(t, cl)
			}
			for _, c := range e.Log().Commands() {
				if strings.HasSuffix(c, " /f") {
					t.Errorf("%q was sent", c)
				}
			}
			if st := cl.Stats(); st.Logins != 1 {
				t.Errorf("%d logins", st.Logins)
			}
		})
	}
}

// Nor is it sent when nobody wants it since the server was told where to connect to.
func TestUploadNotWantedSinceItsAddress(t *testing.T) {
	t.Parallel()
	e, cl := embedded(t, Config{Connections: 1, Mode: ModePORT})
	hold := e.HoldReply("PORT", 0)
	var other atomic.Bool
	go func() {
		<-hold.Reached()
		other.Store(true)
		hold.Release()
	}()
	w, err := cl.StoreIf(t.Context(), "/f", func() error {
		if other.Load() {
			return errOther
		}
		return nil
	})
	if w != nil || !errors.Is(err, errOther) {
		t.Fatalf("%v, %v", w, err)
	}
	if err := store(t, cl, "/other").Close(); err != nil {
		t.Error(err)
	}
	for _, c := range e.Log().Commands() {
		if strings.HasSuffix(c, " /f") {
			t.Errorf("%q was sent", c)
		}
	}
	if st := cl.Stats(); st.Logins != 1 {
		t.Errorf("%d logins", st.Logins)
	}
}

// Nor is it sent once more, when the first time has come to nothing.
func TestUploadNotWantedASecondTime(t *testing.T) {
	s := startScript(t, func(p *peer) {
		p.beginAs(eager)
		p.expectOne("APPE /f")
		p.send("425 no data connection")
		p.epsv()
		p.end()
	})
	cl := s.client(Config{Connections: 1})
	beginClient(t, cl)
	asked := 0
	w, err := cl.AppendIf(t.Context(), "/f", func() error {
		if asked++; asked > 1 {
			return errOther
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	w.Write(random(10))
	if err := w.Close(); !errors.Is(err, errOther) || asked != 2 {
		t.Errorf("asked %d times: %v", asked, err)
	}
}
