package ftpfs

import (
	"fmt"
	"math"
	pathpkg "path"
	"strings"
	"syscall"
)

// resolve returns the server's path of a link's target. It must be relative, lead to a place
// in the mount, and not go through a directory and back, which may be a link itself.
func resolve(root, dir, target string) (string, bool) {
	if target == "" || target[0] == '/' {
		return "", false
	}
	rest := strings.TrimRight(target, "/") + "/"
	for {
		if after, here := strings.CutPrefix(rest, "./"); here {
			rest = after
			continue
		}
		after, up := strings.CutPrefix(rest, "../")
		if !up {
			break
		}
		if dir == root {
			return "", false
		}
		dir, _ = split(dir)
		rest = after
	}
	rest = strings.TrimSuffix(rest, "/")
	if rest == "" {
		return dir, true
	}
	return join(dir, rest), rest[0] != '/' && rest == pathpkg.Clean(rest)
}

// inside writes the target of a link as one that leads to the same place in the mount. A
// relative one that goes upward first is that already, if it does not go too far; one that goes
// through a directory and back is not, since that may be a link, too. What is not in the mount
// is EPERM: on this machine the same path is something else.
func inside(root, link, target string) (string, error) {
	if strings.Contains(target, "\x00") { // the kernel would take what precedes it for the target
		return "", fmt.Errorf("the link %s leads nowhere: its target has a NUL: %w", link, syscall.EPERM)
	}
	dir, _ := split(link)
	to := pathpkg.Clean(target)
	if target[0] != '/' {
		to = pathpkg.Clean(join(dir, target))
	}
	switch {
	case !strings.HasPrefix(to+"/", strings.TrimSuffix(root, "/")+"/"):
		return "", fmt.Errorf("the link %s leads out of the mount, to %s: %w", link, target, syscall.EPERM)
	case target[0] != '/' && upward(target) <= depth(root, dir):
		return target, nil
	}
	up := ""
	for dir != "/" && !strings.HasPrefix(to+"/", dir+"/") {
		dir, _ = split(dir)
		up += "../"
	}
	if rest := strings.TrimPrefix(to[len(dir):], "/"); rest != "" {
		return up + rest, nil
	}
	if up == "" {
		return ".", nil
	}
	return strings.TrimSuffix(up, "/"), nil
}

// upward is how many directories a relative path goes up at its beginning; more than there
// are, if it goes up later.
func upward(path string) (up int) {
	down := false
	for name := range strings.SplitSeq(path, "/") {
		switch name {
		case "", ".":
		case "..":
			if up++; down {
				return math.MaxInt
			}
		default:
			down = true
		}
	}
	return up
}

// depth is how many directories dir is below root.
func depth(root, dir string) int {
	return strings.Count(rel(root, dir), "/")
}
