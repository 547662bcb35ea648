package ftpfs

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// Of a program with very many descriptors only the lowest ones are looked at.
func TestLowestDescriptorsAreLookedAt(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		t.Fatal(err)
	}
	keeps := func() bool { return keepsOpen(uint32(os.Getpid()), st.Ino) }
	if low := int(f.Fd()) < lowest; keeps() != low {
		t.Errorf("descriptor %d: %v", f.Fd(), !low)
	}
	high, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, lowest)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(high)
	f.Close()
	if keeps() {
		t.Errorf("descriptor %d is looked at", high)
	}
}
