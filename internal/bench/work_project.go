package main

import (
	"os/exec"
)

// projects are what programmers do.
var projects = []workload{
	{
		name: "tar", on: onLink, also: []string{"rclone writes"},
		figures: []figure{perItem("`tar x` of 20 files of 4 KiB, per file", 20, "2", 0)},
		run: func(t *turn) {
			files := tree("top", 2, 10, 4<<10)
			t.keep(files...)
			t.here("tar cf top.tar top")
			t.warm()
			t.timed(func() { t.shell("tar xf ../../top.tar"); t.arrive(files...) })
			t.unmount()
			t.only(files...)
		},
	},
	{
		name: "git-status", on: onLink, limit: 2 * turnTime,
		figures: []figure{perItem("`git status` of a clone of 50 files, cold", 1, "", 0)},
		run: func(t *turn) {
			t.must(store(t.local, tree("top", 5, 10, 1<<10)...))
			t.here("cd " + t.local + "; git init -q; git add .; git -c user.name=a -c user.email=a@example.org commit -qm all")
			t.serve()
			t.warm()
			var out string
			t.timed(func() { out = t.shell("git status --porcelain") })
			t.same(out, "")
		},
	},
	{
		name: "grep", on: onLink, limit: 2 * turnTime,
		figures: []figure{perItem("`grep -r` over 30 files of 4 KiB, per file", 30, "", 0)},
		run: func(t *turn) {
			t.must(store(t.local, tree("top", 3, 10, 4<<10)...))
			t.serveText("top/d02/needle", "the needle\n")
			t.warm()
			var out string
			t.timed(func() { out = t.shell("grep -r 'the needle' top") })
			t.same(out, "top/d02/needle:the needle\n")
		},
	},
}

// here runs a script on this side's disk, in the scratch directory.
func (t *turn) here(script string) {
	cmd := exec.CommandContext(t.ctx, "bash", "-e", "-u", "-c", script)
	cmd.Dir = t.scratch
	t.output(cmd, cmd.Start)
}
