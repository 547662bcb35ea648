package main

import (
	"bufio"
	"os"
	"strconv"
	"strings"
)

// mountEntry is a line of the mount table.
type mountEntry struct {
	dir    string
	source string
	kind   string // fuse.ftpfs
	device string // major:minor, unlike that of any other mount
	owner  string // user_id of a FUSE mount, in digits
}

func (m mountEntry) ours() bool { return m.kind == "fuse.ftpfs" }

func (m mountEntry) fuse() bool { return m.kind == "fuse" || strings.HasPrefix(m.kind, "fuse.") }

// mounted finds the topmost file system that is mounted on name. The zero value says
// that there is none.
func (h host) mounted(name string) (top mountEntry) {
	for _, m := range h.mounts() {
		if m.dir == name {
			top = m
		}
	}
	return top
}

// mounts reads the mount table.
func (h host) mounts() (all []mountEntry) {
	file, err := os.Open(h.mountInfo)
	if err != nil {
		return nil
	}
	defer file.Close()
	s := bufio.NewScanner(file)
	for s.Buffer(nil, 1<<20); s.Scan(); {
		// 36 35 98:0 /root /mount/point options... - type source options
		before, after, _ := strings.Cut(s.Text(), " - ")
		left, right := strings.Fields(before), strings.Fields(after)
		if len(left) < 5 || len(right) < 2 {
			continue
		}
		m := mountEntry{dir: unescapeMount(left[4]), source: unescapeMount(right[1]), kind: right[0], device: left[2]}
		for option := range strings.SplitSeq(right[len(right)-1], ",") {
			if id, ok := strings.CutPrefix(option, "user_id="); ok {
				m.owner = id
			}
		}
		all = append(all, m)
	}
	return all
}

// unescapeMount decodes the \040 of the mount table.
func unescapeMount(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
