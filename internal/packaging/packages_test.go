//go:build packages

// Package packaging builds the packages and tries them. It is run by make test-packages, not with
// the other tests: it needs root, a mirror of Debian and some minutes.
package packaging

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

// command runs a program to its end and returns what it prints.
func command(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", name, strings.Join(args, " "), err, out, errs.String())
	}
	return string(out)
}

// dist builds the sources in dir as a version, and returns the directory with the packages.
func dist(t *testing.T, dir, version string, env ...string) string {
	t.Helper()
	out := t.TempDir()
	env = append(env, "VERSION="+version, "SOURCE_DATE_EPOCH=1790000000", "ARCHS="+runtime.GOARCH)
	command(t, dir, env, "internal/packaging/dist", out)
	return out
}

// only returns the one file in dir that ends like that.
func only(t *testing.T, dir, ending string) string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*"+ending))
	if err != nil || len(names) != 1 {
		t.Fatalf("%v, %v", names, err)
	}
	return names[0]
}

// The same sources in another place, copied at another time and with nothing compiled before,
// make the same bytes.
func TestSameBytesTwice(t *testing.T) {
	elsewhere := t.TempDir()
	command(t, root, nil, "sh", "-c", `git ls-files -z --cached --others --exclude-standard | tar -c --null --verbatim-files-from -T - | tar -xm -C "$0"`, elsewhere)
	var sums []string
	for dir, cache := range map[string]string{root: command(t, root, nil, "go", "env", "GOCACHE"), elsewhere: t.TempDir()} {
		out := dist(t, dir, "1.0", "GOCACHE="+strings.TrimSpace(cache))
		data, err := os.ReadFile(filepath.Join(out, "SHA256SUMS"))
		if err != nil {
			t.Fatal(err)
		}
		sums = append(sums, string(data))
	}
	if sums[0] != sums[1] || strings.Count(sums[0], "\n") != 4 {
		t.Errorf("%s\n%s", sums[0], sums[1])
	}
}

func TestContents(t *testing.T) {
	out := dist(t, root, "1.0")
	files := map[string][]string{
		".deb": paths(command(t, "", nil, "sh", "-c", `dpkg-deb --fsys-tarfile "$0" | tar -t`, only(t, out, ".deb"))),
		".rpm": paths(command(t, "", nil, "rpm", "-qpl", "--nosignature", only(t, out, ".rpm"))),
	}
	for ending, list := range files {
		for _, want := range []string{
			"/usr/bin/ftpfs", "/usr/sbin/mount.ftpfs", "/usr/sbin/mount.fuse.ftpfs",
			"/usr/share/man/man1/ftpfs.1.gz", "/usr/share/man/man1/ftpfs-umount.1.gz", "/usr/share/man/man7/ftpfs.7.gz",
			"/usr/share/man/man8/mount.ftpfs.8.gz", "/usr/share/bash-completion/completions/ftpfs",
			"/usr/lib/systemd/system/ftpfs@.service", "/usr/share/doc/ftpfs/README.md", "/usr/share/doc/ftpfs/copyright",
			"/usr/share/doc/ftpfs/examples/srv-ftp.automount", "/etc/ftpfs",
		} {
			if !slices.Contains(list, want) {
				t.Errorf("the %s lacks %s", ending, want)
			}
		}
	}
	if !slices.Contains(files[".deb"], "/usr/share/zsh/vendor-completions/_ftpfs") || !slices.Contains(files[".rpm"], "/usr/share/zsh/site-functions/_ftpfs") {
		t.Error("no completion for zsh")
	}
	// Directories of the system belong to nobody's package.
	if slices.Contains(files[".rpm"], "/usr/bin") || slices.Contains(files[".rpm"], "/usr/sbin") {
		t.Errorf("the .rpm claims what is the system's: %q", files[".rpm"])
	}
	if got := command(t, "", nil, "rpm", "-qp", "--nosignature", "--qf", "%{name} %{version} %{license} %{buildhost}", only(t, out, ".rpm")); got != "ftpfs 1.0 MIT localhost" {
		t.Error(got)
	}
	if got := command(t, "", nil, "rpm", "-qpR", "--nosignature", only(t, out, ".rpm")); !strings.Contains(got, "fuse3\n") {
		t.Error(got)
	}
	binary := only(t, out, "-linux-"+runtime.GOARCH)
	if err := os.Chmod(binary, 0o755); err != nil {
		t.Fatal(err)
	}
	if got := command(t, "", nil, binary, "--version"); got != "ftpfs version 1.0\n" {
		t.Error(got)
	}
	if out, err := exec.Command("ldd", binary).CombinedOutput(); err == nil {
		t.Errorf("not static: %s", out)
	}
}

// paths are the lines without . before and / behind.
func paths(lines string) (list []string) {
	for line := range strings.Lines(lines) {
		list = append(list, strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(line), "."), "/"))
	}
	return list
}

// man has nothing to complain of, and each shell takes its completions.
func TestPagesAndCompletions(t *testing.T) {
	dir := t.TempDir()
	command(t, "", nil, "dpkg-deb", "-x", only(t, dist(t, root, "1.0"), ".deb"), dir)
	pages, err := filepath.Glob(filepath.Join(dir, "usr/share/man/man?/*.gz"))
	if err != nil || len(pages) < 6 {
		t.Fatal(pages, err)
	}
	for _, page := range pages {
		cmd := exec.Command("man", "--warnings", "-P", "cat", "-l", page)
		cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "MANWIDTH=80", "MAN_KEEP_FORMATTING=")
		var errs bytes.Buffer
		cmd.Stderr = &errs
		out, err := cmd.Output()
		if err != nil || errs.Len() > 0 || !strings.Contains(string(out), "SEE ALSO") {
			t.Errorf("%s: %v\n%s", page, err, errs.String())
		}
	}
	command(t, "", nil, "bash", "-n", filepath.Join(dir, "usr/share/bash-completion/completions/ftpfs"))
}
