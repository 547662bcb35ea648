package ftpfs

import (
	"context"
	"syscall"
	"time"

	"ftpfs/ftpclient"
)

// checkEmpty makes sure that dir is empty before it is removed or replaced, on servers that are not known
// to refuse it otherwise: some remove all that is in it. Blocks for a round trip there, unless
// a listing of the last moments tells.
func (t *tree) checkEmpty(ctx context.Context, dir string) error {
	if t.client.RefusesFullDirs() == ftpclient.Yes {
		return nil
	}
	listing, ok := t.dirs.Snapshot(dir)
	if !ok || time.Since(listing.Fetched) > freshEnough {
		var err error
		if listing, err = t.list(ctx, dir, freshEnough); err != nil {
			return err
		}
	}
	if len(listing.Entries) > 0 || !listing.Complete {
		return syscall.ENOTEMPTY
	}
	return nil
}
