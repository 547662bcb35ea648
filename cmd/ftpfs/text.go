package main

import (
	"fmt"
	"io"
	"os"
)

// mostText is more than any file has, in bytes, that people write for ftpfs.
const mostText = 4 << 20

// readText reads such a file. One that is longer is an error: it may never end.
func readText(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, mostText+1))
	if err == nil && len(text) > mostText {
		err = fmt.Errorf("read %s: it is longer than %d MiB", name, mostText>>20)
	}
	return text, err
}
