package ftpclient

import (
	"context"
	"errors"
)

// change sends one command that changes something. It is never repeated once the
// server may have done it: the error then is a *LostError.
func (cl *Client) change(ctx context.Context, verb, params, p string) error {
	if err := checkPath(verb, p); err != nil {
		return err
	}
	err := cl.do(ctx, useShort, false, func(c *conn) error {
		arg, err := c.arg(verb, p)
		if err != nil {
			return unchanged(err)
		}
		if verb == "MKD" {
			if arg, err = cl.server.newDir(p, arg); err != nil {
				return err
			}
		}
		replies, err := c.exchange(command{verb, params + arg})
		if err != nil {
			return err
		}
		if !replies[0].ok() {
			return refusal(verb, p, replies[0])
		}
		return nil
	})
	return lost(verb, p, err)
}

// unchanged marks the loss of a connection before anything was sent that changes
// something.
func unchanged(err error) error {
	if ce, ok := errors.AsType[*connError](err); ok {
		ce.safe = true
	}
	return err
}

// Delete removes a file or a symbolic link.
func (cl *Client) Delete(ctx context.Context, path string) error {
	return cl.change(ctx, "DELE", "", path)
}

// MakeDir makes a directory.
func (cl *Client) MakeDir(ctx context.Context, path string) error {
	return cl.change(ctx, "MKD", "", path)
}

// RemoveDir removes an empty directory, and on some servers any directory: see
// RefusesFullDirs.
func (cl *Client) RemoveDir(ctx context.Context, path string) error {
	err := cl.change(ctx, "RMD", "", path)
	if e, ok := errors.AsType[*Error](err); ok && e.Kind() == KindNotEmpty {
		cl.server.learn(&cl.server.sparing, Yes)
	}
	return err
}

// RefusesFullDirs tells whether RemoveDir refuses a directory that is not empty, as RFC 959
// does not say: Yes from the server's greeting or since it has refused one. Some servers
// remove it with all that is in it.
func (cl *Client) RefusesFullDirs() Capability { return cl.server.can(&cl.server.sparing) }

// Rename moves a file or directory, in one write of RNFR and RNTO. Most servers replace
// an existing file.
func (cl *Client) Rename(ctx context.Context, from, to string) error {
	if err := checkPaths("RNFR", from, to); err != nil {
		return err
	}
	err := cl.do(ctx, useShort, false, func(c *conn) error {
		if err := cl.server.checkNew("RNTO", to); err != nil {
			return err
		}
		args, err := c.args("RNFR", from, to)
		if err != nil {
			return unchanged(err)
		}
		replies, err := c.exchange(command{"RNFR", args[0]}, command{"RNTO", args[1]})
		if err != nil {
			return err
		}
		return renamed(from, to, replies)
	})
	return lost("RNTO", to, err)
}

// renamed reads the replies to RNFR and RNTO.
func renamed(from, to string, replies []reply) error {
	if replies[0].refused() {
		return refusal("RNFR", from, replies[0])
	}
	if !replies[1].ok() {
		return refusal("RNTO", to, replies[1])
	}
	return nil
}
