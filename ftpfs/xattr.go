package ftpfs

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"time"

	"bazil.org/fuse"

	"ftpfs/ftpclient"
)

// Extended attributes tell what the server says of a file. They can be asked for by name
// only: were they listed, every cp -a, tar and rsync -X would fetch them and try to set
// them on the copy. Without Options.Xattr the kernel is told that there are none and never
// asks, since ls -l asks for two of each file.

const xattrPrefix = "user.ftp."

// digests are the attributes that a server computes from the content.
var digests = map[string]ftpclient.Algorithm{
	"sha256": ftpclient.SHA256,
	"sha512": ftpclient.SHA512,
	"sha1":   ftpclient.SHA1,
	"md5":    ftpclient.MD5,
	"crc32":  ftpclient.CRC32,
}

// getxattr is getxattr(2).
func (s *server) getxattr(n *node, r *fuse.GetxattrRequest) {
	name, ours := strings.CutPrefix(r.Name, xattrPrefix)
	switch {
	case !s.fs.opts.Xattr:
		r.RespondError(syscall.ENOSYS)
		return
	case !ours:
		r.RespondError(syscall.ENODATA)
		return
	}
	s.ask(r, func(ctx context.Context) error {
		value, err := s.fs.xattr(ctx, n, name, r.Size == 0)
		switch {
		case errors.Is(err, errors.ErrUnsupported), err == nil && value == "":
			r.RespondError(syscall.ENODATA)
		case err != nil:
			return err
		case r.Size > 0 && len(value) > int(r.Size):
			r.RespondError(syscall.ERANGE)
		default:
			r.Respond(&fuse.GetxattrResponse{Xattr: []byte(value)})
		}
		return nil
	})
}

// listxattr is listxattr(2): an empty list, not a refusal, of which tar --xattrs warns.
func (s *server) listxattr(r *fuse.ListxattrRequest) {
	if !s.fs.opts.Xattr {
		r.RespondError(syscall.ENOSYS)
		return
	}
	r.Respond(&fuse.ListxattrResponse{})
}

// xattr returns the value of an attribute, "" if there is none. sizeOnly: only its length is
// wanted, which for a digest is known without asking the server.
func (f *FS) xattr(ctx context.Context, n *node, name string, sizeOnly bool) (string, error) {
	e, _, err := f.stat(ctx, n)
	if err != nil {
		return "", err
	}
	rel, named := f.nodes.path(n)
	if c := f.nodes.contentOf(n); !named || c != nil && c.local() {
		return "", nil // the server does not have it
	}
	path := below(f.tree.root, rel)
	if a, ok := digests[name]; ok {
		if sizeOnly && !n.isDir && len(f.client.Checksums()) > 0 {
			return strings.Repeat("0", 2*a.New().Size()), nil
		}
		sum, err := f.client.Checksum(ctx, path, e.Size, a)
		return hex.EncodeToString(sum), err
	}
	if name == "facts" {
		return f.client.Facts(ctx, path)
	}
	return fact(e, name), nil
}

// fact is what the listing tells, "" if it does not.
func fact(e ftpclient.Entry, name string) string {
	switch name {
	case "type":
		return e.Type.String()
	case "modify":
		return modified(e)
	case "mode":
		if e.HasMode {
			return octal(e.Mode)
		}
	case "owner":
		return e.Owner
	case "group":
		return e.Group
	case "unique":
		return e.Unique
	}
	return ""
}

// modified writes a time as MLSD does (RFC 3659 section 2.3), only as far as it is known.
func modified(e ftpclient.Entry) string {
	layout := "20060102150405.999999999"
	switch {
	case e.ModTime.IsZero():
		return ""
	case e.Precision >= 24*time.Hour:
		layout = "20060102"
	case e.Precision >= time.Minute:
		layout = "200601021504"
	}
	return e.ModTime.UTC().Format(layout)
}

// octal writes permissions as chmod(1) takes them.
func octal(mode fs.FileMode) string {
	bits := uint32(mode.Perm())
	for i, special := range []fs.FileMode{fs.ModeSticky, fs.ModeSetgid, fs.ModeSetuid} {
		if mode&special != 0 {
			bits |= 0o1000 << i
		}
	}
	return fmt.Sprintf("%04o", bits)
}
