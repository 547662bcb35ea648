package ftpclient

import (
	"context"
	"strings"
)

// Facts returns what MLST tells of a path, "fact=value;fact=value;" (RFC 3659 section 7),
// in the server's words. The error is errors.ErrUnsupported if it has no MLST.
func (cl *Client) Facts(ctx context.Context, p string) (string, error) {
	r, err := cl.ask(ctx, "MLST", p)
	if err != nil {
		return "", err
	}
	if r.code != 250 || len(r.lines) < 3 {
		return "", refusal("MLST", p, r)
	}
	// No fact has a semicolon in it, so the first one before a blank is the last.
	facts, _, found := strings.Cut(strings.TrimPrefix(r.lines[1], " "), "; ")
	if !found {
		return "", refusal("MLST", p, r)
	}
	return facts + ";", nil
}
