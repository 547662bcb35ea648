package main

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/jdx/go-netrc"
	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"ftpfs/internal/keyring"
)

// sources are the places where credentials come from, besides URL and flags.
type sources struct {
	stdin  io.Reader
	getenv func(string) string
	bus    string                             // address of the session's bus, on which there may be a keyring; "" none
	prompt func(label string) (string, error) // errNoTerminal if nobody can be asked
	warn   io.Writer
	ways   string // to give a password, told where there is none; "" those of a mount
}

var errNoTerminal = errors.New("no terminal")

func systemSources(warn io.Writer) sources {
	return sources{stdin: os.Stdin, getenv: os.Getenv, bus: keyring.Address(os.Getenv), prompt: promptTerminal, warn: warn}
}

// credentials finds user and password. The first place that has one wins: the URL,
// -o user=NAME:PASSWORD, --credentials, the other flags, systemd, FTPFS_PASSWORD, netrc, the
// keyring, a prompt. An empty user means anonymous.
func (src sources) credentials(t target, f *flags) (user, password string, err error) {
	user = t.User
	if user == "" {
		user = f.user
	}
	if t.HasPassword {
		return user, t.Password, nil
	}
	if f.passwordGiven {
		return user, f.password, nil
	}
	if f.credentials != "" {
		inFile, password, err := readCredentials(f.credentials)
		if err == nil && user != "" && user != inFile {
			err = fail(exitUsage, "The file of credentials %s is for %s, and not for %s.", f.credentials, inFile, user)
		}
		return inFile, password, err
	}
	if f.passwordFile == "" && !f.passwordStdin {
		if inFile, password, found, err := src.fromSystemd(user); found || err != nil {
			return inFile, password, err
		}
	}
	given := f.passwordFile != "" || f.passwordStdin
	login, netrcPassword, inNetrc := "", "", false
	if !given {
		if login, netrcPassword, inNetrc, err = src.fromNetrc(t.Host, user); err != nil {
			return "", "", err
		}
	}
	if user == "" {
		user = login
	}
	switch {
	case given && user == "":
		return "", "", fail(exitUsage, "A password is given but no user: name one in the URL, as in ftp://user@host/dir, or with --user.")
	case f.passwordFile != "":
		password, err = src.readPasswordFile(f.passwordFile)
		return user, password, err
	case f.passwordStdin:
		password, err = firstLine(src.stdin)
		if err != nil {
			return "", "", fail(exitUsage, "The password cannot be read from standard input: %w.", err)
		}
		return user, password, nil
	case user == "":
		// The variable alone does not send a password to whatever host is mounted.
		return "", "", nil
	case src.getenv("FTPFS_PASSWORD") != "":
		return user, src.getenv("FTPFS_PASSWORD"), nil
	case inNetrc:
		return user, netrcPassword, nil
	case user == "anonymous" || user == "ftp":
		return user, "anonymous@", nil
	}
	if password, found := src.fromKeyring(t, user); found {
		return user, password, nil
	}
	password, err = src.prompt(fmt.Sprintf("Password of %s at %s: ", user, t.hostName()))
	if errors.Is(err, errNoTerminal) {
		return "", "", fail(exitUsage, "There is no password for %s at %s: give it by %s.", user, t.hostName(),
			cmp.Or(src.ways, "--password-file, --password-stdin, FTPFS_PASSWORD or ~/.netrc"))
	} else if err != nil {
		return "", "", fail(exitUsage, "No password was entered: %w.", err)
	}
	return user, password, nil
}

func (src sources) readPasswordFile(name string) (string, error) {
	// A pipe without a writer would block.
	file, err := os.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return "", fail(exitUsage, "The password file cannot be read: %w.", err)
	}
	defer file.Close()
	info, err := file.Stat()
	switch {
	case err != nil:
		return "", fail(exitUsage, "The password file cannot be read: %w.", err)
	case !info.Mode().IsRegular():
		return "", fail(exitUsage, "The password file %s is not a regular file: name one, or use --password-stdin for a pipe.", name)
	case info.Mode().Perm()&0o022 != 0:
		return "", fail(exitUsage, "Others may write to the password file %s: run chmod 600 %s.", name, name)
	case info.Mode().Perm()&0o044 != 0:
		fmt.Fprintf(src.warn, "ftpfs: Others may read the password file %s: run chmod 600 %s.\n", printable(name), printable(name))
	}
	password, err := firstLine(file)
	if err != nil {
		return "", fail(exitUsage, "The password file %s cannot be read: %w.", name, err)
	}
	return password, nil
}

func firstLine(r io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(r, 4096)).ReadString('\n')
	line = strings.TrimRight(line, "\r\n")
	if line == "" {
		if err == nil || err == io.EOF {
			err = errors.New("its first line is empty")
		}
		return "", err
	}
	return line, nil
}

// fromNetrc looks up host in $NETRC or ~/.netrc: the entry of user, or the first one
// if user is empty; then the default entry.
func (src sources) fromNetrc(host, user string) (login, password string, found bool, err error) {
	name := src.getenv("NETRC")
	if name == "" {
		home := homeDir(src.getenv)
		if home == "" {
			return "", "", false, nil
		}
		name = filepath.Join(home, ".netrc")
	}
	data, err := readText(name)
	if errors.Is(err, fs.ErrNotExist) {
		return "", "", false, nil
	} else if err != nil {
		return "", "", false, fail(exitUsage, "The file of passwords cannot be read: %w.", err)
	}
	// The parser takes comments for words and reads past a last "machine".
	var text strings.Builder
	for line := range strings.Lines(string(data)) {
		if !strings.HasPrefix(strings.TrimSpace(line), "#") {
			text.WriteString(line)
		}
	}
	text.WriteString("\ndefault\n")
	parsed, err := netrc.ParseString(text.String())
	if err != nil {
		return "", "", false, fail(exitUsage, "The file %s is no netrc file: %w.", name, err)
	}
	for _, m := range parsed.Machines() {
		login, password := m.Get("login"), m.Get("password")
		if (m.IsDefault || strings.EqualFold(m.Name, host)) && login != "" && (user == "" || user == login) {
			return login, password, true, nil
		}
	}
	return "", "", false, nil
}

// promptTerminal asks on the controlling terminal, without echo, which is restored
// when the process is interrupted.
func promptTerminal(label string) (string, error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return "", errNoTerminal
	}
	defer tty.Close()
	fd := int(tty.Fd())
	state, err := term.GetState(fd)
	if err != nil {
		return "", errNoTerminal
	}
	restore := onInterrupt(func() {
		term.Restore(fd, state)
		fmt.Fprintln(tty)
		os.Exit(exitUsage)
	})
	defer restore()
	fmt.Fprint(tty, printable(label))
	password, err := term.ReadPassword(fd)
	fmt.Fprintln(tty)
	return string(password), err
}
