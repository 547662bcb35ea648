package ftpfs

import (
	"context"
	"slices"
	"syscall"
	"time"
)

const (
	maxLitter = 1000             // paths remembered
	sweepTime = 10 * time.Second // for the removal of one
)

// sweep removes what a failed upload left under a temporary name. If the server
// does not answer, that is done when it does again.
func (u *uploads) sweep(temp string) {
	if u.remove(temp) || u.base.Err() != nil {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.litter) < maxLitter {
		u.litter = append(u.litter, temp)
	}
}

// isLitter tells whether path is still to be removed: nothing else may have that name until then.
func (u *uploads) isLitter(path string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Contains(u.litter, path)
}

// sweepLeft is sweep for what earlier mounts have left of uploads of c.
func (u *uploads) sweepLeft(c *content) {
	c.mu.Lock()
	left := c.left
	c.left = nil
	c.mu.Unlock()
	for _, temp := range left {
		u.sweep(temp)
	}
	if len(left) > 0 {
		c.journal()
	}
}

// showLeft leaves that to the user, as more may be in it than is known here.
func (u *uploads) showLeft(c *content) {
	c.mu.Lock()
	left := c.left
	c.left = nil
	c.mu.Unlock()
	for _, temp := range left {
		u.tree.temps.left(temp)
		u.log.Warn("an interrupted upload is left on the server", "path", temp)
	}
}

// tidy removes in the background what sweep could not: the server answers again.
// The channel is closed when that has ended; it is nil if there is nothing to do.
func (u *uploads) tidy() <-chan struct{} {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.litter) > 0 && u.tidying == nil {
		u.tidying = make(chan struct{})
		u.wg.Go(u.removeLitter)
	}
	return u.tidying
}

// removeLitter ends when all is removed or the server is silent again.
func (u *uploads) removeLitter() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for len(u.litter) > 0 {
		temp := u.litter[0]
		u.mu.Unlock()
		gone := u.remove(temp)
		u.mu.Lock()
		if !gone {
			break
		}
		u.litter = u.litter[1:]
	}
	close(u.tidying)
	u.tidying = nil
}

// remove deletes a temporary file and tells whether there is nothing left to
// try: it is gone, or the server refuses.
func (u *uploads) remove(temp string) bool {
	ctx, cancel := context.WithTimeout(u.base, sweepTime)
	defer cancel()
	at, err := u.tree.erase(ctx, temp)
	if err != nil && errno(err) != syscall.ENOENT {
		u.tree.temps.left(temp)
		u.log.Debug("temporary file left behind", "path", at, "error", err)
	}
	return !outage(err)
}

// erase deletes the temporary file that was once made at temp, in its directory
// of now, or in the one that has its path since. It returns where.
func (t *tree) erase(ctx context.Context, temp string) (at string, err error) {
	for at = t.temps.at(temp); ; at = t.temps.at(temp) {
		err = t.client.Delete(ctx, at)
		if err == nil || outage(err) || t.moves.wait(ctx, at) != nil {
			return at, err
		}
		if t.temps.at(temp) == at {
			break
		}
	}
	if at != temp && t.client.Delete(ctx, temp) == nil {
		return temp, nil
	}
	return at, err
}
