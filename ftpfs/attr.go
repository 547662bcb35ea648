package ftpfs

import (
	"io/fs"
	"os"
	"time"

	"bazil.org/fuse"

	"ftpfs/ftpclient"
)

// attr turns what is known of a node into what the kernel is told, valid for
// the given time.
func (f *FS) attr(n *node, e ftpclient.Entry, valid time.Duration) fuse.Attr {
	mtime := e.ModTime
	if year := mtime.Year(); year < 1900 || year > 2200 {
		mtime = time.Unix(0, 0) // unknown, or beyond what is sent in 64 bits of nanoseconds
	}
	size := uint64(max(f.nodes.sizeOf(n, e), 0))
	if n.isDir {
		size = 0
	}
	uid, gid := f.owner(e)
	return fuse.Attr{
		Valid:     max(valid, 0),
		Inode:     n.ino,
		Size:      size,
		Blocks:    (size + 511) / 512,
		Atime:     mtime,
		Mtime:     mtime,
		Ctime:     mtime,
		Mode:      f.mode(e),
		Nlink:     f.nodes.links(n),
		Uid:       uid,
		Gid:       gid,
		BlockSize: mostAtOnce,
	}
}

// owner is who e is shown to belong to.
func (f *FS) owner(e ftpclient.Entry) (uid, gid uint32) {
	if f.tree.owners == nil {
		return f.opts.UID, f.opts.GID
	}
	return f.tree.owners.of(e, f.opts.UID, f.opts.GID)
}

// mode gives type and permissions. Where the server does not tell them, files
// are readable by all and writable by their owner.
func (f *FS) mode(e ftpclient.Entry) os.FileMode {
	var mode fs.FileMode
	switch {
	case e.HasMode:
		mode = e.Mode & fs.ModePerm // the rest means something on the server only
	case e.Type == ftpclient.TypeDir:
		mode = 0o755
	default:
		mode = 0o644
	}
	hidden := f.opts.Umask | f.opts.FileUmask
	if e.Type == ftpclient.TypeDir {
		hidden = f.opts.Umask | f.opts.DirUmask
	}
	mode &^= hidden & fs.ModePerm
	switch e.Type {
	case ftpclient.TypeDir:
		mode |= fs.ModeDir
	case ftpclient.TypeLink:
		mode = fs.ModeSymlink | 0o777
	}
	return mode
}

// direntType is the type shown by readdir. What is neither file, directory
// nor link is shown as a file: nothing on a server is a device of ours.
func direntType(t ftpclient.Type) fuse.DirentType {
	switch t {
	case ftpclient.TypeDir:
		return fuse.DT_Dir
	case ftpclient.TypeLink:
		return fuse.DT_Link
	}
	return fuse.DT_File
}
