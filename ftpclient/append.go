package ftpclient

import (
	"context"
	"errors"
	"fmt"
)

// CanAppend tells whether Append adds to a file what it is given and changes nothing else,
// as far as it is known: from the server's greeting, or since LearnAppend. It is No with
// Config.Verify, which is for whole files.
func (cl *Client) CanAppend() Capability {
	if cl.cfg.Verify {
		return No
	}
	return cl.server.can(&cl.server.appends)
}

// LearnAppend finds out about CanAppend where that is Unknown: some servers empty the file
// first. It makes a file of some bytes at the path scratch, which must be free, appends to
// it, compares the size and deletes it; that takes some round trips. An error means that
// nothing was learned, and that the file may still be there.
func (cl *Client) LearnAppend(ctx context.Context, scratch string) error {
	if cl.CanAppend() != Unknown {
		return nil
	}
	const first, second = "first", "and second"
	w, err := cl.Store(ctx, scratch)
	if err != nil {
		return err
	}
	w.Write([]byte(first)) // what fails shows at the end
	if _, err := w.Commit(ctx, Commit{}); err != nil {
		return err
	}
	size, err := cl.appendTo(ctx, scratch, second)
	if e, refused := errors.AsType[*Error](err); err != nil && !(refused && e.Code >= 500) {
		return err
	}
	learned := No
	if err == nil && size == int64(len(first)+len(second)) {
		learned = Yes
	}
	cl.server.learn(&cl.server.appends, learned)
	if err := cl.Delete(ctx, scratch); err != nil {
		return fmt.Errorf("remove a scratch file: %w", err)
	}
	return nil
}

// appendTo returns the size of the file afterwards.
func (cl *Client) appendTo(ctx context.Context, path, text string) (int64, error) {
	w, err := cl.Append(ctx, path)
	if err != nil {
		return 0, err
	}
	w.Write([]byte(text))
	e, err := w.Commit(ctx, Commit{})
	return e.Size, err
}
