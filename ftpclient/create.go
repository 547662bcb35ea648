package ftpclient

import (
	"context"
	"errors"
)

// vsftpd opens the file of a STOR as it is and then cuts it to nothing, even one that it has just
// made. Linux takes a file that was cut for one whose old content must not be lost: at the close ext4
// begins to write all of it to the disk (auto_da_alloc). That is a fifth of a second for 256 MiB, and
// until then the server answers no command. What is appended to nothing is not cut.

// Create opens a file for writing that is not there yet, otherwise like Store. It is for large ones:
// where Store would have the server wait for its disk at their end they are appended to nothing
// (APPE), unless the server refuses that. Should there be such a file after all, its content may
// stay in front of the new one.
func (cl *Client) Create(ctx context.Context, path string) (*Writer, error) {
	if !cl.server.cuts() || cl.CanAppend() != Yes {
		return cl.Store(ctx, path)
	}
	w, err := cl.Append(ctx, path)
	switch {
	case err == nil:
		w.created = true
	case refusesAppend(err):
		cl.server.dontCreate()
		return cl.Store(ctx, path)
	}
	return w, err
}

// whole tells whether the server's file is to have what was written and nothing else.
func (w *Writer) whole() bool { return w.verb == "STOR" || w.created }

// mayStore tells whether what the server has refused to append should be stored.
func (w *Writer) mayStore(err error) bool {
	if !w.created || !w.unanswered || w.verb != "APPE" || w.c.err != nil || !refusesAppend(err) {
		return false
	}
	w.client.server.dontCreate()
	w.verb = "STOR"
	return true
}

func refusesAppend(err error) bool {
	e, refused := errors.AsType[*Error](err)
	return refused && e.Code >= 500 && (e.Kind() == KindPermission || e.Kind() == KindUnsupported)
}

// cuts tells whether the server cuts a new file that is stored, and may be asked to append to it.
func (s *serverInfo) cuts() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.vsftpd && !s.storing
}

// dontCreate is told that the server does not append to a file that is not there.
func (s *serverInfo) dontCreate() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.storing = true
}
