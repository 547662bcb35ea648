//go:build packages

package packaging

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/spf13/afero"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"ftpfs/internal/ftptest"
)

// Who has only the package mounts by a line in fstab, upgrades under a mount, starts the machine
// before the server, and gets rid of it all.
func TestCleanRoot(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("be root: packages are installed in a bare Debian")
	}
	dir := bare(t)
	for _, version := range []string{"1.0", "1.1"} {
		deb := only(t, dist(t, root, version), ".deb")
		command(t, "", nil, "cp", deb, filepath.Join(dir, "root", version+".deb"))
	}
	for _, action := range []string{"fstab", "boot", "units", "autofs", "remove"} {
		inside(t, dir, action)
	}
	buildImage(t, dir)
	inside(t, dir, "image")
}

// buildImage does in the tree at dir what the recipe for a container image does, but for what
// needs a network: its packages are there.
func buildImage(t *testing.T, dir string) {
	t.Helper()
	recipe, err := os.ReadFile("Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	build := regexp.MustCompile(`(?m)^RUN (CGO_ENABLED=0 go build .*) -o /ftpfs (\S+)$`).FindStringSubmatch(string(recipe))
	copies := regexp.MustCompile(`(?m)^COPY --from=build /ftpfs (\S+)$`).FindStringSubmatch(string(recipe))
	entry := regexp.MustCompile(`(?m)^ENTRYPOINT (\[.*\])$`).FindStringSubmatch(string(recipe))
	if build == nil || copies == nil || entry == nil {
		t.Fatalf("the recipe is of another form: %q, %q, %q", build, copies, entry)
	}
	command(t, root, []string{"VERSION=1.2"}, "sh", "-c", build[1]+` -o "$0" `+build[2], filepath.Join(dir, copies[1]))
	if err := os.WriteFile(filepath.Join(dir, entrypoint), []byte(entry[1]), 0o644); err != nil {
		t.Fatal(err)
	}
}

// entrypoint is where the command of the image is written to, as JSON.
const entrypoint = "/root/entrypoint"

// image runs what a container of the image runs.
func image() error {
	server, url, err := serve()
	if err != nil {
		return err
	}
	defer server.Close()
	text, err := os.ReadFile(entrypoint)
	if err != nil {
		return err
	}
	var args []string
	if err := json.Unmarshal(text, &args); err != nil {
		return err
	}
	cmd := exec.Command(args[0], append(args[1:], "--allow-other", url, "/mnt")...)
	cmd.Env = append(os.Environ(), "FTPFS_PASSWORD=secret")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stdout
	if err := cmd.Start(); err != nil {
		return err
	}
	if err := steps([]step{
		{"ftpfs --version", "ftpfs version 1.2\n"},
		{"timeout 30 sh -c 'until cat /mnt/hello 2>/dev/null; do sleep 0.1; done'", "from the server\n"},
		{"echo contained >/mnt/new; test -d /var/cache/ftpfs", ""},
	}); err != nil {
		return err
	}
	if err := errors.Join(cmd.Process.Signal(unix.SIGTERM), cmd.Wait()); err != nil { // docker stop
		return err
	}
	if data, err := afero.ReadFile(server.Fs(), "/pub/new"); err != nil || string(data) != "contained\n" {
		return fmt.Errorf("the server has %q, %w", data, err)
	}
	return nil
}

// serve starts a server with a file, and returns it with the URL of the file's directory.
func serve() (*ftptest.Embedded, string, error) {
	files := afero.NewMemMapFs()
	if err := afero.WriteFile(files, "/pub/hello", []byte("from the server\n"), 0o644); err != nil {
		return nil, "", err
	}
	server, err := ftptest.New(ftptest.Options{Fs: files})
	if err != nil {
		return nil, "", err
	}
	return server, "ftp://user@" + server.Addr() + "/pub", nil
}

func fstab() error {
	server, url, err := serve()
	if err != nil {
		return err
	}
	defer server.Close()
	lines := url + " /srv/ftp fuse.ftpfs _netdev,nofail,allow_other,password_file=/etc/ftpfs/password 0 0\n" +
		url + " /srv/late ftpfs noauto,delay_connect,password_file=/etc/ftpfs/password 0 0\n"
	if err := os.WriteFile("/etc/fstab", []byte(lines), 0o644); err != nil {
		return err
	}
	if err := steps([]step{
		{"dpkg -i /root/1.0.deb", whatever},
		{"ftpfs --version", "ftpfs version 1.0\n"},
		{"ls /sbin/mount.ftpfs /sbin/mount.fuse.ftpfs", "/sbin/mount.ftpfs\n/sbin/mount.fuse.ftpfs\n"},
		{"mkdir /srv/ftp /srv/late; umask 077; echo secret >/etc/ftpfs/password", ""},
		{"mount /srv/ftp", ""},
		{"findmnt -no FSTYPE /srv/ftp", "fuse.ftpfs\n"},
		{"cat /srv/ftp/hello", "from the server\n"},
		{"echo from here >/srv/ftp/new; cat /srv/ftp/new", "from here\n"},
		{"dpkg -i /root/1.1.deb", whatever},
		{"ftpfs --version", "ftpfs version 1.1\n"},
		{"cat /srv/ftp/hello", "from the server\n"}, // by the mount that 1.0 made
		{"ftpfs umount /srv/ftp", ""},
		{"mount -a; cat /srv/ftp/new", "from here\n"},
		{"umount /srv/ftp; ls /srv/ftp", ""},
	}); err != nil {
		return err
	}
	// Mounted before there is a network.
	if err := loopback(netlink.LinkSetDown); err != nil {
		return err
	}
	if err := steps([]step{{"mount /srv/late; findmnt -no FSTYPE /srv/late", "fuse.ftpfs\n"}}); err != nil {
		return err
	}
	if err := loopback(netlink.LinkSetUp); err != nil {
		return err
	}
	if err := steps([]step{{"cat /srv/late/hello; umount /srv/late", "from the server\n"}}); err != nil {
		return err
	}
	if data, err := afero.ReadFile(server.Fs(), "/pub/new"); err != nil || string(data) != "from here\n" {
		return fmt.Errorf("the server has %q, %w", data, err)
	}
	return nil
}

// boot starts the machine while the server is down: one line of fstab waits for it, the other
// fails and does not keep the first from working.
func boot() error {
	server, url, err := serve()
	if err != nil {
		return err
	}
	defer server.Close()
	server.Down()
	lines := url + " /srv/ftp fuse.ftpfs _netdev,nofail,credentials=/etc/ftpfs/site 0 0\n" +
		url + " /srv/late fuse.ftpfs _netdev,nofail,delay_connect,metrics=9121,credentials=/etc/ftpfs/site 0 0\n"
	if err := os.WriteFile("/etc/fstab", []byte(lines), 0o644); err != nil {
		return err
	}
	if err := steps([]step{
		{"umask 077; printf 'username=user\\npassword=secret\\n' >/etc/ftpfs/site", ""},
		{"mount -a 2>&1 | sed 's/ on port.*//'; findmnt /srv/ftp || echo not mounted", "mount.ftpfs: 127.0.0.1 accepts no connection\nnot mounted\n"},
		{"findmnt -rno TARGET -t fuse.ftpfs", "/srv/late\n"},
		{"! ls /srv/late 2>&1", "ls: cannot open directory '/srv/late': No route to host\n"},
		{"ftpfs status /srv/late | grep server", "  server       not reached yet\n"},
	}); err != nil {
		return err
	}
	if err := scraped("ftpfs_reached", "0"); err != nil {
		return err
	}
	if err := server.Up(); err != nil {
		return err
	}
	if err := steps([]step{
		{"timeout 60 sh -c 'until cat /srv/late/hello 2>/dev/null; do sleep 1; done'", "from the server\n"}, // nobody has to mount again
		{"mount -a; findmnt -rno TARGET -t fuse.ftpfs", "/srv/late\n/srv/ftp\n"},
		{"echo late >/srv/late/new; ftpfs refresh /srv/ftp; cat /srv/ftp/new", "late\n"},
		{"ftpfs status /srv/late | sed -n 1p", url + " on /srv/late\n"},
		{"ftpfs list | wc -l", "2\n"},
	}); err != nil {
		return err
	}
	if err := scraped("ftpfs_reached", "1"); err != nil {
		return err
	}
	// The server starts again, too.
	server.Down()
	if err := server.Up(); err != nil {
		return err
	}
	return steps([]step{
		{"rm /srv/late/new; echo again >/srv/ftp/new; ftpfs refresh /srv/late; cat /srv/late/new", "again\n"},
		{"umount /srv/ftp; ftpfs umount /srv/late; findmnt -n -t fuse.ftpfs", ""},
	})
}

// scraped is nil if Prometheus would find that a metric of the mount on /srv/late has a value.
func scraped(name, value string) error {
	client := http.Client{Timeout: 10 * time.Second}
	r, err := client.Get("http://127.0.0.1:9121/metrics")
	if err != nil {
		return err
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	want := fmt.Sprintf("\n%s{mountpoint=\"/srv/late\"} %s\n", name, value)
	if r.StatusCode != http.StatusOK || !strings.Contains(string(text), want) {
		return fmt.Errorf("the metrics lack %q:\n%s", want, text)
	}
	return nil
}

// units are the manual pages and the units of systemd, as they are installed.
func units() error {
	return steps([]step{
		{"mandb --quiet --create; MANWIDTH=80 man --warnings -P cat ftpfs 2>&1 >/tmp/page", ""},
		{"grep -c '^EXAMPLES$' /tmp/page", "1\n"},
		{"for p in $(dpkg -L ftpfs | sed -n 's|.*/man/man./\\(.*\\)\\.\\(.\\)\\.gz$|\\2:\\1|p'); do man --warnings -P cat ${p%:*} ${p#*:} 2>&1 >/tmp/page; grep -q '^SEE ALSO$' /tmp/page; done", ""},
		{"whatis -s 8 mount.fuse.ftpfs", "mount.fuse.ftpfs (8) - mount an FTP server by mount(8) or fstab(5)\n"},
		{"cp /usr/share/doc/ftpfs/examples/srv-ftp.conf /etc/ftpfs/", ""},
		{"cp /usr/share/doc/ftpfs/examples/srv-ftp.*mount /etc/systemd/system/", ""},
		{"systemd-analyze verify /usr/lib/systemd/system/ftpfs@srv-ftp.service /etc/systemd/system/srv-ftp.mount /etc/systemd/system/srv-ftp.automount 2>&1", ""},
		{"rm /etc/ftpfs/srv-ftp.conf /etc/systemd/system/srv-ftp.*", ""},
	})
}

// autofs mounts when somebody looks, by a line of one of its maps.
func autofs() error {
	server, url, err := serve()
	if err != nil {
		return err
	}
	defer server.Close()
	options := ",allow_other,credentials=/etc/ftpfs/site :"
	location := strings.Replace(url, server.Addr(), strings.Replace(server.Addr(), ":", `\:`, 1), 1)
	lines := "site -fstype=fuse.ftpfs" + options + location + "\n" +
		"old -fstype=fuse" + options + `ftpfs\#` + location + "\n"
	if err := os.WriteFile("/etc/auto.ftp", []byte(lines), 0o644); err != nil {
		return err
	}
	if err := steps([]step{
		{"umask 077; printf 'username=user\npassword=secret\n' >/etc/ftpfs/site", ""},
		{"echo '/ftp /etc/auto.ftp --timeout=60' >/etc/auto.master.d/ftp.autofs", ""},
		{"setsid automount --pid-file /run/autofs.pid >/tmp/autofs.log 2>&1", ""}, // in a group of processes that this name space knows
		{"findmnt -no FSTYPE /ftp", "autofs\n"},
		{"cat /ftp/site/hello; findmnt -no FSTYPE,SOURCE /ftp/site", "from the server\nfuse.ftpfs " + url + "\n"},
		{"cat /ftp/old/hello; findmnt -no FSTYPE,SOURCE /ftp/old", "from the server\nfuse.ftpfs " + url + "\n"},
		{"! ls /ftp/other 2>/dev/null", ""},
		{"umount /ftp/site; ftpfs umount /ftp/old; cat /ftp/site/hello", "from the server\n"}, // again
		{"kill $(cat /run/autofs.pid)", ""},
		{"timeout 30 sh -c 'while test -e /run/autofs.pid; do sleep 0.2; done'; findmnt -n -t fuse.ftpfs,autofs", ""},
	}); err != nil {
		return err
	}
	return nil
}

func remove() error {
	return steps([]step{
		{"dpkg -r ftpfs", whatever},
		{"cat /etc/ftpfs/password", "secret\n"}, // the administrator's own stays
		{"! command -v ftpfs; ls /sbin/mount.ftpfs /usr/share/doc/ftpfs 2>/dev/null || :", ""},
	})
}
