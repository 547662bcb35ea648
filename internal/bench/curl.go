package main

import (
	"fmt"
	"os/exec"
	"strings"
)

// curl runs the client once with a configuration of its own, whose lines are given, and
// returns what it prints.
func (t *turn) curl(lines ...string) string {
	cmd := exec.CommandContext(t.ctx, t.program, "--disable", "--config", "-")
	cmd.Dir = t.scratch
	lines = append([]string{"silent", "show-error", "fail", "globoff",
		fmt.Sprintf("user = %q", t.site.server.User+":"+t.site.server.Password)}, lines...)
	cmd.Stdin = strings.NewReader(strings.Join(lines, "\n") + "\n")
	return t.output(cmd, func() error { return t.site.start(cmd) })
}

// url is the configuration's line for a file or directory of the turn.
func (t *turn) url(name string) string {
	return fmt.Sprintf("url = %q", "ftp://"+t.site.server.Addr+"/"+t.name+"/"+name)
}
