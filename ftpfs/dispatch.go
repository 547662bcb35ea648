package ftpfs

import (
	"syscall"

	"bazil.org/fuse"
)

// dispatch answers req or starts what will. It never waits for the network, nor
// for a lock held across it, and for the disk only by here.
func (s *server) dispatch(req fuse.Request) {
	switch r := req.(type) {
	case *fuse.InterruptRequest:
		s.interrupt(r.IntrID)
		r.Respond()
		return
	case *fuse.ForgetRequest:
		s.fs.nodes.forget(uint64(r.Node), r.N)
		r.Respond()
		return
	case *fuse.BatchForgetRequest:
		for _, item := range r.Forget {
			s.fs.nodes.forget(uint64(item.NodeID), item.N)
		}
		r.Respond()
		return
	case *fuse.StatfsRequest:
		s.statfs(r)
		return
	case *fuse.DestroyRequest:
		r.Respond()
		return
	}

	n := s.fs.nodes.get(uint64(req.Hdr().Node))
	if n == nil {
		req.RespondError(syscall.ESTALE)
		return
	}
	switch r := req.(type) {
	case *fuse.LookupRequest:
		s.lookup(n, r)
	case *fuse.GetattrRequest:
		s.getattr(n, r)
	case *fuse.SetattrRequest:
		s.setattr(n, r)
	case *fuse.OpenRequest:
		if r.Dir {
			s.openDir(n, r)
		} else {
			s.open(n, r)
		}
	case *fuse.ReadRequest:
		if r.Dir {
			s.readDir(r)
		} else {
			s.read(r)
		}
	case *fuse.WriteRequest:
		s.write(r)
	case *fuse.FlushRequest:
		s.flush(r)
	case *fuse.FsyncRequest:
		s.fsync(r)
	case *fuse.ReleaseRequest:
		s.release(r)
	case *fuse.CreateRequest:
		s.create(n, r)
	case *fuse.MkdirRequest:
		s.makeDir(n, r)
	case *fuse.RemoveRequest:
		s.remove(n, r)
	case *fuse.RenameRequest:
		s.rename(n, r)
	case *fuse.ReadlinkRequest:
		s.readLink(n, r)
	case *fuse.SymlinkRequest:
		s.symlink(n, r)
	case *fuse.LinkRequest, *fuse.MknodRequest:
		// FTP has no words for them.
		req.RespondError(syscall.EPERM)
	case *fuse.GetxattrRequest:
		s.getxattr(n, r)
	case *fuse.ListxattrRequest:
		s.listxattr(r)
	case *fuse.FAllocateRequest:
		req.RespondError(syscall.ENOTSUP)
	case *fuse.UnrecognizedRequest:
		if r.Opcode == opRename2 {
			s.rename2(n, r)
			return
		}
		req.RespondError(syscall.ENOSYS)
	default:
		// Access, setting extended attributes, locks, poll: ENOSYS lets the kernel do
		// without, and not ask again.
		req.RespondError(syscall.ENOSYS)
	}
}
