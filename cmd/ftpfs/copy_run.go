package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"sync"
	"time"

	"ftpfs/ftpclient"
)

// copying is a copy under way.
type copying struct {
	from, to *ftpclient.Client
	relay    bool
	patience time.Duration // without a byte
	bar      *progress

	mu     sync.Mutex
	warn   io.Writer
	failed int // files
}

const (
	maxCopies = 4                // files at a time
	cleanTime = 10 * time.Second // for removing what is not complete
	sizePause = 500 * time.Millisecond
)

// run carries the plan out. A file that fails does not keep the others from being copied,
// unless it is clear that they would fail, too.
func (c *copying) run(ctx context.Context, p *plan, connections int) error {
	for _, name := range p.skipped {
		c.say("%s is left out: it is neither a file nor a directory.", name)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var group sync.WaitGroup
	room := make(chan struct{}, min(maxCopies, connections))
	for _, it := range p.items {
		if it.entry.Type == ftpclient.TypeDir {
			if err := c.makeDir(ctx, it.to); err != nil {
				cancel(fmt.Errorf("the directory %s cannot be made: %w", it.to, err))
				break
			}
			continue
		}
		select {
		case room <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		group.Go(func() {
			defer func() { <-room }()
			if err := c.file(ctx, it); err != nil {
				c.note(ctx, cancel, it, err, len(p.items) == 1)
			}
		})
	}
	group.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if c.failed > 0 {
		return fail(exitUnmount, "%d %s could not be copied.", c.failed, plural(c.failed, "file", "files"))
	}
	return nil
}

// note says that a file failed, and ends the copy if others would fail for the same reason.
func (c *copying) note(ctx context.Context, cancel context.CancelCauseFunc, it item, err error, alone bool) {
	var link *ftpclient.LinkError
	if alone || errors.As(err, &link) {
		cancel(err)
		return
	}
	if ctx.Err() != nil {
		return
	}
	c.say("%s is not copied: %s.", it.from, phrase{err})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failed++
}

func (c *copying) say(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bar.clear()
	fmt.Fprintln(c.warn, "ftpfs:", printable(fmt.Sprintf(format, args...)))
}

// makeDir makes a directory that may be there already.
func (c *copying) makeDir(ctx context.Context, dir string) error {
	err := c.to.MakeDir(ctx, dir)
	if err == nil {
		return nil
	}
	if e, serr := c.to.Stat(ctx, dir); serr == nil && e.Type == ftpclient.TypeDir {
		return nil
	}
	return err
}

// file copies one file under a temporary name and then gives it its own.
func (c *copying) file(ctx context.Context, it item) error {
	temp := path.Join(path.Dir(it.to), ".ftpfs-"+strings.ToLower(rand.Text()[:16])+".part")
	shown := &shownBytes{bar: c.bar}
	if it.entry.Precision > time.Second {
		it.entry.ModTime, _ = c.from.ModTime(ctx, it.from) // of which the listing had told a part
	}
	send := c.direct
	if c.relay {
		send = c.through
	}
	err := send(ctx, it, temp, shown)
	if err == nil {
		shown.set(it.entry.Size)
		return nil
	}
	shown.set(0)
	cleaning, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTime)
	defer cancel()
	c.to.Delete(cleaning, temp) // which may not be there
	return err
}

// direct lets the servers copy, and watches the size on the target.
func (c *copying) direct(ctx context.Context, it item, temp string, shown *shownBytes) error {
	watched, cancel := context.WithCancelCause(ctx)
	var watch sync.WaitGroup
	watch.Go(func() { c.watch(watched, cancel, temp, shown) })
	err := c.from.CopyTo(watched, it.from, c.to, temp)
	cancel(nil)
	watch.Wait()
	if err != nil {
		return err
	}
	if err := c.checkSize(ctx, it, temp); err != nil {
		return err
	}
	if !it.entry.ModTime.IsZero() {
		c.to.SetModTime(ctx, temp, it.entry.ModTime) // as far as the target can
	}
	if it.entry.HasMode {
		c.to.Chmod(ctx, temp, it.entry.Mode.Perm())
	}
	return c.publish(ctx, it, temp, c.to.Rename(ctx, temp, it.to))
}

// watch follows the size of a file that another server writes, and ends the copy if it does
// not grow any more. A target that does not tell the size is trusted.
func (c *copying) watch(ctx context.Context, cancel context.CancelCauseFunc, temp string, shown *shownBytes) {
	var last int64 = -1
	grown := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(sizePause):
		}
		size, err := c.to.Size(ctx, temp)
		if err != nil {
			continue
		}
		shown.set(size)
		if size != last {
			last, grown = size, time.Now()
		} else if time.Since(grown) > c.patience {
			cancel(fmt.Errorf("the file on the target has not grown beyond %d bytes for %v", size, c.patience))
			return
		}
	}
}

// checkSize compares the copy with the source, where both sizes are known.
func (c *copying) checkSize(ctx context.Context, it item, temp string) error {
	size, err := c.to.Size(ctx, temp)
	switch {
	case errors.Is(err, errors.ErrUnsupported) || it.entry.Size < 0:
		return nil
	case err != nil:
		return err
	case size != it.entry.Size:
		return fmt.Errorf("the target has %d bytes of %d: %w", size, it.entry.Size, io.ErrShortWrite)
	}
	return nil
}

// through copies by way of this machine.
func (c *copying) through(ctx context.Context, it item, temp string, shown *shownBytes) error {
	r, err := c.from.Retrieve(ctx, it.from, 0, it.entry.Size)
	if err != nil {
		return err
	}
	defer r.Close()
	w, err := c.to.Store(ctx, temp)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { r.Close(); w.Abort() })
	defer stop()
	if _, err := io.CopyBuffer(w, io.TeeReader(r, shown), make([]byte, 256<<10)); err != nil {
		w.Abort()
		return causeOf(ctx, err)
	}
	_, err = w.Commit(ctx, ftpclient.Commit{Path: it.to, ModTime: it.entry.ModTime, Mode: it.entry.Mode.Perm(), HasMode: it.entry.HasMode})
	return c.publish(ctx, it, temp, err)
}

// causeOf is the reason why ctx has ended, if it has, else err.
func causeOf(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// publish makes up for a rename that was refused since the name is taken: what has it steps
// aside, and comes back if that does not help. refused is the outcome of the rename.
func (c *copying) publish(ctx context.Context, it item, temp string, refused error) error {
	final := it.to
	var e *ftpclient.Error
	if !errors.As(refused, &e) || e.Command != "RNTO" {
		return refused
	}
	if err := c.checkSize(ctx, it, temp); err != nil {
		return err
	}
	old, err := c.to.Stat(ctx, final)
	if err != nil || old.Type == ftpclient.TypeDir {
		return refused
	}
	aside := temp + ".old"
	if c.to.Rename(ctx, final, aside) != nil {
		return refused
	}
	if err := c.to.Rename(ctx, temp, final); err != nil {
		back, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTime)
		defer cancel()
		if c.to.Rename(back, aside, final) != nil {
			return fmt.Errorf("%w (what was there is now %s)", err, aside)
		}
		return err
	}
	if err := c.to.Delete(ctx, aside); err != nil {
		c.say("What %s replaced is left as %s: %s.", final, aside, phrase{err})
	}
	return nil
}
