package ftpfs

import "bazil.org/fuse"

// statfs answers without the network, since df(1) asks every mount.
func (s *server) statfs(r *fuse.StatfsRequest) {
	const block = 4096
	total, free := s.fs.space.figures()
	r.Respond(&fuse.StatfsResponse{
		Blocks:  uint64(total) / block,
		Bfree:   uint64(free) / block,
		Bavail:  uint64(free) / block,
		Files:   1 << 30,
		Ffree:   1 << 30,
		Bsize:   block,
		Frsize:  block,
		Namelen: maxName,
	})
}
