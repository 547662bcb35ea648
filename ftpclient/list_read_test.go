package ftpclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// parseMLSD and parseList read a listing at once; what is longer than a line may be is no
// listing.
func parseMLSD(data []byte) Listing { return parseLines(data, mlsd{}) }

// parseList takes the server's clock for UTC.
func parseList(data []byte, now time.Time) Listing {
	l := parseLines(data, newRecogniser(now))
	inZone(l.Entries, time.UTC)
	return l
}

func parseLines(data []byte, parse lineParser) Listing {
	l, err := readListing(bytes.NewReader(data), parse, maxLines, nil)
	if err != nil && !errors.Is(err, errLongLine) {
		panic(err)
	}
	return l
}

func namesOf(l Listing) string {
	var names []string
	for _, e := range l.Entries {
		names = append(names, e.Name)
	}
	return fmt.Sprintf("%q", names)
}

// However the bytes come, the lines are the same.
func TestListingInPieces(t *testing.T) {
	for data, want := range map[string]string{
		"type=file; a\nb\r\ntype=file; c\r\r\ntype=file; d":      `["a\nb" "c\r" "d"]`,
		"type=file; a\ntype=file; b\n\ntype=file; c\rd":          `["a" "b" "c\rd"]`,
		"type=file; a\r\ntype=file; b\n":                         `["a" "b"]`,
		"type=file; a\r\ntype=file; b\r":                         `["a" "b\r"]`,
		strings.Repeat("type=dir; .\r\n", 9000) + "type=file; z": `["z"]`,
	} {
		for _, r := range []io.Reader{strings.NewReader(data), iotest.OneByteReader(strings.NewReader(data)), iotest.DataErrReader(strings.NewReader(data))} {
			l, err := readListing(r, mlsd{}, maxLines, nil)
			if got := namesOf(l); err != nil || got != want {
				t.Errorf("%.60q: %s, %v, want %s", data, got, err, want)
			}
		}
	}
}

// The order is the server's, however many entries there are.
func TestLongListing(t *testing.T) {
	for _, n := range []int{chunk, chunk + 1, 3*chunk + 1} {
		var text strings.Builder
		for i := range n {
			fmt.Fprintf(&text, "type=file; %d\r\n", i)
		}
		l, err := readListing(strings.NewReader(text.String()), mlsd{}, n, nil)
		if err != nil || len(l.Entries) != n {
			t.Fatalf("%d entries of %d, %v", len(l.Entries), n, err)
		}
		for i, e := range l.Entries {
			if e.Name != fmt.Sprint(i) {
				t.Fatalf("entry %d of %d is %q", i, n, e.Name)
			}
		}
	}
}

// Entries are told before more of them are waited for, each once, however they come.
func TestListingTellsWhatHasCome(t *testing.T) {
	for name, parse := range map[string]func() lineParser{
		"MLSD": func() lineParser { return mlsd{} },
		"LIST": func() lineParser { return newRecogniser(time.Now()) },
	} {
		form := map[string]string{"MLSD": "type=file; %d\r\n", "LIST": "-rw-r--r-- 1 user group 0 Jan 01 2020 %d\r\n"}[name]
		pipe, server := io.Pipe()
		told := make(chan int, 4*chunk)
		whole := make(chan Listing)
		go func() {
			count := 0
			l, err := readListing(pipe, parse(), maxLines, func(entries []Entry) {
				for _, e := range entries {
					if e.Name != fmt.Sprint(count) {
						t.Errorf("%s: %q was told after %d others", name, e.Name, count)
					}
					count++
				}
				told <- count
			})
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			whole <- l
		}()
		sent := 0
		for _, n := range []int{headLines, 1, 3 * chunk, 1} {
			var text bytes.Buffer
			for range n {
				fmt.Fprintf(&text, form, sent)
				sent++
			}
			server.Write(text.Bytes())
			for <-told < sent {
			}
		}
		server.Close()
		if l := <-whole; len(l.Entries) != sent {
			t.Errorf("%s: %d entries of %d", name, len(l.Entries), sent)
		}
	}
}

func TestListingBounds(t *testing.T) {
	l, err := readListing(strings.NewReader(strings.Repeat("type=file; x\r\n", 10)), mlsd{}, 10, nil)
	if err != nil || len(l.Entries) != 10 {
		t.Errorf("10 entries: %d, %v", len(l.Entries), err)
	}
	if _, err := readListing(strings.NewReader(strings.Repeat("type=file; x\r\n", 11)), mlsd{}, 10, nil); err == nil || err.Error() != "listing has more than 10 lines" {
		t.Errorf("11 entries: %v", err)
	}
	if _, err := readListing(endless("x"), mlsd{}, 10, nil); err != errLongLine {
		t.Errorf("endless line: %v", err)
	}
	cl := testClient(t, Config{Addr: "localhost"})
	nonsense := endlessConn{r: endless("nonsense\r\n" + strings.Repeat("x", 10_000))}
	data := &listingData{listingRead: listingRead{c: &conn{client: cl}, nc: nonsense, size: maxListing - 4<<20}} // most of it has come
	defer data.end()
	if _, err := readListing(data, mlsd{}, maxLines, nil); err != errLongListing {
		t.Errorf("endless listing: %v", err)
	}
	if _, err := readListing(io.MultiReader(strings.NewReader("type=file; x\r\n"), iotest.ErrReader(io.ErrClosedPipe)), mlsd{}, 10, nil); err != io.ErrClosedPipe {
		t.Errorf("broken: %v", err)
	}
}

// repeated is a text without end.
type repeated struct {
	text string
	at   int
}

func endless(text string) io.Reader { return &repeated{text: text} }

func (r *repeated) Read(p []byte) (int, error) {
	for n := 0; n < len(p); {
		part := copy(p[n:], r.text[r.at:])
		n += part
		r.at = (r.at + part) % len(r.text)
	}
	return len(p), nil
}

type endlessConn struct {
	net.Conn
	r io.Reader
}

func (c endlessConn) Read(p []byte) (int, error)    { return c.r.Read(p) }
func (c endlessConn) SetDeadline(t time.Time) error { return nil }

// watched is mlsd that tells of each line.
type watched struct{ each func() }

func (w watched) line(l *collector, line string) {
	mlsd{}.line(l, line)
	w.each()
}

func (watched) end(*collector) {}

// The text of a listing is never in memory as a whole: only the names stay, and owners
// once.
func TestListingMemory(t *testing.T) {
	const n = 100_000
	line := "modify=20150813175250;perm=adfr;size=951;type=file;UNIX.group=somegroup;UNIX.mode=0644;UNIX.ownername=someowner;" + strings.Repeat("x=y;", 200) + " f\r\n"
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	peak := uint64(0)
	data := io.LimitReader(endless(line), n*int64(len(line)))
	entries := 0
	l, err := readListing(data, watched{func() {
		if entries++; entries%(n/4) == 0 {
			runtime.GC()
			runtime.ReadMemStats(&after)
			peak = max(peak, after.HeapAlloc)
		}
	}}, n, nil)
	if err != nil || len(l.Entries) != n {
		t.Fatalf("%d entries, %v", len(l.Entries), err)
	}
	if used, text := peak-before.HeapAlloc, uint64(n*len(line)); used > text/3 {
		t.Errorf("%d bytes of memory for %d of text", used, text)
	}
}

// A listing that drips is given up; the reason is a timeout.
func TestDrippingListing(t *testing.T) {
	s := startScript(t, func(p *peer) {
		p.login(" MLST type*;size*;")
		p.expect("MLSD /")
		data := p.accept()
		defer data.Close()
		p.send("150 here it comes")
		for range 1000 {
			if _, err := data.Write([]byte("x")); err != nil {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		p.drain()
	})
	cl := s.client(Config{Mode: ModeEPSV, Timeout: 300 * time.Millisecond})
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if l, err := cl.List(ctx, "/"); !isTimeout(err) || ctx.Err() != nil {
		t.Errorf("%d entries, %v", len(l.Entries), err)
	}
}

// A listing may take longer than the timeout as long as it moves.
func TestSlowListing(t *testing.T) {
	const n = 10
	s := startScript(t, func(p *peer) {
		p.login(" MLST type*;size*;")
		p.expect("MLSD /")
		data := p.accept()
		p.send("150 here it comes")
		for i := range n {
			fmt.Fprintf(data, "type=file; %d%s\r\n", i, strings.Repeat("x", 2*leastProgress))
			time.Sleep(100 * time.Millisecond)
		}
		data.Close()
		p.send("226 done")
		p.drain()
	})
	cl := s.client(Config{Mode: ModeEPSV, Timeout: 500 * time.Millisecond})
	if l, err := cl.List(context.Background(), "/"); err != nil || len(l.Entries) != n {
		t.Errorf("%d entries, %v", len(l.Entries), err)
	}
}

// However many large listings are asked for, the memory of one is taken at a time; who waits
// can be interrupted.
func TestLargeListingsTakeTurns(t *testing.T) {
	cl := testClient(t, Config{Addr: "localhost"})
	large := func(interrupted error) *listingRead {
		return &listingRead{c: &conn{client: cl, interrupted: interrupted}, nc: endlessConn{}, size: largeListing + 1}
	}
	ordinary := &listingRead{c: &conn{client: cl}, nc: endlessConn{}, size: largeListing}
	first, second, third := large(nil), large(nil), large(io.ErrClosedPipe)
	if err := errors.Join(first.more(), first.more(), ordinary.more()); err != nil {
		t.Fatal(err)
	}
	turn := make(chan error)
	go func() { turn <- second.more() }()
	select {
	case err := <-turn:
		t.Errorf("two at a time: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	if err := third.more(); err != io.ErrClosedPipe {
		t.Errorf("interrupted: %v", err)
	}
	third.end()
	first.end()
	if err := <-turn; err != nil {
		t.Error(err)
	}
	ordinary.end()
	second.end()
	if len(cl.large) != 0 {
		t.Error("nobody can have the turn any more")
	}
}

// Owners, identities and targets longer than any are unknown: they would be kept for each entry.
func TestOverlongFacts(t *testing.T) {
	long := strings.Repeat("x", 20_000)
	l := parseMLSD([]byte("type=file;size=1;unique=" + long + ";unix.owner=" + long + ";unix.group=" + long + "; file\r\n" +
		"type=OS.unix=slink:/" + long + "; link\r\n"))
	if len(l.Entries) != 2 || l.Entries[1].Type != TypeLink {
		t.Fatalf("%d entries", len(l.Entries))
	}
	for _, e := range l.Entries {
		if len(e.Unique)+len(e.Owner)+len(e.Group)+len(e.Target) > 0 {
			t.Errorf("%s: %.20q %.20q %.20q %.20q", e.Name, e.Unique, e.Owner, e.Group, e.Target)
		}
	}
}
