package ftpclient

import (
	"context"
	"strings"
)

// Follow asks what symbolic links lead to, as many at a time as the server bears, and makes
// of them Followed entries with type, size and time of that. The other entries stay as they
// are, as do links that lead to no file or directory, or are too long to be asked about. dir
// is where the entries are.
func (cl *Client) Follow(ctx context.Context, dir string, entries []Entry) error {
	var links []*Entry
	for i := range entries {
		if e := &entries[i]; e.Type == TypeLink && checkPath("SIZE", "/"+e.Name) == nil {
			links = append(links, e)
		}
	}
	if len(links) == 0 {
		return nil
	}
	err := cl.do(ctx, useShort, true, func(c *conn) error {
		rest, err := c.followFiles(dir, links)
		if err == nil {
			err = c.followDirs(dir, rest)
		}
		return err
	})
	return failed("SIZE", dir, err)
}

// followFiles asks by SIZE and MDTM, which tell of files, and returns the links that lead to
// something else.
func (c *conn) followFiles(dir string, links []*Entry) (rest []*Entry, err error) {
	asked, replies, err := c.askLinks(dir, links, "", "SIZE", "MDTM")
	for i, e := range asked {
		n, refused := sizeOf(replies[2*i], "")
		if refused != nil {
			rest = append(rest, e)
			continue
		}
		follow(e, Entry{Type: TypeFile, Size: n})
		e.ModTime, e.Precision, _ = c.client.timeOf(replies[2*i+1], "")
	}
	return rest, err
}

// followDirs asks by CWD, or MLST of what only a directory has: pure-ftpd answers a CWD that
// fails later and later.
func (c *conn) followDirs(dir string, links []*Entry) error {
	if c.client.server.isPureFTPd() {
		asked, replies, err := c.askLinks(dir, links, "/.", "MLST")
		for i, e := range asked {
			if to, err := c.client.factsOf(replies[i], ""); err == nil && to.Type == TypeDir {
				follow(e, to)
			}
		}
		return err
	}
	asked, replies, err := c.askLinks(dir, links, "", "CWD", "MDTM")
	for i, e := range asked {
		if replies[2*i].ok() {
			follow(e, Entry{Type: TypeDir, Size: -1})
			e.ModTime, e.Precision, _ = c.client.timeOf(replies[2*i+1], "")
		}
	}
	return err
}

// askLinks sends the verbs for each link that is short enough.
func (c *conn) askLinks(dir string, links []*Entry, suffix string, verbs ...string) (asked []*Entry, replies []reply, err error) {
	var cmds []command
	for _, e := range links {
		arg, err := c.client.server.wire(verbs[0], strings.TrimSuffix(dir, "/")+"/"+e.Name)
		if err != nil || len(arg)+len(suffix) > maxPath {
			continue
		}
		for _, verb := range verbs {
			cmds = append(cmds, command{verb, arg + suffix})
		}
		asked = append(asked, e)
	}
	if replies, err = c.exchange(cmds...); err != nil {
		return nil, nil, err
	}
	return asked, replies, nil
}

// follow makes of a link what it leads to. The owner stays: of the other nothing is known.
func follow(e *Entry, to Entry) {
	to.Name, to.Target, to.Owner, to.Group, to.Followed = e.Name, e.Target, e.Owner, e.Group, true
	*e = to
}
