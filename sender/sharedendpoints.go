package sender

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// staleTries is how often a change is made again because another instance has
// changed the same thing meanwhile.
const staleTries = 5

// forgetPatience is how long the deliveries of an endpoint that another instance
// has deleted may take to be cancelled. It holds up changes of endpoints.
const forgetPatience = 5 * time.Second

// followEndpoints takes over what other instances have made of the endpoints.
func (s *Sender) followEndpoints(ctx context.Context) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	return s.readEndpoints(ctx)
}

// readEndpoints is followEndpoints for a caller that holds s.changing.
func (s *Sender) readEndpoints(ctx context.Context) error {
	documents, err := s.store.Documents(ctx, endpointKind)
	if err != nil {
		return fmt.Errorf("reading the endpoints: %w", err)
	}
	there := make(map[string]bool, len(documents))
	for i := range documents {
		d := &documents[i]
		there[d.ID] = true
		if m := s.managed[d.ID]; m != nil && m.version == d.Version || s.unreadable[d.ID].version == d.Version {
			continue
		}
		if there[d.ID], err = s.adopt(d); err != nil {
			s.setUnreadable(d, err)
		}
	}
	for id := range s.unreadable {
		if !there[id] {
			delete(s.unreadable, id)
		}
	}
	for id := range s.managed {
		if !there[id] {
			s.forget(ctx, id)
		}
	}
	return nil
}

// unreadable is an endpoint's document that this instance cannot read: it is
// sealed with a key that it does not have, or comes from another version.
type unreadable struct {
	version int64
	err     error
}

// setUnreadable leaves an endpoint to the other instances. Events go on to be
// published for it, if it is known from before.
func (s *Sender) setUnreadable(d *Document, err error) {
	s.unreadable[d.ID] = unreadable{d.Version, err}
	s.lane(d.ID).setUnread(true)
	s.log.Error("an endpoint cannot be read; its deliveries wait for an instance that can", "endpoint", d.ID, "error", err)
}

// readUnreadable has what could not be read tried again under another
// configuration. The caller holds s.changing.
func (s *Sender) readUnreadable() {
	for id, u := range s.unreadable {
		u.version = AnyVersion // of no document
		s.unreadable[id] = u
	}
	if len(s.unreadable) > 0 {
		s.shared.changes.add(Change{Kind: ChangeDocument, DocumentKind: endpointKind})
	}
}

// adopt puts an endpoint into force as another instance has stored it, and tells
// whether it exists.
func (s *Sender) adopt(d *Document) (exists bool, err error) {
	current := s.current.Load()
	m := new(managedEndpoint)
	if _, err := openDocument(current.sealer, d, m); err != nil {
		return true, err
	}
	m.ID, m.version = d.ID, d.Version
	if m.Deleted {
		return false, nil
	}
	t, err := current.takeOver(m)
	if err != nil {
		return true, err
	}
	before := s.directory.get(m.ID)
	s.managed[m.ID] = m
	s.directory.put(t)
	delete(s.unreadable, m.ID)
	if l := s.existingLane(m.ID); l != nil {
		l.follow(t, !t.same(before))
	}
	return true, nil
}

// forget lets go of an endpoint that another instance has deleted.
func (s *Sender) forget(ctx context.Context, id string) {
	delete(s.managed, id)
	s.directory.remove(id)
	s.lane(id).delete()
	// The other one has cancelled what it found. What this one held was on its
	// way to the store by then.
	ctx, cancel := context.WithTimeout(ctx, forgetPatience)
	defer cancel()
	err := s.settling.flush(ctx)
	if err == nil {
		_, err = s.store.CancelAll(ctx, id)
	}
	if err != nil && s.background.Err() == nil {
		s.log.Warn("cancelling the deliveries of a deleted endpoint failed; it is tried again", "endpoint", id, "error", err)
	}
}

// changeAgain tells whether a change of an endpoint is to be made again, after an
// error of the store, because another instance was first. The caller holds
// s.changing.
func (s *Sender) changeAgain(ctx context.Context, tries int, err error) bool {
	return s.shared != nil && errors.Is(err, ErrStale) && tries < staleTries && s.readEndpoints(ctx) == nil
}

// follow is retarget for a change that another instance has made. What becomes
// of the endpoint's health, it stores.
func (l *lane) follow(t *target, changed bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.part.unread = false
	l.setTarget(t)
	if changed {
		l.health.FailingSince = time.Time{}
		l.forgive()
	}
	if !l.ready() {
		l.setAlarm(time.Time{})
		l.unload()
	}
	l.pump()
}

// setUnread tells the lane whether its endpoint's document cannot be read.
func (l *lane) setUnread(unread bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.part.unread = unread
	l.pump()
}
