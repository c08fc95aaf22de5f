package sender

import (
	"context"
	"errors"
	"testing"
	"time"
)

// TestSettleQueueIsBounded: when outcomes are not recorded, attempts wait once
// there are many, or few with long answers, until there is room or the sender
// stops.
func TestSettleQueueIsBounded(t *testing.T) {
	tests := []struct {
		name    string
		outcome Outcome
		fits    int
	}{
		{"many", Outcome{}, maxUnsettled},
		{"long answers", Outcome{Attempt: &Attempt{ResponseBody: make([]byte, maxResponseKept)}}, maxUnsettledBytes / maxResponseKept},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var q settleQueue
			q.init()
			for n := range test.fits {
				if q.full() {
					t.Fatalf("full at %d", n)
				}
				q.wait(t.Context()) // does not wait
				q.add(test.outcome)
			}
			if !q.full() {
				t.Fatalf("not full at %d", test.fits)
			}
			waiting := func(ctx context.Context) chan struct{} {
				done := make(chan struct{})
				go func() {
					q.wait(ctx)
					close(done)
				}()
				return done
			}
			stopping, stop := context.WithCancel(t.Context())
			stopped, goesOn := waiting(stopping), waiting(t.Context())
			stop()
			<-stopped
			select {
			case <-goesOn:
				t.Error("it went on though there was no room")
			case <-time.After(time.Millisecond):
			}
			q.take(nil)
			<-goesOn
		})
	}
}

// TestSettleQueueFlush: it waits for what was there before, and for no more.
func TestSettleQueueFlush(t *testing.T) {
	var q settleQueue
	q.init()
	if err := q.flush(t.Context()); err != nil {
		t.Errorf("an empty one: %v", err)
	}
	q.add(Outcome{Seq: 1})
	ended, end := context.WithCancel(t.Context())
	end()
	if err := q.flush(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("with the context ended: %v", err)
	}
	flushed := make(chan error)
	go func() { flushed <- q.flush(t.Context()) }()
	batch := q.take(nil)
	if len(batch) != 1 || batch[0].Seq != 1 {
		t.Errorf("took %+v", batch)
	}
	q.settled()
	if err := <-flushed; err != nil {
		t.Error(err)
	}
	// There is always another one waiting.
	q.add(Outcome{Seq: 2})
	go func() { flushed <- q.flush(t.Context()) }()
	for begin := time.Now(); time.Since(begin) < time.Minute; {
		q.take(nil)
		q.add(Outcome{Seq: 3})
		q.settled()
		select {
		case err := <-flushed:
			if err != nil {
				t.Errorf("with others coming: %v", err)
			}
			return
		default:
		}
	}
	t.Error("it waits for those that came later")
}
