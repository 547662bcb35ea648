package ftpfs

import (
	"path"
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
		{"/r", "/r/l", "/rr/f", "/rr/f"},
		{"/r", "/r/l", "/etc/passwd", "/etc/passwd"},
		{"/r", "/r/l", "f", "f"},
		{"/r", "/r/l", "../r/f", "../r/f"},
	} {
		if got := inside(tt.root, tt.link, tt.target); got != tt.want {
			t.Errorf("%s -> %s: %q", tt.link, tt.target, got)
		}
	}
}

// What is made by resolve reads back by inside as the same place.
func FuzzLinks(f *testing.F) {
	f.Add("/d/e", "../f")
	f.Add("/", "f/g")
	f.Fuzz(func(t *testing.T, dir, target string) {
		if dir == "" || dir[0] != '/' || dir != "/" && dir != path.Clean(dir) {
			return
		}
		to, ok := resolve("/", dir, target)
		if !ok {
			return
		}
		back, ok := resolve("/", dir, inside("/", join(dir, "link"), to))
		if !ok || back != to {
			t.Errorf("%q in %q is %q, and back %q", target, dir, to, back)
		}
	})
}
