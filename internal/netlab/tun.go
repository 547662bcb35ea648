package netlab

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// layTUN joins two ends by a TUN device each, and a process that forwards between them.
func layTUN(server, client end, link Link) (line, error) {
	var tuns []*os.File
	defer func() {
		for _, tun := range tuns {
			tun.Close()
		}
	}()
	for _, e := range []end{server, client} {
		tun, err := openTUN(e)
		if err != nil {
			return nil, err
		}
		tuns = append(tuns, tun)
		if err := e.up(link.mtu()); err != nil {
			return nil, err
		}
	}
	return startProcess(tuns[0], tuns[1], link)
}

// tunQueue is how many packets the kernel keeps until the forwarder takes them: more than are sent
// between two of its looks, so that none is dropped but by the link.
const tunQueue = 20000

// openTUN makes a TUN device. Who has the file reads and writes its IP packets; the device is gone
// when the file is closed.
func openTUN(e end) (tun *os.File, err error) {
	err = within(e.namespace, func() error {
		fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC, 0)
		switch {
		case errors.Is(err, fs.ErrPermission):
			return errors.New("open /dev/net/tun: permission denied: be root, or have root allow it by chmod 666 /dev/net/tun")
		case err != nil:
			return fmt.Errorf("open /dev/net/tun: %w", err)
		}
		tun = os.NewFile(uintptr(fd), "/dev/net/tun")
		request, err := unix.NewIfreq(e.device)
		if err != nil {
			return err
		}
		request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		if err := unix.IoctlIfreq(fd, unix.TUNSETIFF, request); err != nil {
			return fmt.Errorf("make a TUN device: %w", err)
		}
		return nil
	})
	if err == nil {
		err = e.do(func(dev netlink.Link) error { return netlink.LinkSetTxQLen(dev, tunQueue) })
	}
	if err != nil && tun != nil {
		tun.Close()
	}
	return tun, err
}
