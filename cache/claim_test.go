package cache

import (
	"os"
	"slices"
	"syscall"
	"testing"
)

// The room of a block is asked for when so much of its beginning comes that the rest may be
// expected, but no more than the file has, and not for what comes in pieces or is written here.
func TestClaims(t *testing.T) {
	const block = 1 << 20
	s, err := OpenFiles(FilesConfig{Dir: t.TempDir(), BlockSize: block})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var claims []span
	s.claim = func(fd *os.File, off, n int64) error {
		claims = append(claims, span{off, off + n})
		return claimSpace(fd, off, n)
	}
	f := open(t, s, "/f", 3*block+4096)
	defer f.Close()
	for _, c := range []struct {
		off, n int64
		want   []span
	}{
		{0, leastClaim, []span{{0, block}}},
		{leastClaim, block - 10, nil}, // of the second block that is too little
		{2*block - 10, 10, nil},
		{2*block - 20, block + 20, []span{{2 * block, 3 * block}}},
		{3 * block, 4096, []span{{3 * block, 3*block + 4096}}},
	} {
		claims = nil
		fill(t, f, c.off, int(c.n))
		if !slices.Equal(claims, c.want) {
			t.Errorf("%d bytes at %d claim %v", c.n, c.off, claims)
		}
	}
	if use := diskUse(t, s); use > 4*block {
		t.Errorf("%d bytes of the disk are taken", use)
	}
	claims = nil
	g, _ := s.Create("/g")
	defer g.Close()
	if g.WriteAt(make([]byte, block), 0); claims != nil {
		t.Errorf("a write claims %v", claims)
	}
}

// A claim that the disk refuses is no error, and room that was claimed goes with its block.
func TestClaimsAreNoMore(t *testing.T) {
	s := openFiles(t, 2*testBlock)
	f := open(t, s, "/f", 8*testBlock)
	fill(t, f, 0, 8*testBlock)
	if use := diskUse(t, s); use >= 3*testBlock { // the file system may need some to know where they are
		t.Errorf("%d bytes of the disk are taken", use)
	}
	for _, refusal := range []error{syscall.EOPNOTSUPP, syscall.ENOSPC} {
		s.claim = func(*os.File, int64, int64) error { return refusal }
		fill(t, f, 0, 2*testBlock)
		fill(t, f, 4*testBlock, 2*testBlock)
	}
	checkBooks(t, s)
}
