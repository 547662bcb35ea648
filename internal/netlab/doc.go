// Package netlab makes a network of two sides, with a link between them that has a given round-trip
// time, rate, loss and queue. Measurements and tests of what networks do run on it.
//
//	lab, err := netlab.New(netlab.Link{RTT: 50 * time.Millisecond, Rate: 200e6})
//	...
//	defer lab.Close()
//	server := lab.Server.Command(ctx, "vsftpd", "-olisten=YES")
//	conn, err := lab.Client.Dial(ctx, "tcp", netip.AddrPortFrom(lab.Server.Addr, 21).String())
//
// A Lab has two Sides, Server and Client, and one of NewRouted a Router between the link and the
// server. A Side is a network namespace: nothing in it reaches the machine's network or another lab,
// so all labs have the same addresses. File systems, processes and users are the machine's. For
// address translation and filters run nft by Command.
//
// # The link
//
// A packet waits until the line has sent those before it at its rate, and arrives half a round trip
// after it has been sent itself. When the queue is full, new packets are dropped. Packets stay in
// order. A packet is what IP makes, so a full one has 1500 bytes; Ethernet headers do not count.
//
// Where the kernel has the queue discipline netem, it is the link. Then the queue counts packets of
// the largest size instead of bytes, and the Seed has no effect. Elsewhere there is a TUN device on
// each side, and a process of this program forwards between them, in real time where that is
// allowed. On a machine of two virtual processors a packet is some 0.1 ms late each way, and one
// close behind another at most 0.4 ms more; while 20 programs wanted the processors, one connection
// of 100 took over 1 ms too long. None is early. A stream of 200 Mbit/s takes half a processor, and
// 1 Gbit/s can be had. The benchmarks of this package tell it for any machine.
//
// TCP's congestion control is the machine's: who compares machines should name it. TCP remembers
// nothing of past connections (tcp_no_metrics_save), so that the order of measurements does not
// count.
//
// # Limits and requirements
//
// A lab needs root, or a program that calls Reexec. The programs nsenter and unshare are those of
// util-linux. Devices are set up by netlink from Go, not by the programs of iproute2, which would
// have to be installed, and started a dozen times for each lab.
//
// Nothing needs to be cleaned up. A namespace has no name; it is there as long as the Lab is open
// or a process or socket is inside, and its devices go with it. When the program is killed, the
// forwarder ends, and the programs that Command has started are killed. A daemon that one
// of these has started stays, without a link, until somebody ends it.
//
// Lab.mu is the only lock. It is held while the kernel or the forwarder answers, which never waits
// for the link.
package netlab
