package ftpfs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"syscall"
	"testing"

	"ftpfs/ftpclient"
)

func TestErrno(t *testing.T) {
	refused := &ftpclient.Error{Command: "DELE", Path: "/a", Code: 550, Text: "No such file or directory"}
	for _, c := range []struct {
		err  error
		want syscall.Errno
	}{
		{nil, 0},
		{refused, syscall.ENOENT},
		{fmt.Errorf("removing: %w", refused), syscall.ENOENT},
		{&ftpclient.Error{Command: "DELE", Code: 550, Text: "Delete operation failed."}, syscall.EIO},
		{because(syscall.EACCES, &ftpclient.Error{Command: "DELE", Code: 550, Text: "Delete operation failed."}), syscall.EACCES},
		{&ftpclient.Error{Command: "STOR", Path: "/a", Code: 552, Text: "Disk full - please upload later"}, syscall.ENOSPC},
		{&ftpclient.Error{Command: "EPSV", Code: 550, Text: "No such file or directory"}, syscall.EIO},
		{fmt.Errorf("login to host: %w", &ftpclient.Error{Command: "AUTH", Code: 502, Text: "Not implemented"}), syscall.EIO},
		{fmt.Errorf("login to host: %w", &ftpclient.Error{Command: "PASS", Code: 530, Text: "Login incorrect"}), syscall.EACCES},
		{&ftpclient.LostError{Command: "RNTO", Path: "/a", Err: syscall.ENOENT}, syscall.EIO},
		{&ftpclient.LostError{Command: "RNTO", Path: "/a", Err: os.ErrDeadlineExceeded}, syscall.EIO},
		{context.Canceled, syscall.EINTR},
		{context.DeadlineExceeded, syscall.ETIMEDOUT},
		{&net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}, syscall.ETIMEDOUT},
		{&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}, syscall.EHOSTUNREACH},
		{&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.EHOSTUNREACH)}, syscall.EHOSTUNREACH},
		{&net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)}, syscall.EIO},
		{&net.DNSError{Err: "no such host", IsNotFound: true}, syscall.EIO},
		{&fs.PathError{Op: "open", Path: "cache", Err: syscall.ENOENT}, syscall.EIO},
		{&fs.PathError{Op: "write", Path: "cache", Err: syscall.ENOSPC}, syscall.ENOSPC},
		{io.ErrUnexpectedEOF, syscall.EIO},
		{fs.ErrClosed, syscall.EIO},
		{errors.ErrUnsupported, syscall.ENOTSUP},
		{errors.New("anything"), syscall.EIO},
	} {
		if got := errno(c.err); got != c.want {
			t.Errorf("errno(%v) = %v, want %v", c.err, got, c.want)
		}
	}
}

func TestEveryKindHasAnErrno(t *testing.T) {
	for kind := ftpclient.KindOther; kind <= ftpclient.KindInvalid; kind++ {
		if errnoOfKind[kind] == 0 {
			t.Errorf("kind %d has no errno: a refusal would look like success", kind)
		}
	}
}
