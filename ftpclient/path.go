package ftpclient

import (
	"path"
	"strings"
)

// checkPath refuses what cannot be sent: a line break or NUL would end the command and
// inject another.
func checkPath(verb, p string) error {
	switch {
	case !strings.HasPrefix(p, "/"):
		return &Error{Command: verb, Path: p, Text: "illegal file name: not an absolute path"}
	case strings.ContainsAny(p, "\r\n\x00"):
		return &Error{Command: verb, Path: p, Text: "illegal file name: line break or NUL"}
	}
	return nil
}

func checkPaths(verb string, paths ...string) error {
	for _, p := range paths {
		if err := checkPath(verb, p); err != nil {
			return err
		}
	}
	return nil
}

// args returns what stands for paths in commands: the paths, encoded; names if they are
// too long for a command, after the connection has gone to their directory. Nothing
// that uses a name is sent before the server has confirmed the directory, since it
// would concern another file. Long paths in different directories cannot be reached.
func (c *conn) args(verb string, paths ...string) ([]string, error) {
	args := make([]string, len(paths))
	dir := ""
	for i, p := range paths {
		var err error
		if args[i], err = c.client.server.wire(verb, p); err != nil {
			return nil, err
		}
		if len(args[i]) <= maxPath {
			continue
		}
		parent, name := path.Split(strings.TrimRight(p, "/"))
		if args[i], err = c.client.server.wire(verb, name); err != nil {
			return nil, err
		}
		if len(args[i]) > maxPath || dir != "" && dir != parent {
			return nil, tooLong(verb, p)
		}
		dir = parent
	}
	if dir == "" {
		return args, nil
	}
	steps, err := c.steps(verb, dir)
	if err != nil {
		return nil, err
	}
	return args, c.walk(steps, dir)
}

func (c *conn) arg(verb, p string) (string, error) {
	args, err := c.args(verb, p)
	if err != nil {
		return "", err
	}
	return args[0], nil
}

func tooLong(verb, p string) error {
	return &Error{Command: verb, Path: p, Text: "file name too long for a command"}
}

// steps returns the CWD commands that lead to dir.
func (c *conn) steps(verb, dir string) ([]command, error) {
	rest, err := c.client.server.wire(verb, dir)
	if err != nil {
		return nil, err
	}
	var steps []command
	if rest != "/" {
		rest = strings.TrimRight(rest, "/")
	}
	for len(rest) > maxPath {
		cut := strings.LastIndexByte(rest[:maxPath+1], '/')
		if cut <= 0 {
			return nil, tooLong(verb, dir)
		}
		steps = append(steps, command{"CWD", rest[:cut]})
		rest = strings.TrimLeft(rest[cut:], "/")
	}
	return append(steps, command{"CWD", rest}), nil
}

func (c *conn) walk(steps []command, dir string) error {
	replies, err := c.exchange(steps...)
	if err != nil {
		return err
	}
	for _, r := range replies {
		if !r.ok() {
			return refusal("CWD", dir, r)
		}
	}
	return nil
}
