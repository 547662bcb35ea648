package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// An lftpSession is an lftp that has logged in and waits for commands.
type lftpSession struct {
	t   *turn
	in  io.WriteCloser
	out *bufio.Reader
}

// lftp starts the client. It ends with the turn.
func (t *turn) lftp() *lftpSession {
	cmd := exec.Command(t.program)
	cmd.Dir = t.scratch
	cmd.Env = append(environment(), "LFTP_PASSWORD="+t.site.server.Password, "LFTP_HOME="+t.scratch)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	in, err := cmd.StdinPipe()
	t.must(err)
	out, err := cmd.StdoutPipe()
	t.must(err)
	cmd.Stderr = cmd.Stdout
	t.must(t.site.start(cmd))
	kill := func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	stop := context.AfterFunc(t.ctx, kill)
	t.atEnd(func() {
		stop()
		kill()
		cmd.Wait()
	})
	s := &lftpSession{t: t, in: in, out: bufio.NewReader(out)}
	s.do("set ftp:ssl-allow no", "set xfer:clobber yes", "set net:max-retries 1", "set mirror:set-permissions no",
		"open -u "+t.site.server.User+" --env-password ftp://"+t.site.server.Addr, "cls -1 / >/dev/null")
	s.do("cd /" + t.name)
	return s
}

// do runs commands one after another.
func (s *lftpSession) do(commands ...string) {
	const mark = "end of the commands\n"
	fmt.Fprintf(s.in, "%s\necho %s", strings.Join(commands, "\n"), mark)
	var said strings.Builder
	for {
		line, err := s.out.ReadString('\n')
		if line == mark {
			return
		}
		said.WriteString(line)
		if err != nil {
			s.t.fail("lftp: it ended: %s", firstLine(said.String()))
		}
	}
}

// output runs a command and returns what it prints. On a pipe lftp would print it later than
// the mark.
func (s *lftpSession) output(command string) string {
	s.do(command + " >out")
	out, err := os.ReadFile(filepath.Join(s.t.scratch, "out"))
	s.t.must(err)
	return string(out)
}
