package ftpclient

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
)

// Chmod sets permissions by MFF where the server has it, else by SITE CHMOD with four
// octal digits; other forms set mode 0 on some servers.
func (cl *Client) Chmod(ctx context.Context, path string, mode fs.FileMode) error {
	if cl.CanChmod() == No {
		return fmt.Errorf("set permissions of %s: %w", path, errors.ErrUnsupported)
	}
	verb, params := cl.server.chmodCommand(mode)
	err := cl.change(ctx, verb, params, path)
	cl.learnChmod(err)
	return err
}

func (cl *Client) learnChmod(err error) {
	e, refused := errors.AsType[*Error](err)
	refused = refused && e.Code >= 500 && e.Kind() == KindUnsupported
	s := &cl.server
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err == nil:
		s.chmod, s.chmodded = Yes, true
	case refused && !s.chmodded:
		s.chmod = No
	}
}

// CanChmod tells what is known of Chmod.
func (cl *Client) CanChmod() Capability { return cl.server.can(&cl.server.chmod) }

// chmodCommand returns the command that sets permissions. SITE CHMOD splits its argument at
// blanks on some servers, so MFF (draft-somers-ftp-mfxx) comes first.
func (s *serverInfo) chmodCommand(mode fs.FileMode) (verb, params string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mff {
		return "MFF", "UNIX.mode=" + octal(mode) + "; "
	}
	return "SITE CHMOD", octal(mode) + " "
}

func octal(mode fs.FileMode) string {
	bits := uint32(mode.Perm())
	if mode&fs.ModeSetuid != 0 {
		bits |= 0o4000
	}
	if mode&fs.ModeSetgid != 0 {
		bits |= 0o2000
	}
	if mode&fs.ModeSticky != 0 {
		bits |= 0o1000
	}
	return fmt.Sprintf("%04o", bits)
}
