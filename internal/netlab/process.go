package netlab

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// The forwarders of a lab run in a process of their own: this program again, called by another
// name. There neither the Go scheduler nor the garbage collector has anything else to do, so packets
// are on time whatever the program does meanwhile.
//
// The process answers each request on its standard input on its standard output. It ends with its
// input, and so with the program.
const processName = "netlab-forwarder"

func init() {
	if os.Args[0] != processName {
		return
	}
	if err := serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "netlab:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// request asks for the statistics, and to change the link before.
type request struct {
	Link *Link // nil = as it is; not in the first request
}

// The TUN devices of the forwarder process.
const (
	serverTUN = 3 + iota
	clientTUN
)

func serve(in io.Reader, out io.Writer) error {
	requests, replies := json.NewDecoder(in), json.NewEncoder(out)
	var first request
	if err := requests.Decode(&first); err != nil {
		return err
	}
	for _, tun := range []int{serverTUN, clientTUN} {
		if err := unix.SetNonblock(tun, true); err != nil {
			return err
		}
	}
	toServer := newForwarder(clientTUN, serverTUN, *first.Link, 0)
	toClient := newForwarder(serverTUN, clientTUN, *first.Link, 1)
	hurry()
	for _, f := range []*forwarder{toServer, toClient} {
		go func() {
			fmt.Fprintln(os.Stderr, "netlab:", f.run())
			os.Exit(1)
		}()
	}
	for {
		if err := replies.Encode(Stats{ToServer: toServer.traffic(), ToClient: toClient.traffic()}); err != nil {
			return err
		}
		var r request
		if err := requests.Decode(&r); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if r.Link != nil {
			toServer.link.Store(r.Link)
			toClient.link.Store(r.Link)
		}
	}
}

// process is the caller's end of a forwarder process.
type process struct {
	cmd      *exec.Cmd
	requests *json.Encoder
	replies  *json.Decoder
}

// startProcess starts forwarding between two TUN devices.
func startProcess(server, client *os.File, link Link) (*process, error) {
	cmd := exec.Command("/proc/self/exe")
	cmd.Args = []string{processName}
	cmd.Stderr = os.Stderr
	cmd.ExtraFiles = []*os.File{server, client}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // Ctrl-C is for the program, which may need the link to end well
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the forwarder: %w", err)
	}
	p := &process{cmd: cmd, requests: json.NewEncoder(in), replies: json.NewDecoder(out)}
	if _, err := p.ask(request{Link: &link}); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *process) ask(r request) (Stats, error) {
	var s Stats
	if err := p.requests.Encode(r); err != nil {
		return s, fmt.Errorf("ask the forwarder: %w", err)
	}
	if err := p.replies.Decode(&s); err != nil {
		return s, fmt.Errorf("read the forwarder's answer: %w", err)
	}
	return s, nil
}

func (p *process) set(link Link) error {
	_, err := p.ask(request{Link: &link})
	return err
}

func (p *process) stats() (Stats, error) { return p.ask(request{}) }

func (p *process) close() {
	p.cmd.Process.Kill()
	p.cmd.Wait() // how it ends that is killed says nothing
}
