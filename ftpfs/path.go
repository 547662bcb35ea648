package ftpfs

import (
	"strings"
	"syscall"
)

const maxName = 255 // bytes in one name: what the kernel and servers bear

// join appends a name to an absolute directory path.
func join(dir, name string) string {
	if dir == "/" {
		return "/" + name
	}
	return dir + "/" + name
}

// split parts an absolute path into its directory and its last element.
func split(path string) (dir, name string) {
	i := strings.LastIndexByte(path, '/')
	if i <= 0 {
		return "/", path[i+1:]
	}
	return path[:i], path[i+1:]
}

// below gives the server's path of a place in the mount: rel is "" for the
// mount's own root, else begins with a slash.
func below(root, rel string) string {
	switch {
	case rel == "":
		return root
	case root == "/":
		return rel
	}
	return root + rel
}

// rel is the reverse of below.
func rel(root, path string) string {
	if root == "/" {
		return strings.TrimSuffix(path, "/")
	}
	return strings.TrimPrefix(path, root)
}

// checkName refuses names that no server can be told: FTP commands end at a
// line's end.
func checkName(name string) error {
	switch {
	case len(name) > maxName:
		return syscall.ENAMETOOLONG
	case strings.ContainsAny(name, "\r\n\x00"):
		return syscall.EINVAL
	}
	return nil
}
