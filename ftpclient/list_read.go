package ftpclient

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// Bounds of a listing, which is read line by line and never held as a whole.
const (
	maxListing     = 256 << 20 // bytes
	maxListingLine = 64 << 10  // bytes
	maxLines       = 2_000_000 // of which each names a file, mostly
)

var (
	errLongListing = fmt.Errorf("listing is longer than %d bytes", maxListing)
	errLongLine    = fmt.Errorf("listing has a line longer than %d bytes", maxListingLine)
)

// readListing reads a listing of at most so many lines to its end. arrived, if not nil, is
// told of entries before it waits for more of them.
func readListing(r io.Reader, parse lineParser, most int, arrived func([]Entry)) (Listing, error) {
	l := collector{arrived: arrived}
	lines := newLineReader(telling{r, &l})
	for n := 0; ; n++ {
		line, err := lines.next()
		switch {
		case err == io.EOF:
			parse.end(&l)
			return l.finish(), nil
		case err != nil:
			return Listing{}, err
		}
		// Blank lines are left out.
		if strings.Trim(line, " \r") != "" {
			parse.line(&l, line)
		}
		if n >= most {
			return Listing{}, fmt.Errorf("listing has more than %d lines", most)
		}
	}
}

// telling is a reader of a listing that tells what has been read before it waits.
type telling struct {
	io.Reader
	of *collector
}

func (t telling) Read(p []byte) (int, error) {
	t.of.tell()
	return t.Reader.Read(p)
}

// lineReader splits at CRLF, since a name may hold a bare LF or CR; at LF only where no
// CRLF is in the first 64 KiB.
type lineReader struct {
	br   *bufio.Reader
	end  []byte // nil: nothing has been read
	line []byte
}

func newLineReader(r io.Reader) *lineReader {
	return &lineReader{br: bufio.NewReaderSize(r, maxListingLine)}
}

// next returns a line without its end. The last line may lack its end or the CR of it.
func (r *lineReader) next() (string, error) {
	if r.end == nil {
		r.end = r.findEnd()
	}
	r.line = r.line[:0]
	for {
		part, err := r.br.ReadSlice('\n')
		r.line = append(r.line, part...)
		if len(r.line) > maxListingLine {
			return "", errLongLine
		}
		switch {
		case err == nil && bytes.HasSuffix(r.line, r.end):
			return string(r.line[:len(r.line)-len(r.end)]), nil
		case err == nil, errors.Is(err, bufio.ErrBufferFull):
		case err == io.EOF && len(r.line) > 0:
			return string(bytes.TrimSuffix(r.line, []byte("\n"))), nil
		default:
			return "", err
		}
	}
}

// findEnd looks for the first CRLF, and waits for no more than that.
func (r *lineReader) findEnd() []byte {
	crlf := []byte("\r\n")
	for seen := 0; seen < maxListingLine; {
		if _, err := r.br.Peek(seen + 1); err != nil {
			break // it comes back when what is there has been read
		}
		head, _ := r.br.Peek(r.br.Buffered())
		if bytes.Contains(head[max(0, seen-1):], crlf) {
			return crlf
		}
		seen = len(head)
	}
	return crlf[1:]
}

// leastProgress is what a listing that is not stalled brings at least in each timeout.
const leastProgress = 1 << 10

// largeListing is the size from which on listings are read one after another: a server that lists
// without end takes the memory of one listing, however many are asked for.
const largeListing = 8 << 20 // bytes

// listingRead is how much of a listing has been read. What it bounds is its size, and its
// slowness: it fails when less than leastProgress has come in a whole timeout.
type listingRead struct {
	c     *conn
	nc    net.Conn
	size  int64
	due   int64 // size from which on there is another timeout
	large bool  // its turn among the large ones has come
}

// more is called before more is read.
func (l *listingRead) more() error {
	switch {
	case l.size > maxListing:
		return errLongListing
	case l.size > largeListing && !l.large:
		if err := l.waitForTurn(); err != nil {
			return err
		}
		l.due = l.size
	}
	if l.size >= l.due {
		l.due = l.size + leastProgress
		l.c.extend(l.nc)
	}
	return nil
}

// waitForTurn waits until no other large listing is read, or until an interruption.
func (l *listingRead) waitForTurn() error {
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case l.c.client.large <- struct{}{}:
			l.large = true
			return nil
		case <-look.C:
			if err := l.c.cause(nil); err != nil {
				return err
			}
		}
	}
}

// end gives the turn back.
func (l *listingRead) end() {
	if l.large {
		<-l.c.client.large
	}
}

// listingData is the data connection of a listing. It has to be ended.
type listingData struct {
	listingRead
	err error // of all further reads
}

func (d *listingData) Read(p []byte) (int, error) {
	if d.err == nil {
		d.err = d.more()
	}
	if d.err != nil {
		return 0, d.err
	}
	n, err := d.nc.Read(p)
	d.size += int64(n)
	d.c.client.counters.bytesIn.Add(int64(n))
	switch {
	case err == io.EOF:
		d.err = err
	case err != nil:
		d.err = d.c.cause(err)
	}
	return n, d.err
}
