package ftpfs_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"ftpfs/ftpfs"
)

// A file that nobody has open is removed at once, though it is being fetched ahead: it need
// not step aside for anybody.
func TestFileFetchedAheadIsRemoved(t *testing.T) {
	t.Parallel()
	files := make(map[string]string)
	for i := range 4 {
		files[fmt.Sprintf("/d/f%d", i)] = strings.Repeat("x", 1000)
	}
	server, m := mountConnected(t, 8, ftpfs.Options{}, files)
	old := time.Now().Add(-time.Hour) // what is of just now is not fetched ahead
	for path := range files {
		if err := server.Fs().Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
	}
	server.SilenceData("RETR", 1000, 2) // nothing happens to the first two
	two, three := server.StallData("RETR", 500), server.StallData("RETR", 500)
	defer three.Release()
	defer two.Release()
	m.Run("cd d; ls; cat f0 f1")
	reached(t, two)
	reached(t, three)
	m.Run("cd d; rm f2 f3; ! ls f2; ! cat f3")
	deleted := 0
	for _, e := range server.Log().Entries() {
		verb, _, _ := strings.Cut(e.Line, " ")
		switch {
		case e.Sent && verb == "RNFR":
			t.Error(e.Line)
		case e.Sent && verb == "DELE":
			deleted++
		}
	}
	if deleted != 2 {
		t.Errorf("%d files were removed", deleted)
	}
}
