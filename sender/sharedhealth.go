package sender

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

const (
	// successEvery is how often a success is stored of an endpoint that another
	// instance cannot reach, and how often that one says so.
	successEvery = time.Minute

	// doubtFor is how long an instance that would give an endpoint up waits
	// for another to say that it reaches it.
	doubtFor = 2 * time.Minute
)

// same tells whether there is nothing in one that is not in the other.
func (h *health) same(other *health) bool {
	return h.Disabled == other.Disabled && h.Settings == other.Settings &&
		h.TestedAt.Equal(other.TestedAt) && h.BegunAt.Equal(other.BegunAt) &&
		h.LastSuccessAt.Equal(other.LastSuccessAt) && h.LastFailureAt.Equal(other.LastFailureAt) &&
		h.FailingSince.Equal(other.FailingSince)
}

// saveShared stores what has changed of the health of endpoints together with
// what other instances have stored.
func (s *Sender) saveShared(ctx context.Context, lanes map[*lane]struct{}) error {
	for tries := 1; ; tries++ {
		var documents []*Document
		var saved []func(now time.Time)
		for l := range lanes {
			d, h, err := l.healthDocument()
			if err != nil {
				return err
			}
			if d != nil {
				documents = append(documents, d)
				saved = append(saved, func(now time.Time) { l.healthStored(h, d.Version, now) })
			}
		}
		if len(documents) == 0 {
			return nil
		}
		err := s.store.PutDocuments(ctx, documents)
		if err == nil {
			now := s.clock.Now()
			for _, note := range saved {
				note(now)
			}
			return nil
		}
		if !errors.Is(err, ErrStale) || tries >= staleTries {
			return fmt.Errorf("storing the health of endpoints: %w", err)
		}
		if err := s.readHealth(ctx); err != nil {
			return err
		}
	}
}

// healthDocument is the document of the lane's health; nil when there is
// nothing to store.
func (l *lane) healthDocument() (*Document, health, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	h, exists := l.healthLocked()
	if !exists || h.same(&l.part.kept) {
		return nil, h, nil
	}
	data, err := json.Marshal(h)
	if err != nil {
		return nil, h, fmt.Errorf("writing the health of endpoint %s: %w", l.id, err)
	}
	return &Document{Kind: healthKind, ID: l.id, Version: l.part.version, Data: data}, h, nil
}

// healthStored notes what has been stored, unless another instance has stored
// something since and that is known already.
func (l *lane) healthStored(h health, version int64, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.part.storedAt = now
	if version > l.part.version {
		l.part.kept, l.part.version = h, version
	}
}

// readHealth takes over what other instances have made of the endpoints'
// health.
func (s *Sender) readHealth(ctx context.Context) error {
	documents, err := s.store.Documents(ctx, healthKind)
	if err != nil {
		return fmt.Errorf("reading the health of the endpoints: %w", err)
	}
	there := make(map[string]bool, len(documents))
	for i := range documents {
		d := &documents[i]
		there[d.ID] = true
		t := s.directory.get(d.ID)
		if t == nil {
			continue
		}
		var h health
		if err := json.Unmarshal(d.Data, &h); err != nil {
			return fmt.Errorf("health of endpoint %s: what is stored of it cannot be read: %w", d.ID, err)
		}
		s.lane(d.ID).followHealth(&h, d.Version, h.Settings != "" && h.Settings != t.fingerprint())
	}
	for _, l := range s.allLanes() {
		if !there[l.id] {
			l.healthGone()
		}
	}
	return nil
}

// followHealth takes over what another instance has stored. When that has the
// endpoint configured otherwise, it says nothing about this one's.
func (l *lane) followHealth(h *health, version int64, otherwise bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if version == l.part.version {
		return
	}
	before := l.part.kept
	l.part.kept, l.part.version = *h, version
	if otherwise {
		return
	}
	mine, now := &l.health, l.s.clock.Now()
	if mine.LastSuccessAt.After(h.LastSuccessAt) && l.tellsOthers(now) {
		l.s.unhealthy.add(l)
	}
	mine.LastSuccessAt = later(mine.LastSuccessAt, h.LastSuccessAt)
	mine.LastFailureAt = later(mine.LastFailureAt, h.LastFailureAt)
	if mine.TestedAt.Equal(before.TestedAt) {
		mine.TestedAt = h.TestedAt
	}
	if h.TestedAt.After(before.TestedAt) {
		l.breaker.endPause(now)
	}
	follows := mine.Disabled == before.Disabled && !mine.BegunAt.After(h.BegunAt)
	if h.BegunAt.After(mine.BegunAt) {
		follows, mine.BegunAt = true, h.BegunAt
		l.beginAnew()
	}
	if follows && mine.Disabled != h.Disabled {
		mine.Disabled = h.Disabled
		if mine.Disabled != "" {
			l.s.log.Info("endpoint was disabled by another instance", "endpoint", l.id, "reason", h.Disabled)
			l.setAlarm(time.Time{})
			l.unload()
		}
	}
	l.pump()
}

// healthGone notes that nothing is stored of the lane's health.
func (l *lane) healthGone() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.part.kept, l.part.version = health{}, 0
}

// tellsOthers tells whether this instance should say that it reaches an endpoint
// that another one does not reach.
func (l *lane) tellsOthers(now time.Time) bool {
	return l.part != nil && !l.part.kept.FailingSince.IsZero() && now.Sub(l.part.storedAt) >= successEvery
}

// asksOthers tells whether this instance should say that it does not reach an
// endpoint, because the last to say something did.
func (l *lane) asksOthers(now time.Time) bool {
	return l.part != nil && l.part.kept.FailingSince.IsZero() && now.Sub(l.part.storedAt) >= successEvery
}

// doubt gives up an endpoint that looks hopeless from here, unless another
// instance reaches it. The caller holds l.mu.
func (l *lane) doubt(now time.Time, reason string) {
	switch {
	case l.part.doubted.IsZero():
		l.part.doubted = now
		l.s.unhealthy.add(l)
	case now.Sub(l.part.doubted) >= doubtFor && !l.part.asking:
		l.part.asking = true
		l.s.running.Add(1)
		go l.giveUp(reason)
	}
}

// trust ends the doubt. The caller holds l.mu.
func (l *lane) trust() {
	if l.part != nil {
		l.part.doubted = time.Time{}
	}
}

// giveUp disables the endpoint when nobody reaches it, by what is stored.
func (l *lane) giveUp(reason string) {
	defer l.s.running.Done()
	err := l.s.readHealth(l.s.attempts())
	l.mu.Lock()
	defer l.mu.Unlock()
	l.part.asking = false
	if err != nil || l.health.Disabled != "" {
		return // the next failure is soon enough
	}
	l.part.doubted = time.Time{}
	if l.health.hopeless(l.s.clock.Now(), l.s.current.Load().disableAfter) {
		l.disable(reason)
	}
}
