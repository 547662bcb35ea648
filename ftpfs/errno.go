package ftpfs

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"syscall"

	"ftpfs/ftpclient"
)

// errnoOfKind is the one place where a server's refusal becomes an errno.
var errnoOfKind = map[ftpclient.Kind]syscall.Errno{
	ftpclient.KindOther:       syscall.EIO,
	ftpclient.KindNotExist:    syscall.ENOENT,
	ftpclient.KindPermission:  syscall.EACCES,
	ftpclient.KindExist:       syscall.EEXIST,
	ftpclient.KindNotEmpty:    syscall.ENOTEMPTY,
	ftpclient.KindNotDir:      syscall.ENOTDIR,
	ftpclient.KindIsDir:       syscall.EISDIR,
	ftpclient.KindNoSpace:     syscall.ENOSPC,
	ftpclient.KindQuota:       syscall.EDQUOT,
	ftpclient.KindNameTooLong: syscall.ENAMETOOLONG,
	ftpclient.KindCrossDevice: syscall.EXDEV,
	ftpclient.KindBusy:        syscall.EBUSY,
	ftpclient.KindTooMany:     syscall.EAGAIN,
	ftpclient.KindLogin:       syscall.EACCES,
	ftpclient.KindUnsupported: syscall.ENOTSUP,
	ftpclient.KindInvalid:     syscall.ENOTSUP, // a name that the server cannot keep; mv(1) misreads EINVAL
}

// passThrough are the errnos that keep their meaning when the local disk, the
// network or our own code returns them.
var passThrough = map[syscall.Errno]bool{
	syscall.ENOENT: true, syscall.EEXIST: true, syscall.EACCES: true, syscall.EPERM: true,
	syscall.EINVAL: true, syscall.EISDIR: true, syscall.ENOTDIR: true, syscall.ENOTEMPTY: true,
	syscall.ENAMETOOLONG: true, syscall.ENOSPC: true, syscall.EDQUOT: true, syscall.EFBIG: true,
	syscall.ENOTSUP: true, syscall.ESTALE: true, syscall.EBADF: true, syscall.EXDEV: true,
	syscall.EBUSY: true, syscall.EAGAIN: true, syscall.EINTR: true, syscall.ETIMEDOUT: true,
	syscall.EHOSTUNREACH: true, syscall.EROFS: true, syscall.ENOSYS: true, syscall.ELOOP: true,
}

// errno turns any error of this file system into the one that the kernel
// gets. An outage is EIO, ETIMEDOUT or EHOSTUNREACH, never ENOENT.
func errno(err error) syscall.Errno {
	if err == nil {
		return 0
	}
	// A command whose outcome is unknown is an I/O error, whatever its cause.
	var lost *ftpclient.LostError
	if errors.As(err, &lost) {
		return syscall.EIO
	}
	var refused *ftpclient.Error
	if errors.As(err, &refused) {
		return errnoOfRefusal(refused)
	}
	var local *fs.PathError
	var timeout net.Error
	var number syscall.Errno
	switch {
	case errors.As(err, &local): // the cache's disk: full is worth saying, all else is a failure of ours
		if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
			return syscall.ENOSPC
		}
		return syscall.EIO
	case errors.Is(err, context.Canceled):
		return syscall.EINTR
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return syscall.ETIMEDOUT
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENETUNREACH):
		return syscall.EHOSTUNREACH
	case errors.As(err, &number) && passThrough[number]:
		return number
	case errors.As(err, &timeout) && timeout.Timeout():
		return syscall.ETIMEDOUT
	case errors.Is(err, errors.ErrUnsupported):
		return syscall.ENOTSUP
	}
	return syscall.EIO
}

// errnoOfRefusal is errnoOfKind, but what is said to a login or of a data connection
// says nothing of the file that they are for.
func errnoOfRefusal(e *ftpclient.Error) syscall.Errno {
	kind := e.Kind()
	if e.Path == "" && kind != ftpclient.KindLogin && kind != ftpclient.KindTooMany {
		return syscall.EIO
	}
	return errnoOfKind[kind]
}

// outage tells whether err is something else than the server's answer about a
// file.
func outage(err error) bool {
	var refused *ftpclient.Error
	switch {
	case err == nil, errno(err) == syscall.ENOENT, errno(err) == syscall.ESTALE:
		return false
	case errors.As(err, &refused):
		return refused.Code == 421
	}
	return true
}
