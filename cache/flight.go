package cache

import "context"

// A flight is one call whose result several callers wait for. Each of them
// may leave; the call is cancelled when the last one has left.
type flight[T any] struct {
	cancel  context.CancelFunc
	done    chan struct{} // closed by finish, after val and err are set
	val     T
	err     error
	waiters int // guarded by the owner's mutex
}

func newFlight[T any](cancel context.CancelFunc) flight[T] {
	return flight[T]{cancel: cancel, done: make(chan struct{})}
}

// finish publishes the result. It is called once.
func (f *flight[T]) finish(val T, err error) {
	f.val, f.err = val, err
	close(f.done)
	f.cancel()
}

// wait blocks until the result is there or ctx ends; then leave is called, in
// which the owner gives up the caller's place.
func (f *flight[T]) wait(ctx context.Context, leave func()) (T, error) {
	select {
	case <-f.done:
		return f.val, f.err
	case <-ctx.Done():
		leave()
		var zero T
		return zero, ctx.Err()
	}
}
