package ftpfs_test

import (
	"os"
	"path/filepath"
	"testing"

	"ftpfs/ftpclient"
	"ftpfs/ftpfs"
	"ftpfs/internal/ftptest"
	"ftpfs/internal/fusetest"
)

// Programs that write UTF-8 find and make files on a server whose names are in Latin-1, and
// reach those that are not.
func TestNamesInLatin1(t *testing.T) {
	server := ftptest.Real(t, "vsftpd", ftptest.RealOptions{})
	for name, content := range map[string]string{"caf\xe9": "latin1", "日本": "utf8"} {
		if err := os.WriteFile(filepath.Join(server.Root, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := server.Own(); err != nil {
		t.Fatal(err)
	}
	m := fusetest.Server(t, ftpclient.Config{Addr: server.Addr, User: server.User, Password: server.Password, Charset: "latin1"}, ftpfs.Options{})
	m.Run(`test "$(ls)" = "$(printf 'café\n‛~日本')"`)
	m.Run(`test "$(cat café) $(cat ‛~日本)" = "latin1 utf8"`)
	m.Run(`mkdir größe && mv café größe/tée && echo new > größe/ñ && mv ‛~日本 größe/; ! touch 中; ls größe; rm -r größe/tée`)
	m.Unmount()
	for _, name := range []string{"gr\xf6\xdfe/\xf1", "gr\xf6\xdfe/日本"} {
		if _, err := os.Stat(filepath.Join(server.Root, name)); err != nil {
			t.Error(err)
		}
	}
}
