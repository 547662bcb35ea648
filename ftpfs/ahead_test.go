package ftpfs_test

import (
	"fmt"
	"strings"
	"testing"

	"ftpfs/ftpfs"
)

// A file that nobody has open is removed at once, though it is being fetched ahead: it need
// not step aside for anybody.
func TestFileFetchedAheadIsRemoved(t *testing.T) {
	t.Parallel()
	files := make(map[string]string)
	for i := range 4 {
		files[fmt.Sprintf("/f%d", i)] = strings.Repeat("x", 1000)
	}
	server, m := mountConnected(t, 4, ftpfs.Options{}, files)
	server.SilenceData("RETR", 1000, 2) // nothing happens to the first two
	two, three := server.StallData("RETR", 500), server.StallData("RETR", 500)
	defer three.Release()
	defer two.Release()
	m.Run("ls; cat f0 f1")
	reached(t, two)
	reached(t, three)
	m.Run("rm f2 f3; ! ls f2; ! cat f3")
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
