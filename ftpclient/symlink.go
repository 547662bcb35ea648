package ftpclient

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Symlink makes a symbolic link at path to target, by SITE SYMLINK, if FEAT or SITE HELP
// tells of it; else the error is errors.ErrUnsupported. Both paths are absolute: proftpd
// makes them so, refuses targets that do not exist, and splits them at blanks.
func (cl *Client) Symlink(ctx context.Context, target, path string) error {
	const verb = "SITE SYMLINK"
	if err := checkPaths(verb, target, path); err != nil {
		return err
	}
	able, err := cl.hasSite(ctx, "SYMLINK")
	if err != nil {
		return failed(verb, path, err)
	}
	if !able || strings.Contains(target+path, " ") {
		return fmt.Errorf("%s %s: %w", verb, path, errors.ErrUnsupported)
	}
	err = cl.do(ctx, useShort, false, func(c *conn) error {
		to, err := cl.server.wire(verb, target)
		if err != nil {
			return err
		}
		from, err := cl.server.wire(verb, path)
		if err != nil {
			return err
		}
		args := to + " " + from
		if len(args) > maxPath {
			return tooLong(verb, path)
		}
		replies, err := c.exchange(command{verb, args})
		if err != nil {
			return err
		}
		// 202 is "not implemented, superfluous".
		if r := replies[0]; !r.ok() || r.code == 202 {
			return refusal(verb, path, r)
		}
		return nil
	})
	return lost(verb, path, err)
}
