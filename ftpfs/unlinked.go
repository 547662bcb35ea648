package ftpfs

import (
	"context"
	"time"
)

// unlinkWait is how long a last close may take to arrive: the kernel tells of it
// after the close.
const unlinkWait = 100 * time.Millisecond

// An unlinked is what the server keeps of a file that was unlinked, or whose name
// another file has, while it is open here: under a temporary name, until the last
// close. It does not keep its directory from being removed: then it moves up.
type unlinked struct {
	turn chan struct{} // held by who moves or deletes it, across the network
	gone chan struct{} // closed when it was deleted
	path string        // where it was put; guarded by temps.mu
}

// unlink is told that a file is at path until its last close, when unhide must
// follow.
func (t *temps) unlink(path string) *unlinked {
	u := &unlinked{turn: make(chan struct{}, 1), gone: make(chan struct{}), path: path}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.unlinked[u] = true
	return u
}

// where is where u is now.
func (t *temps) where(u *unlinked) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.at(u.path)
}

func (t *temps) move(u *unlinked, path string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	u.path = path
}

// in are the unlinked files in dir.
func (t *temps) in(dir string) (all []*unlinked) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for u := range t.unlinked {
		if in, _ := split(t.at(u.path)); in == dir {
			all = append(all, u)
		}
	}
	return all
}

// clear makes dir free of unlinked files: those that are closed already are given
// a moment to be deleted, the others move to the directory above.
func (t *tree) clear(ctx context.Context, dir string) error {
	files := t.temps.in(dir)
	if len(files) == 0 {
		return nil
	}
	wait := time.NewTimer(unlinkWait)
	defer wait.Stop()
	for _, u := range files {
		select {
		case <-u.gone:
			continue
		case <-wait.C:
			wait.Reset(0)
		case <-ctx.Done():
			return ctx.Err()
		}
		if err := t.moveUp(ctx, u, dir); err != nil {
			return err
		}
	}
	return nil
}

func (t *tree) moveUp(ctx context.Context, u *unlinked, dir string) error {
	select {
	case u.turn <- struct{}{}:
	case <-u.gone:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-u.turn }()
	select {
	case <-u.gone:
		return nil
	default:
	}
	to := t.temps.beside(dir)
	from := t.temps.where(u)
	if err := t.client.Rename(ctx, from, to); err != nil {
		return t.explainRename(ctx, from, to, err)
	}
	t.temps.move(u, to)
	return nil
}

// unhide deletes u after its last close.
func (t *tree) unhide(ctx context.Context, u *unlinked) {
	select {
	case u.turn <- struct{}{}:
		defer func() { <-u.turn }()
	case <-ctx.Done():
	}
	if path, err := t.erase(ctx, t.temps.where(u)); err != nil {
		t.temps.left(path)
		t.log.Warn("an unlinked file could not be deleted after its last close", "left as", path, "error", err)
	}
	t.temps.mu.Lock()
	defer t.temps.mu.Unlock()
	delete(t.temps.unlinked, u)
	close(u.gone)
}
