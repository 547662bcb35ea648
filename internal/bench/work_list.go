package main

import (
	"crypto/sha256"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"ftpfs/ftpclient"
)

// listings look at names.
var listings = []workload{
	{
		name: "login", on: onLink, instead: []string{ours},
		figures: []figure{perItem("log in (ftpclient alone)", 1, "2", 2.2)},
		run:     logIn,
	},
	{
		name: "login-tls", on: onLink, instead: []string{oursTLS},
		figures: []figure{perItem("log in over TLS (ftpclient alone)", 1, "5", 6)},
		run:     logIn,
	},
	{
		name: "mount", on: onLink, also: []string{"ftpfs active", oursTLS},
		figures: []figure{perItem("mount, until the mount is there", 1, "", 0)},
		run:     func(t *turn) { t.timed(t.mountNow) },
	},
	{
		name: "ls", on: onLink, also: []string{"ftpfs active", oursTLS}, limit: 2 * turnTime,
		figures: []figure{perItem("`ls -l` of 1000 files, cold", 1, "1 + slow start", 2.5)},
		run:     func(t *turn) { t.list(series("f%03d", 1000, 0), t.serve) },
		lftp: func(t *turn) {
			files := series("f%03d", 1000, 0)
			t.serve(files...)
			s := t.lftp()
			var out string
			t.timed(func() { out = s.output("ls") })
			t.listed(out, files)
		},
	},
	{
		name: "ls-fresh", on: onLink, instead: []string{ours},
		figures: []figure{perItem("`ls -l` of 1000 files written a moment ago, cold", 1, "", 0)},
		run:     func(t *turn) { t.list(series("f%03d", 1000, 0), t.serveFresh) },
	},
	{
		name: "stat", on: onLink,
		figures: []figure{perItem("`stat a/b/c/d/e/f`, cold", 1, "6", 7.5)},
		run: func(t *turn) {
			f := file{"a/b/c/d/e/f", 1234}
			t.serve(f)
			t.warm()
			var out string
			t.timed(func() { out = t.shell("stat -c %s " + f.name) })
			t.same(out, "1234\n")
		},
	},
	{
		name: "find", on: onLink, limit: 2 * turnTime,
		figures: []figure{perItem("`find` over 111 directories, 1000 files", 1, "3", 16)},
		run: func(t *turn) {
			files := deepTree()
			t.serve(files...)
			t.warm()
			var out string
			t.timed(func() { out = t.shell("find top -type f") })
			t.sameNames(strings.Fields(out), names(files))
		},
	},
	{
		name: "ls-busy", on: onLink, also: []string{"rclone writes"}, limit: turnTime / 4,
		figures: []figure{perItem("`ls` of a small directory while 6 copies run", busyDirs, "1", 3)},
		run:     listWhileBusy,
	},
}

// list lists a directory of files, which serve has put there.
func (t *turn) list(files []file, serve func(...file)) {
	serve(files...)
	t.warm()
	out := filepath.Join(t.scratch, "out")
	t.timed(func() { t.shell("ls -l >" + out) })
	t.listed(t.shell("cat "+out), files)
}

// deepTree is 1 + 10 + 100 directories, 10 files in each of the last.
func deepTree() []file {
	var all []file
	for _, d := range series("top/%d", 10, 0) {
		all = append(all, tree(d.name, 10, 10, 0)...)
	}
	return all
}

// listed checks the output of ls -l.
func (t *turn) listed(out string, files []file) {
	var got, want []string
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); len(f) >= 9 {
			got = append(got, f[4]+" "+f[len(f)-1])
		}
	}
	for _, f := range files {
		want = append(want, strconv.FormatInt(f.size, 10)+" "+path.Base(f.name))
	}
	t.sameNames(got, want)
}

// logIn makes a client log in. Its program would have to start first and mount afterwards.
func logIn(t *turn) {
	config := ftpclient.Config{Addr: t.site.server.Addr, User: t.site.server.User, Password: t.site.server.Password, Dial: t.site.lab.Client.Dial}
	if t.who.name == oursTLS {
		config.TLS = ftpclient.TLSExplicit
		config.Pins = []ftpclient.Pin{sha256.Sum256(t.site.server.CA.Raw)}
	}
	c, err := ftpclient.New(config)
	t.must(err)
	defer c.Close()
	t.timed(func() { t.must(c.Connect(t.ctx)) })
}

const (
	busyDirs  = 5
	busyFiles = 20 // copied from the mount by each of three
)

// listWhileBusy lists directories while three copies go up and three come down.
func listWhileBusy(t *turn) {
	up := file{"up", 4 << 20}
	t.keep(up)
	small := tree("small", busyDirs, 5, 100)
	down := tree("down", 3, busyFiles, 4<<20)
	t.serve(append(small, down...)...)
	t.warm()
	t.shell("ls . small down >/dev/null")
	stop := filepath.Join(t.scratch, "stop")
	copies := t.behind(`
		for k in 0 1 2; do
			(i=0; while ! [ -e ` + stop + ` ]; do cp ` + filepath.Join(t.scratch, up.name) + ` up$k.$i; i=$((i+1)); done) &
			(for f in down/d0$k/*; do [ -e ` + stop + ` ] || cp $f /dev/null; done) &
		done
		wait`)
	for !hasSize(filepath.Join(t.local, "up0.0"), up.size) { // all are under way
		t.sleep(glance)
	}
	for d := range busyDirs {
		name := "small/d0" + strconv.Itoa(d)
		var out string
		t.timed(func() { out = t.shell("ls " + name) })
		t.sameNames(strings.Fields(out), []string{"f00", "f01", "f02", "f03", "f04"})
	}
	t.keep(file{"stop", 0})
	copies()
	for _, name := range strings.Fields(t.shell("ls -d up*")) {
		for !hasSum(filepath.Join(t.local, name), up.sum()) {
			t.pause("the server has other bytes in " + name)
		}
	}
}
