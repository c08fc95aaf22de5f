package sender

import (
	"context"
	"sync"
)

// attemptContext is the context of one attempt. It ends with its parent, when
// the attempt is over, or before that when its time is up. It is not made of
// those of package context because there is one for each attempt, and hardly any
// ends while somebody waits for that, which those get ready for: this one makes
// its channel when it is asked for.
type attemptContext struct {
	context.Context // the parent

	leave func() bool // has the parent forget it

	mu    sync.Mutex
	err   error // why it has ended
	done  chan struct{}
	after []func() // to be called when it ends; nil: not any more
}

// begin has it end when its parent does. It must be over in the end.
func (c *attemptContext) begin(parent context.Context) {
	c.Context = parent
	c.leave = context.AfterFunc(parent, func() { c.end(context.Cause(parent)) })
}

// over ends it when it is of no more use.
func (c *attemptContext) over() {
	c.leave()
	c.end(context.Canceled)
}

// end ends it for a reason, unless it has ended before.
func (c *attemptContext) end(why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	c.err = why
	if c.done != nil {
		close(c.done)
	}
	for _, f := range c.after {
		if f != nil {
			go f()
		}
	}
	c.after = nil
}

// Err implements [context.Context]. It says why at once.
func (c *attemptContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Done implements [context.Context].
func (c *attemptContext) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.done == nil {
		c.done = make(chan struct{})
		if c.err != nil {
			close(c.done)
		}
	}
	return c.done
}

// AfterFunc has f called in a goroutine of its own when the context ends. It is
// what [context.AfterFunc], and contexts made from this one, ask for.
func (c *attemptContext) AfterFunc(f func()) (stop func() bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		go f()
		return func() bool { return false }
	}
	n := len(c.after)
	c.after = append(c.after, f)
	return func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.err != nil || c.after[n] == nil {
			return false
		}
		c.after[n] = nil
		return true
	}
}
