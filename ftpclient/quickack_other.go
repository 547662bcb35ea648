//go:build !linux

package ftpclient

import "net"

// answerAtOnce does nothing: other systems offer no such thing.
func answerAtOnce(net.Conn) {}
