package main

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/spf13/afero"

	"ftpfs/internal/ftptest"
	"ftpfs/internal/keyringtest"
)

// docCommand is a command of a console block.
type docCommand struct {
	line  string
	fails bool // what the block shows below it is an error of ftpfs
}

// docCommands takes the commands out of the console blocks of a document. The error is a line
// that looks like a command and is nowhere near such a block.
func docCommands(text string) (list []docCommand, err error) {
	looksLike := regexp.MustCompile(`^( {4}|\t)?(\$ |(ftpfs|mount|make|sudo|go|git|openssl|apt|apt-get|dpkg|docker|kubectl|systemctl) [^|]*$)`)
	kind, inside, continued := "", false, false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if fence, ok := strings.CutPrefix(line, "```"); ok {
			inside, kind, continued = !inside, fence, false
			continue
		}
		switch {
		case inside && kind == "console" && continued:
			last := &list[len(list)-1]
			last.line += "\n" + line
			continued = strings.HasSuffix(line, `\`)
		case inside && kind == "console":
			if command, ok := strings.CutPrefix(line, "$ "); ok {
				list = append(list, docCommand{line: command})
				continued = strings.HasSuffix(command, `\`)
			} else if strings.HasPrefix(line, "ftpfs: ") && len(list) > 0 {
				list[len(list)-1].fails = true
			}
		case (inside || strings.HasPrefix(line, "    ") || strings.HasPrefix(line, "\t")) && looksLike.MatchString(line):
			return nil, fmt.Errorf("%q is not in a console block, in which it would be tested", line)
		}
	}
	return list, nil
}

// untested are the commands that a test cannot run, by how they begin.
var untested = map[string]string{
	"make ":      "builds, tests or measures everything",
	"sudo ":      "changes this machine",
	"apt ":       "changes this machine",
	"systemctl ": "needs a systemd of its own",
	"mount ":     "needs the package installed: see make test-packages",
	"docker ":    "needs a container runtime",
	"kubectl ":   "needs a cluster",
	"go ":        "builds or measures",
	"git ":       "changes the sources",
	"getfattr ":  "needs the package attr",
}

func whyUntested(command string) string {
	for beginning, why := range untested {
		if strings.HasPrefix(command+" ", beginning) {
			return why
		}
	}
	return ""
}

// Every command in the documentation works. Those of one file are run one after another, in a
// home directory of their own, with servers of ours in place of those that they name.
func TestCommandsInTheDocs(t *testing.T) {
	files, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, "../../README.md", "../../CONTRIBUTING.md") {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		commands, err := docCommands(string(data))
		if err != nil {
			t.Errorf("%s: %v", file, err)
		}
		var script strings.Builder
		if _, settings, ok := strings.Cut(string(data), "\n```toml\n"); ok { // where they count
			settings, _, _ = strings.Cut(settings, "```")
			fmt.Fprintf(&script, "mkdir -p ~/.config/ftpfs\ncat > ~/.config/ftpfs/config.toml <<'END'\n%sEND\n", settings)
		}
		for _, c := range commands {
			if why := whyUntested(c.line); why != "" {
				t.Logf("%s: not run, since it %s: %s", filepath.Base(file), why, c.line)
				continue
			}
			fmt.Fprintf(&script, "cat <<'END'\n$ %s\nEND\n", c.line)
			if c.fails {
				fmt.Fprintf(&script, "if %s\nthen echo 'does not fail as it is said to'; exit 1; fi\n", c.line)
			} else {
				fmt.Fprintln(&script, c.line)
			}
		}
		if script.Len() == 0 {
			continue
		}
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			runDocs(t, script.String())
		})
	}
}

// runDocs runs a script where the servers and the files of the documentation are.
func runDocs(t *testing.T, script string) {
	home := t.TempDir()
	server := ftptest.Start(t, ftptest.Options{User: "ann", Anonymous: true})
	for name, text := range map[string]string{
		"/index.html": "<h1>site</h1>\n", "/pub/README": "hello\n", "/srv/data/a": "a\n", "/a b/c": "c\n",
	} {
		if err := afero.WriteFile(server.Fs(), name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	hosts := []string{
		"ftp.example.org", server.Addr(),
		"//ann@example.org:2121", "//ann@" + server.Addr(),
	}
	environ := []string{"HOME=" + home, "PATH=" + home + "/bin:" + os.Getenv("PATH"), "LC_ALL=C.UTF-8", "TMPDIR=" + t.TempDir(),
		programMark + "=1", "FTPFS_PASSWORD=secret", "FTPFS_TARGET_PASSWORD=secret"}
	if strings.Contains(script, "ftpfs login") {
		environ = append(environ, "DBUS_SESSION_BUS_ADDRESS="+keyringtest.Start(t).Address)
		script = strings.ReplaceAll(script, "\nftpfs login", "\necho secret | ftpfs login --password-stdin") // no terminal asks
	}
	if strings.Contains(script, "one.example.org") {
		one := ftptest.Real(t, "vsftpd", ftptest.RealOptions{Promiscuous: true})
		two := ftptest.Real(t, "vsftpd", ftptest.RealOptions{Promiscuous: true})
		for _, dir := range []string{one.Root + "/site", two.Root + "/incoming"} {
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range []string{"/big.iso", "/site/index.html"} {
			if err := os.WriteFile(one.Root+name, []byte("content\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(one.Own(), two.Own()); err != nil {
			t.Fatal(err)
		}
		hosts = append(hosts, "ann@one.example.org", one.User+"@"+one.Addr, "bob@two.example.org", two.User+"@"+two.Addr)
	}
	if strings.Contains(script, "ftpes://") || strings.Contains(script, "ftps://") {
		explicit := ftptest.Real(t, "vsftpd", ftptest.RealOptions{TLS: true})
		implicit := ftptest.Real(t, "vsftpd", ftptest.RealOptions{ImplicitTLS: true})
		cert := filepath.Join(home, "cert.pem")
		if err := os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: explicit.CA.Raw}), 0o644); err != nil {
			t.Fatal(err)
		}
		hosts = append(hosts,
			"ftpes://ann@example.org", "ftpes://"+explicit.User+"@"+explicit.Addr,
			"ftps://ann@example.org", "ftps://"+implicit.User+"@"+implicit.Addr,
			"ftpfs ftpes://ann@nas.lan", "SSL_CERT_FILE=/dev/null ftpfs ftpes://"+explicit.User+"@"+explicit.Addr)
		environ = append(environ, "SSL_CERT_FILE="+cert)
	}
	script = strings.NewReplacer(append(hosts, "example.org", server.Addr(), "--metrics 9121", "--metrics 127.0.0.1:0")...).Replace(script)

	if strings.Contains(script, "example.org") || strings.Contains(script, ".lan") {
		t.Fatalf("a server has no stand-in:\n%s", script)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(home+"/bin", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, home+"/bin/ftpfs"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		table, err := os.ReadFile("/proc/self/mountinfo")
		if err != nil {
			t.Error(err)
		}
		for line := range strings.Lines(string(table)) {
			if dir := unescapeMount(strings.Fields(line)[4]); strings.HasPrefix(dir, home+"/") {
				t.Errorf("%s is left mounted", strings.TrimPrefix(dir, home))
				thisHost().detach(dir)
			}
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-eu", "-o", "pipefail", "-c", script)
	cmd.Dir, cmd.Env, cmd.WaitDelay = home, environ, 5*time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestFindingCommandsInDocs(t *testing.T) {
	text := "Text\n```console\n$ ls \\\n  -l\ntotal 1\n$ ftpfs a b\nftpfs: No.\n```\n\n    a drawing\n"
	list, err := docCommands(text)
	if err != nil || len(list) != 2 || list[0] != (docCommand{"ls \\\n  -l", false}) || list[1] != (docCommand{"ftpfs a b", true}) {
		t.Errorf("%+v, %v", list, err)
	}
	for _, text := range []string{"    ftpfs doctor URL\n", "```sh\nmake test\n```\n", "    $ ls\n"} {
		if _, err := docCommands(text); err == nil {
			t.Errorf("%q passes", text)
		}
	}
}
