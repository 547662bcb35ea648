package ftpclient

import (
	"net"
	"syscall"
)

// answerAtOnce acknowledges what has come and comes next without delay. Servers that write
// small pieces wait for it: a listing of pure-ftpd would take 40 ms.
func answerAtOnce(nc net.Conn) {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return
	}
	if raw, err := sc.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) {
			syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, 1)
		})
	}
}
