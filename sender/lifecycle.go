package sender

import (
	"context"
	"fmt"
	"time"
)

// settleGrace is how long Stop waits for the store to take the last outcomes.
var settleGrace = 10 * time.Second

// Start begins to deliver, first of all what is waiting in the store. It does
// nothing when the sender is delivering already. After [Sender.Stop] it begins
// again. The error is the store's, or [ErrClosed].
func (s *Sender) Start(ctx context.Context) error {
	s.lifecycle.Lock()
	defer s.lifecycle.Unlock()
	s.mu.Lock()
	closed, delivering := s.closed, s.delivering
	s.mu.Unlock()
	switch {
	case closed:
		return ErrClosed
	case delivering:
		return nil
	}
	for id := range s.directory.all() {
		s.unblock(ctx, id)
	}
	backlog, err := s.store.Backlog(ctx)
	if err != nil {
		return fmt.Errorf("reading what is to be delivered: %w", err)
	}
	if err := s.clearAway(ctx, backlog); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	s.delivering = true
	s.period.Store(newPeriod(s.period.Load()))
	for _, b := range backlog {
		s.laneLocked(b.EndpointID).noteBacklog(b)
	}
	for _, l := range s.lanes {
		l.start()
	}
	s.resumeReplays()
	s.drainOutbox()
	return nil
}

// Stop ends delivering. Attempts under way may finish until ctx ends; what has
// not finished by then is broken off and made again after the next start, as
// if it had not been made. Events are still taken in. It returns when the
// outcomes are in the store. Whoever follows the deliveries is let go at once.
func (s *Sender) Stop(ctx context.Context) error {
	s.followers.end()
	s.mu.Lock()
	s.delivering = false
	for _, l := range s.lanes {
		l.stop()
	}
	breakOff := s.period.Load().end
	s.mu.Unlock()
	// Another Stop may be waiting with more patience, which ends here, too.
	defer context.AfterFunc(ctx, breakOff)()

	s.lifecycle.Lock()
	defer s.lifecycle.Unlock()
	if s.isDelivering() { // started again
		return nil
	}
	s.running.Wait()
	breakOff()
	s.current.Load().transport.CloseIdleConnections()
	// What is not recorded is delivered again, so this is worth some time even
	// when ctx has ended.
	flush, cancel := context.WithTimeout(s.background, settleGrace)
	defer cancel()
	if err := s.settling.flush(flush); err != nil {
		return fmt.Errorf("the last deliveries could not be recorded and will be made again: %w", err)
	}
	s.releaseLanes(flush)
	return s.saveHealth(flush)
}

// Close stops at once and ends the sender. Publishing afterwards fails with
// [ErrClosed]; publishers under way get their answer first. The store is left
// open, with everything in it that was taken in and not delivered. The error
// is that of [Sender.Stop]; further calls return it again.
func (s *Sender) Close() error {
	s.closing.Do(func() {
		s.mu.Lock()
		s.closed = true
		s.mu.Unlock()
		s.puts.close()
		s.putting.Wait()
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		s.closeErr = s.Stop(ctx)
		s.stopBackground()
		s.workers.Wait()
		s.releaseUpkeep()
	})
	return s.closeErr
}

// period is the time from a Start to the Stop that follows.
type period struct {
	attempts context.Context // the parent of every attempt
	end      func()          // breaks them off
}

// newPeriod begins a period. Attempts of the one before may still be under way, if
// nobody has waited for the end of that; they are broken off with those of this one.
func newPeriod(before *period) *period {
	attempts, end := context.WithCancel(context.Background())
	if before == nil || before.attempts.Err() != nil {
		return &period{attempts, end}
	}
	return &period{attempts, func() { end(); before.end() }}
}

// attempts is the parent of every attempt and claim that begins now.
func (s *Sender) attempts() context.Context { return s.period.Load().attempts }

// isDelivering tells whether the sender was started.
func (s *Sender) isDelivering() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.delivering
}
