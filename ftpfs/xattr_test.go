package ftpfs_test

import (
	"crypto/sha256"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ftpfs/ftpclient"
	"ftpfs/ftpfs"
	"ftpfs/internal/ftptest"
	"ftpfs/internal/fusetest"
)

// getfattr is getfattr -n user.ftp.NAME --only-values, which not every machine has.
const getfattr = `
	getfattr() { /usr/bin/python3 -c 'import os, sys; print(os.getxattr(sys.argv[2], "user.ftp." + sys.argv[1]).decode())' "$@"; }
`

func TestExtendedAttributes(t *testing.T) {
	t.Parallel()
	server := ftptest.Real(t, "proftpd", ftptest.RealOptions{Directives: []string{"LoadModule mod_digest.c"}})
	config := ftpclient.Config{Addr: server.Addr, User: server.User, Password: server.Password}
	data := []byte("content")
	path := filepath.Join(server.Root, "a b")
	if err := os.WriteFile(path, data, 0o640); err != nil {
		t.Fatal(err)
	}
	at := time.Date(2020, 2, 3, 4, 5, 6, 0, time.UTC)
	if err := os.Chtimes(path, at, at); err != nil {
		t.Fatal(err)
	}
	if err := server.Own(); err != nil {
		t.Fatal(err)
	}
	m := fusetest.Server(t, config, ftpfs.Options{Xattr: true, Umask: 0o077})
	for name, want := range map[string]string{
		"type":   "file",
		"modify": "20200203040506",
		"mode":   "0640",
		"owner":  server.User,
		"sha256": fmt.Sprintf("%x", sha256.Sum256(data)),
		"crc32":  fmt.Sprintf("%08x", crc32.ChecksumIEEE(data)),
	} {
		if got := m.Run(getfattr + "getfattr " + name + " 'a b'"); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if facts := m.Run(getfattr + "getfattr facts 'a b'"); !strings.Contains(facts, "UNIX.mode=0640;") || !strings.HasSuffix(facts, ";") {
		t.Errorf("%q", facts)
	}
	if got := m.Run(getfattr + "getfattr type ."); got != "directory" {
		t.Errorf("%q", got)
	}
	for _, name := range []string{"nonsense", "perm", ""} {
		if out, err := m.Try(getfattr + "getfattr '" + name + "' 'a b'"); err == nil || !strings.Contains(out, "No data available") {
			t.Errorf("%q: %v, %s", name, err, out)
		}
	}
	// Nothing is listed, so nothing is copied, and nobody complains.
	if out := m.Run(`
		local=$(mktemp -d); cp -a 'a b' copy; cp -a 'a b' $local/1; rsync -aX 'a b' $local/2; tar --xattrs -cf - 'a b' | tar -C $local --xattrs -xf -
		rsync -aX $local/ back/; cp -a $local again; tar -C $local --xattrs -cf - . | tar --xattrs -xf -
		cmp copy $local/1; cmp copy $local/2; cmp copy back/1; cmp copy again/2; cmp copy 2; rm -r $local`); out != "" {
		t.Errorf("%q", out)
	}
	if out := m.Run(`/usr/bin/python3 -c '
import os
try: print(os.listxattr("a b"))
except OSError as e: print(e.strerror)
try: os.setxattr("a b", "user.ftp.type", b"x")
except OSError as e: print(e.strerror)'`); out != "[]\nOperation not supported" {
		t.Errorf("%q", out)
	}
}

// Without the option the kernel asks once, and never again.
func TestNoExtendedAttributes(t *testing.T) {
	t.Parallel()
	_, m := mountEmbedded(t, ftpfs.Options{}, map[string]string{"/f": "x"})
	if out, err := m.Try(getfattr + "getfattr type f"); err == nil || !strings.Contains(out, "Operation not supported") {
		t.Errorf("%v, %s", err, out)
	}
}
