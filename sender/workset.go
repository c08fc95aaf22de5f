package sender

import (
	"context"
	"sync"
)

// workset is a set of things that wait to be seen to by one goroutine. The zero
// value is not usable: init makes it so.
type workset[T comparable] struct {
	mu    sync.Mutex
	set   map[T]struct{}
	woken chan struct{} // holds one token while the set may not be empty
}

func (w *workset[T]) init() {
	w.set = make(map[T]struct{})
	w.woken = make(chan struct{}, 1)
}

// add puts something in, if it is not there.
func (w *workset[T]) add(v T) {
	w.mu.Lock()
	w.set[v] = struct{}{}
	w.mu.Unlock()
	token(w.woken)
}

// wait waits until there is something, and returns false when the context ends
// first.
func (w *workset[T]) wait(ctx context.Context) bool {
	select {
	case <-w.woken:
		return true
	case <-ctx.Done():
		return false
	}
}

// take takes all of it out.
func (w *workset[T]) take() map[T]struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	taken := w.set
	w.set = make(map[T]struct{})
	return taken
}
