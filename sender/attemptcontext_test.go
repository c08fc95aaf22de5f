package sender

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"
)

// TestAttemptContext: what is made of it, and who waits for it, learns of its end
// and why, once, whoever ends it, and nobody who has stopped waiting does.
func TestAttemptContext(t *testing.T) {
	why := errors.New("a reason")
	for name, test := range map[string]struct {
		end  func(c *attemptContext, parent context.CancelCauseFunc)
		want error
	}{
		"time is up":  {func(c *attemptContext, _ context.CancelCauseFunc) { c.end(why) }, why},
		"parent ends": {func(_ *attemptContext, parent context.CancelCauseFunc) { parent(why) }, why},
		"over":        {func(c *attemptContext, _ context.CancelCauseFunc) { c.over() }, context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			parent, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			c := new(attemptContext)
			c.begin(parent)
			defer c.over()
			child, stop := context.WithCancel(c)
			defer stop()
			var told sync.WaitGroup
			told.Add(2)
			context.AfterFunc(c, told.Done)
			afterwards := c.AfterFunc(told.Done)
			if !c.AfterFunc(func() { t.Error("called although it was stopped") })() {
				t.Error("stopping told that it was too late")
			}
			before := c.Done()
			if c.Err() != nil || context.Cause(child) != nil {
				t.Errorf("ended with %v, %v", c.Err(), context.Cause(child))
			}
			test.end(c, cancel)
			<-before
			<-c.Done()
			<-child.Done()
			told.Wait()
			if got := [3]error{c.Err(), context.Cause(c), context.Cause(child)}; got != [3]error{test.want, test.want, test.want} {
				t.Errorf("ended with %v, want %v", got, test.want)
			}
			if afterwards() {
				t.Error("stopped what has been called")
			}
			c.end(errors.New("another"))
			late := make(chan struct{})
			if c.AfterFunc(func() { close(late) })() {
				t.Error("stopped what is called at once")
			}
			<-late
			if !errors.Is(c.Err(), test.want) {
				t.Errorf("ended again with %v", c.Err())
			}
		})
	}
}

// TestAttemptContextOfEnded: one of a parent that has ended ends.
func TestAttemptContextOfEnded(t *testing.T) {
	parent, cancel := context.WithCancel(t.Context())
	cancel()
	var c attemptContext
	c.begin(parent)
	<-c.Done()
	c.over()
}

// TestAttemptContextAlone: neither it nor what is made of it has a goroutine.
func TestAttemptContextAlone(t *testing.T) {
	before := runtime.NumGoroutine()
	var c attemptContext
	c.begin(t.Context())
	defer c.over()
	for range 10 {
		_, stop := context.WithCancel(&c)
		defer stop()
	}
	if after := runtime.NumGoroutine(); after >= before+10 {
		t.Errorf("%d goroutines, before there were %d", after, before)
	}
}
