package ftpfs

import (
	"path"
	"strings"
	"testing"
)

func TestResolve(t *testing.T) {
	for _, tt := range []struct{ dir, target, want string }{
		{"/r", "f", "/r/f"},
		{"/r/d", "f", "/r/d/f"},
		{"/r/d", "./f", "/r/d/f"},
		{"/r/d", "../f", "/r/f"},
		{"/r/d", "../f/g", "/r/f/g"},
		{"/r/d/e", "../../f", "/r/f"},
		{"/r/d", "..", "/r"},
		{"/r/d", ".", "/r/d"},
		{"/r", "d/", "/r/d"},
		{"/r", "..f", "/r/..f"},
		{"/r", "", ""},
		{"/r", "/r/f", ""},
		{"/r", "../f", ""},
		{"/r/d", "../../f", ""},
		{"/r", "d/../f", ""},
		{"/r", "d//f", ""},
		{"/r", ".//f", ""},
		{"/r", "d/./f", ""},
	} {
		got, ok := resolve("/r", tt.dir, tt.target)
		if ok != (tt.want != "") || ok && got != tt.want {
			t.Errorf("%q in %s: %q, %t", tt.target, tt.dir, got, ok)
		}
	}
	if got, ok := resolve("/", "/d", "../f"); got != "/f" || !ok {
		t.Errorf("%q, %t", got, ok)
	}
	if got, ok := resolve("/", "/", "../f"); ok {
		t.Errorf("%q", got)
	}
}

func TestInside(t *testing.T) {
	for _, tt := range []struct{ root, link, target, want string }{
		{"/", "/l", "/f", "f"},
		{"/", "/l", "/", "."},
		{"/", "/d/l", "/f", "../f"},
		{"/", "/d/l", "/d/f", "f"},
		{"/", "/d/l", "/d", "."},
		{"/", "/d/e/l", "/d", ".."},
		{"/", "/d/l", "/dd/f", "../dd/f"},
		{"/", "/d/e/l", "/d/x/y", "../x/y"},
		{"/r", "/r/l", "/r/f", "f"},
		{"/r", "/r/d/l", "/r", ".."},
		{"/r", "/r/l", "f", "f"},
		{"/r", "/r/l", "./d//f/", "./d//f/"},
		{"/r", "/r/l", "../r/f", "f"},
		{"/r", "/r/d/l", "../f", "../f"},
		{"/r", "/r/d/l", "..", ".."},
		{"/r", "/r/d/l", "e/../f", "f"},
		{"/r", "/r/d/l", "e/../../f", "../f"},
		{"/r", "/r/d/l", "/r/e/../f", "../f"},
		{"/", "/d/l", "../../../f", "../f"},
		{"/", "/l", "..", "."},
		{"/", "/l", "/../etc/passwd", "etc/passwd"},
		{"/r", "/r/l", "/rr/f", ""},
		{"/r", "/r/l", "/etc/passwd", ""},
		{"/r", "/r/l", "/r/../etc/passwd", ""},
		{"/r", "/r/l", "..", ""},
		{"/r", "/r/d/l", "../../etc/passwd", ""},
		{"/r", "/r/d/l", "../d/../../etc/passwd", ""},
		{"/r", "/r/d/l", "../..\x00x", ""},
	} {
		got, err := inside(tt.root, tt.link, tt.target)
		if got != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%s -> %s: %q, %v", tt.link, tt.target, got, err)
		}
	}
}

// What is made by resolve reads back by inside as the same place. The kernel passes no NUL.
func FuzzLinks(f *testing.F) {
	f.Add("/d/e", "../f")
	f.Add("/", "f/g")
	f.Add("/", "\x00")
	f.Fuzz(func(t *testing.T, dir, target string) {
		if dir == "" || dir[0] != '/' || dir != "/" && dir != path.Clean(dir) || strings.Contains(dir+target, "\x00") {
			return
		}
		to, ok := resolve("/", dir, target)
		if !ok {
			return
		}
		shown, err := inside("/", join(dir, "link"), to)
		back, ok := resolve("/", dir, shown)
		if err != nil || !ok || back != to {
			t.Errorf("%q in %q is %q, and back %q", target, dir, to, back)
		}
	})
}

// However many links are gone through, none leads out of the mount: what goes up does so
// at its beginning, and not further than the mount.
func FuzzNoWayOut(f *testing.F) {
	f.Add("/r", "/d/e", "../../../etc/passwd")
	f.Add("/r", "/d", "s/../../x")
	f.Add("/", "", "/../etc")
	f.Add("/", "/d", "../..\x00x")
	f.Fuzz(func(t *testing.T, root, place, target string) {
		if root == "" || root[0] != '/' || root != path.Clean(root) || place != "" && (place[0] != '/' || path.Clean(place) != place || place == "/") || target == "" {
			return
		}
		shown, err := inside(root, join(below(root, place), "link"), target)
		if err != nil {
			return
		}
		shown, _, _ = strings.Cut(shown, "\x00") // as the kernel does
		depth := strings.Count(place, "/")
		if shown == "" || shown[0] == '/' {
			t.Fatalf("%q is shown", shown)
		}
		for name := range strings.SplitSeq(shown, "/") {
			switch name {
			case "", ".":
			case "..":
				if depth--; depth < 0 {
					t.Fatalf("%q in %q below %q is shown as %q", target, place, root, shown)
				}
			default:
				depth = 0 // nothing may go up any more
			}
		}
	})
}
