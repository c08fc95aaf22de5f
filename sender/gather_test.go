package sender

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"
)

// slowStore takes a time to settle, and notes when and how much it settled.
type slowStore struct {
	Store

	takes   time.Duration
	began   []time.Time
	settled []int
}

func (s *slowStore) Settle(_ context.Context, outcomes []Outcome) error {
	s.began, s.settled = append(s.began, time.Now()), append(s.settled, len(outcomes))
	time.Sleep(s.takes)
	return nil
}

// settleWith records outcomes in a store while feed runs, with a sender that does
// nothing else.
func settleWith(t *testing.T, store Store, feed func(*Sender)) {
	s := &Sender{store: store, clock: systemClock{}, log: slog.New(slog.DiscardHandler)}
	s.settling.init()
	if joint, ok := store.(PutSettler); ok {
		s.joint, s.rides = joint, make(chan *ride)
	}
	s.background, s.stopBackground = context.WithCancel(t.Context())
	s.workers.Go(s.settleLoop)
	feed(s)
	s.stopBackground()
	s.workers.Wait()
}

// TestOutcomesGather: while outcomes keep coming, each commit has all that have
// come in the time that is set for it, which grows with what a commit takes.
func TestOutcomesGather(t *testing.T) {
	tests := []struct {
		name         string
		takes, every time.Duration // every: from one commit to the next
	}{
		{"quick store", time.Millisecond, settleEvery + time.Millisecond},
		{"slow store", 10 * time.Millisecond, settleShare * 10 * time.Millisecond},
		{"very slow store", 100 * time.Millisecond, maxSettleEvery + 100*time.Millisecond},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := &slowStore{takes: test.takes}
				const each = 500 * time.Microsecond
				settleWith(t, store, func(s *Sender) {
					for begin := time.Now(); time.Since(begin) < 6*test.every; time.Sleep(each) {
						s.settling.add(Outcome{Status: Succeeded})
					}
				})
				for i := 2; i < 5; i++ {
					if got := store.began[i].Sub(store.began[i-1]); got != test.every {
						t.Errorf("commit %d began %v after the one before, want %v", i, got, test.every)
					}
					// One may come at the very moment of a commit.
					if got, want := store.settled[i], int(test.every/each); got < want-1 || got > want+1 {
						t.Errorf("commit %d has %d outcomes, want %d", i, got, want)
					}
				}
			})
		})
	}
}
