package cache

import (
	"fmt"
	"io/fs"
	"strings"
)

// errClosed is what every method answers after Close.
var errClosed = fmt.Errorf("cache: %w", fs.ErrClosed)

// below tells whether path lies strictly under dir, which may be "/".
func below(path, dir string) bool {
	dir = strings.TrimSuffix(dir, "/")
	return len(path) > len(dir)+1 && path[len(dir)] == '/' && path[:len(dir)] == dir
}
