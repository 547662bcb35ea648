package ftpfs

import "testing"

// What is unlinked while it is open is found in its directory of now, however many temporary
// names were made since.
func TestUnlinkedFileOutlivesItsName(t *testing.T) {
	ts := newTemps()
	path := ts.beside("/old/file")
	u := ts.unlink(path)
	for range maxTemps {
		ts.beside("/other/file")
	}
	ts.renamed("/old", "/new")
	_, name := split(path)
	if at := ts.where(u); at != "/new/"+name {
		t.Errorf("%s is looked for at %s", path, at)
	}
}
