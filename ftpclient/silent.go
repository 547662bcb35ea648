package ftpclient

import (
	"errors"
	"net"
	"syscall"
)

// peek asks the kernel for the first byte of nc without taking it. wait says whether
// to wait for it, within nc's deadline. ok is false if nc is not a socket.
func peek(nc net.Conn, wait bool) (n int, err error, ok bool) {
	sc, isSocket := nc.(syscall.Conn)
	if !isSocket {
		return 0, nil, false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return 0, err, true
	}
	look := func(fd uintptr) bool {
		var buf [1]byte
		for {
			n, _, err = syscall.Recvfrom(int(fd), buf[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
			if err != syscall.EINTR {
				break
			}
		}
		return !wait || err != syscall.EAGAIN
	}
	var rerr error
	if wait {
		rerr = raw.Read(look)
	} else {
		rerr = raw.Control(func(fd uintptr) { look(fd) }) // whatever the deadline
	}
	if rerr != nil {
		err = rerr
	}
	return n, err, true
}

// silent tells whether nc is open and nothing has arrived.
func silent(nc net.Conn) bool {
	_, err, ok := peek(nc, false)
	return !ok || errors.Is(err, syscall.EAGAIN)
}

// awaitData waits for the first byte or the end of the data, within nc's deadline,
// and returns the error instead of which they came.
func awaitData(nc net.Conn) error {
	_, err, _ := peek(nc, true)
	return err
}
