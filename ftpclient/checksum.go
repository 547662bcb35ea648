package ftpclient

import (
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"path"
	"strings"
	"time"
)

// Algorithm names a checksum as FEAT and the reply to HASH do.
type Algorithm string

const (
	SHA256 Algorithm = "SHA-256"
	SHA512 Algorithm = "SHA-512"
	SHA1   Algorithm = "SHA-1"
	MD5    Algorithm = "MD5"
	CRC32  Algorithm = "CRC32" // of IEEE 802.3, as in zip files
)

// algorithms is the one table of checksums, the preferred first: what computes them, and
// the commands older than HASH.
var algorithms = []struct {
	name  Algorithm
	make  func() hash.Hash
	verbs []string
}{
	{SHA256, sha256.New, []string{"XSHA256"}},
	{SHA512, sha512.New, []string{"XSHA512"}},
	{SHA1, sha1.New, []string{"XSHA1", "XSHA"}},
	{MD5, md5.New, []string{"XMD5"}},
	{CRC32, func() hash.Hash { return crc32.NewIEEE() }, []string{"XCRC"}},
}

// New returns what computes the checksum; nil for an unknown algorithm.
func (a Algorithm) New() hash.Hash {
	for _, known := range algorithms {
		if known.name == a {
			return known.make()
		}
	}
	return nil
}

// hasHash tells whether HASH computes a. The algorithm in use is starred.
func (f features) hasHash(a Algorithm) bool {
	for name := range strings.SplitSeq(f["HASH"], ";") {
		if strings.EqualFold(strings.TrimSuffix(strings.TrimSpace(name), "*"), string(a)) {
			return true
		}
	}
	return false
}

// verbOf returns the command older than HASH that computes a, "" if there is none.
func (f features) verbOf(a Algorithm) string {
	for _, known := range algorithms {
		if known.name != a {
			continue
		}
		for _, verb := range known.verbs {
			if f.has(verb) {
				return verb
			}
		}
	}
	return ""
}

// checksumCommands returns what asks for the checksum of a file; nil if nothing does. HASH
// takes the path as it is. The older commands split it at blanks, unless it is in quotes,
// and then cannot have quotes in it; HASH of ftpserverlib does so, too.
func (f features) checksumCommands(a Algorithm, arg string) []command {
	quotable := !strings.Contains(arg, `"`)
	verb := f.verbOf(a)
	if f.hasHash(a) && (verb == "" || !quotable || !strings.Contains(arg, " ")) {
		return []command{{"OPTS", "HASH " + string(a)}, {"HASH", arg}}
	}
	if verb == "" || !quotable {
		return nil
	}
	if strings.Contains(arg, " ") {
		arg = `"` + arg + `"`
	}
	return []command{{verb, arg}}
}

// Checksums returns the algorithms that the server has announced, the best first; none
// before the first login. It does not block.
func (cl *Client) Checksums() []Algorithm {
	f := cl.server.announced()
	var all []Algorithm
	for _, known := range algorithms {
		if f.hasHash(known.name) || f.verbOf(known.name) != "" {
			all = append(all, known.name)
		}
	}
	return all
}

// Checksum asks the server for the checksum of a file, by HASH
// (draft-bryan-ftpext2-hash), XSHA256, XSHA512, XSHA1, XMD5 or XCRC. size is that of the
// file, -1 if unknown: it allows the server a time in proportion, beyond the timeout.
// The error is errors.ErrUnsupported if the server has no such command or if none can
// say the path.
func (cl *Client) Checksum(ctx context.Context, p string, size int64, a Algorithm) ([]byte, error) {
	if err := checkPath("HASH", p); err != nil {
		return nil, err
	}
	if err := cl.introduced(ctx); err != nil {
		return nil, failed("HASH", p, err)
	}
	var sum []byte
	err := cl.do(ctx, useShort, true, func(c *conn) error {
		var err error
		sum, err = c.checksum(p, size, a)
		return err
	})
	return sum, failed("HASH", p, err)
}

func (c *conn) checksum(p string, size int64, a Algorithm) ([]byte, error) {
	arg, err := c.arg("HASH", p)
	if err != nil {
		return nil, err
	}
	cmds := c.client.server.announced().checksumCommands(a, arg)
	if cmds == nil {
		return nil, fmt.Errorf("%s of %s: %w", a, p, errors.ErrUnsupported)
	}
	if err := c.send(cmds...); err != nil {
		return nil, err
	}
	var r reply
	for range cmds {
		var err *connError
		if r, err = c.receiveWithin(c.client.cfg.Timeout + hashTime(size)); err != nil {
			return nil, err
		}
		if r.preliminary() {
			return nil, c.surprised(r)
		}
	}
	verb := cmds[len(cmds)-1].verb
	if !r.ok() {
		return nil, refusal(verb, p, r)
	}
	sum := parseChecksum(r, a, verb == "HASH", p)
	if sum == nil {
		return nil, fmt.Errorf("%s of %s: not understood: %q: %w", a, p, r.shown(), errors.ErrUnsupported)
	}
	return sum, nil
}

// hashTime is how long a server may need to read a file.
func hashTime(size int64) time.Duration {
	const slow = 4 << 20 // bytes in a second
	return time.Duration(max(0, size)/slow) * time.Second
}

// parseChecksum reads a checksum in the last line of a reply: after HASH as
// "CRC32 0-49 352441c2 dir/name", else the last word. nil if it is not that of the
// algorithm, the file and the whole of it.
func parseChecksum(r reply, a Algorithm, isHash bool, p string) []byte {
	line := r.lines[len(r.lines)-1]
	words := strings.Fields(line)
	if len(words) == 0 {
		return nil
	}
	digits := words[len(words)-1]
	if isHash {
		words = strings.SplitN(line, " ", 4)
		if len(words) != 4 || !strings.EqualFold(words[0], string(a)) || !strings.HasPrefix(words[1], "0-") || path.Base(words[3]) != path.Base(p) {
			return nil
		}
		digits = words[2]
	}
	want := 2 * a.New().Size()
	if a == CRC32 && len(digits) > 0 && len(digits) < want {
		digits = strings.Repeat("0", want-len(digits)) + digits // written as a number
	}
	sum, err := hex.DecodeString(digits)
	if err != nil || len(digits) != want {
		return nil
	}
	return sum
}
