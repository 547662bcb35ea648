package main

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// readCredentials reads a file as mount.cifs has it: the lines username=NAME and
// password=PASSWORD, user= and pass= meaning the same. What else is in it is passed over, so
// that lines as domain= do no harm. A single line NAME:PASSWORD is understood as well.
func readCredentials(name string) (user, password string, err error) {
	// A pipe without a writer would block.
	file, err := os.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return "", "", fail(exitUsage, "The credentials cannot be read: %w.", err)
	}
	defer file.Close()
	info, err := file.Stat()
	switch {
	case err != nil:
		return "", "", fail(exitUsage, "The credentials cannot be read: %w.", err)
	case !info.Mode().IsRegular():
		return "", "", fail(exitUsage, "The file of credentials %s is not a regular file: name one.", name)
	case info.Mode().Perm()&0o066 != 0:
		return "", "", fail(exitUsage, "Others may read or write the file of credentials %s: run chmod 600 %s.", name, name)
	}
	user, password, err = parseCredentials(file)
	if err != nil {
		return "", "", fail(exitUsage, "The file of credentials %s cannot be read: %w.", name, err)
	}
	if user == "" {
		return "", "", fail(exitUsage, "The file of credentials %s names no user: write the lines username=NAME and password=PASSWORD.", name)
	}
	return user, password, nil
}

// fromSystemd reads the credential "ftpfs" that a unit was given by LoadCredential= or
// SetCredential=, in the form of a file of credentials, or with the password alone for the user
// that is known. It is not found if it is for another user.
func (src sources) fromSystemd(user string) (name, password string, found bool, err error) {
	dir := ""
	if src.getenv != nil {
		dir = src.getenv("CREDENTIALS_DIRECTORY")
	}
	if dir == "" {
		return "", "", false, nil
	}
	text, err := os.ReadFile(filepath.Join(dir, "ftpfs"))
	if errors.Is(err, fs.ErrNotExist) {
		return "", "", false, nil
	} else if err != nil {
		return "", "", false, fail(exitUsage, "The credential of systemd cannot be read: %w.", err)
	}
	name, password, err = parseCredentials(bytes.NewReader(text))
	if err != nil {
		return "", "", false, fail(exitUsage, "The credential of systemd cannot be read: %w.", err)
	}
	if name == "" && user != "" {
		name = user
		if password == "" {
			password, _, _ = strings.Cut(string(text), "\n")
		}
	}
	return name, password, name != "" && (user == "" || user == name), nil
}

func parseCredentials(r io.Reader) (user, password string, err error) {
	lines := bufio.NewScanner(io.LimitReader(r, 1<<16))
	for lines.Scan() {
		key, value, ok := strings.Cut(lines.Text(), "=")
		switch key = strings.TrimSpace(key); {
		case ok && (key == "username" || key == "user"):
			user = strings.TrimSpace(value)
		case ok && (key == "password" || key == "pass"):
			password = value
		case user == "" && !strings.HasPrefix(key, "#"):
			if name, word, both := strings.Cut(lines.Text(), ":"); both && !strings.Contains(name, "=") {
				user, password = name, word
			}
		}
	}
	return user, strings.TrimSuffix(password, "\r"), lines.Err()
}
