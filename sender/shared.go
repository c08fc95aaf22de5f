package sender

import (
	"context"
	"strings"
	"sync/atomic"
	"time"
)

const (
	// pollEvery is how often the sender looks for deliveries that nobody has
	// told it of, and takes up what another instance has left.
	pollEvery = 2 * time.Second

	// watchAgain is how long to wait when a shared store cannot be watched.
	watchAgain = time.Second

	// changesGather is how long the least that changes of documents gather
	// before they are read again: all of a kind are read for one of them.
	changesGather = 20 * time.Millisecond
)

// The names that instances hold, besides those of lanes and replays.
const upkeepHold = "upkeep"

// shared is a sender's part among several that have a store in common. There
// is none on a store of its own.
type shared struct {
	store SharedStore

	// leases counts those that were lost. What an earlier one held is not held
	// any more.
	leases atomic.Int64

	changes workset[Change] // that are to be seen to with the store's help
}

func newShared(store Store) *shared {
	several, ok := store.(SharedStore)
	if !ok {
		return nil
	}
	s := &shared{store: several}
	s.changes.init()
	return s
}

// lease numbers the leases that this instance has had.
func (s *Sender) lease() int64 {
	if s.shared == nil {
		return 0
	}
	return s.shared.leases.Load()
}

// holds tells whether this instance may do what one of them does for all.
func (s *Sender) holds(ctx context.Context, name string) (bool, error) {
	if s.shared == nil {
		return true, nil
	}
	return s.shared.store.Hold(ctx, name)
}

// releaseUpkeep leaves the upkeep to another instance.
func (s *Sender) releaseUpkeep() {
	if s.shared == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := s.shared.store.Release(ctx, upkeepHold); err != nil {
		s.log.Debug("the upkeep cannot be left to other instances; they take over when this one ends", "error", err)
	}
}

// watchLoop hears of changes until the sender closes.
func (s *Sender) watchLoop() {
	for {
		err := s.shared.store.Watch(s.background, s.changed)
		if s.background.Err() != nil {
			return
		}
		s.log.Warn("changes of other instances cannot be heard of; it is tried again", "error", err, "in", watchAgain)
		if !s.sleep(watchAgain) {
			return
		}
	}
}

// changed takes in what others have changed.
func (s *Sender) changed(c Change) {
	switch c.Kind {
	case ChangeBacklog:
		s.lane(c.ID).noteFree()
		return
	case ChangeHold:
		if id, ok := strings.CutPrefix(c.ID, laneHold); ok {
			if l := s.existingLane(id); l != nil {
				l.noteUnheld()
			}
			return
		}
	case ChangeInstances:
		s.pumpLanes()
		return
	case ChangeAll:
		for _, l := range s.allLanes() {
			l.noteUnheld()
		}
	case ChangeLost:
		s.loseHolds()
		c = Change{Kind: ChangeAll}
	}
	s.shared.changes.add(c)
}

// loseHolds lets go of all that the lanes hold under a lease that is lost.
func (s *Sender) loseHolds() {
	s.log.Warn("this instance was away from the store for too long; others have taken over its deliveries")
	s.shared.leases.Add(1)
	for _, l := range s.allLanes() {
		l.loseHold()
	}
}

// pumpLanes has every lane look at what it may do.
func (s *Sender) pumpLanes() {
	for _, l := range s.allLanes() {
		l.mu.Lock()
		l.pump()
		l.mu.Unlock()
	}
}

// changesLoop sees to the changes that need the store, until the sender closes.
func (s *Sender) changesLoop() {
	for s.shared.changes.wait(s.background) {
		began := time.Now()
		changes := s.shared.changes.take()
		if err := s.seeTo(s.background, changes); err != nil {
			if s.background.Err() != nil {
				return
			}
			s.log.Warn("what other instances have changed cannot be read; it is tried again", "error", err)
			for c := range changes {
				s.shared.changes.add(c)
			}
			if !s.sleep(watchAgain) {
				return
			}
		}
		// Where there are many documents, reading them takes a fifth of the
		// time at most.
		timer := time.NewTimer(max(changesGather, 4*time.Since(began)))
		select {
		case <-timer.C:
		case <-s.background.Done():
			timer.Stop()
		}
	}
}

// seeTo reads again what has changed.
func (s *Sender) seeTo(ctx context.Context, changes map[Change]struct{}) error {
	kinds, all, unheld := make(map[string]bool), false, false
	for c := range changes {
		switch c.Kind {
		case ChangeAll:
			kinds[endpointKind], kinds[healthKind], kinds[replayKind] = true, true, true
			all = true
		case ChangeDocument:
			kinds[c.DocumentKind] = true
		case ChangeHold:
			unheld = true
		}
	}
	if kinds[endpointKind] {
		if err := s.followEndpoints(ctx); err != nil {
			return err
		}
	}
	if kinds[healthKind] {
		if err := s.readHealth(ctx); err != nil {
			return err
		}
	}
	if kinds[replayKind] {
		if err := s.readReplays(ctx); err != nil {
			return err
		}
	}
	switch {
	case all:
		return s.poll(ctx)
	case unheld && s.isDelivering():
		s.resumeReplays()
	}
	return nil
}

// pollLoop looks, now and then, for what nobody has told this instance of.
func (s *Sender) pollLoop() {
	failed := false
	for s.sleep(pollEvery) {
		err := s.poll(s.background)
		s.pumpLanes() // they may do so again, and nobody has said so
		if err != nil && !failed && s.background.Err() == nil {
			s.log.Warn("looking for deliveries in the store failed; it is tried again", "error", err)
		}
		failed = err != nil
	}
}

// poll looks for deliveries that nobody holds, and takes up what other instances
// have left undone.
func (s *Sender) poll(ctx context.Context) error {
	if !s.isDelivering() {
		return nil
	}
	backlog, err := s.store.Backlog(ctx)
	if err != nil {
		return err
	}
	now := s.clock.Now()
	strays := false
	for _, b := range backlog {
		s.lane(b.EndpointID).noteFound(b, now)
		strays = strays || s.isStray(b.EndpointID)
	}
	s.resumeReplays()
	if !strays {
		return nil
	}
	if mine, err := s.holds(ctx, upkeepHold); err != nil || !mine {
		return err
	}
	return s.clearAway(ctx, backlog)
}

// isStray tells whether an endpoint was made at run time and is not known.
func (s *Sender) isStray(id string) bool {
	return strings.HasPrefix(id, managedPrefix) && s.directory.get(id) == nil
}
