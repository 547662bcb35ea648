package ftpclient

import (
	"testing"

	"ftpfs/internal/ftptest"
)

// A name that no command can say ends the upload, whose connection may be the only one.
func TestRealCommitToNoName(t *testing.T) {
	_, cl := real(t, "vsftpd", ftptest.RealOptions{}, Config{Connections: 1})
	w, err := cl.Store(t.Context(), "/part")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("text")); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(t.Context(), Commit{Path: "/a\nDELE b"}); err == nil {
		t.Error("no error")
	}
	if err := cl.Delete(t.Context(), "/part"); err != nil {
		t.Error(err)
	}
}
