package ftptest

import (
	"testing"
	"time"
)

// A session is counted until its server is done with it.
func TestSessions(t *testing.T) {
	count := func(t *testing.T, addr, user, password string, sessions func() int) {
		t.Helper()
		if n := sessions(); n != 0 {
			t.Fatalf("%d sessions before the first one", n)
		}
		s := connect(t, addr)
		s.login(user, password)
		if n := sessions(); n == 0 {
			t.Error("a session is not counted")
		}
		s.conn.Close()
		for end := time.Now().Add(20 * time.Second); sessions() > 0; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("a session does not end")
			}
		}
	}
	t.Run("embedded", func(t *testing.T) {
		t.Parallel()
		server := Start(t, Options{})
		count(t, server.Addr(), "user", "secret", server.Sessions)
	})
	for _, name := range []string{"vsftpd", "proftpd", "pure-ftpd"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := Real(t, name, RealOptions{})
			count(t, server.Addr, server.User, server.Password, server.Sessions)
		})
	}
}
