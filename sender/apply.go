package sender

import (
	"context"
	"fmt"
	"reflect"
	"slices"

	"github.com/manysends/caddy-webhooks/webhook"
)

// allTargets are all endpoints, made ready under a configuration: those that
// stand in it, and those made at run time, which may be taken from before when
// nothing has changed for them. The caller holds s.changing.
func (s *Sender) allTargets(c *snapshot, before map[string]*target) ([]*target, error) {
	targets := slices.Clone(c.targets)
	for _, m := range s.managedInOrder() {
		t := before[m.ID]
		if t == nil {
			var err error
			if t, err = c.takeOver(m); err != nil {
				return nil, fmt.Errorf("endpoint %s: %w", m.ID, err)
			}
		}
		targets = append(targets, t)
	}
	return targets, nil
}

// Check tells whether [Sender.Apply] would take a configuration, and changes
// nothing. When the error is not nil, it wraps [ErrConfig].
func (s *Sender) Check(cfg Config) error {
	next, err := compile(&cfg)
	if err != nil {
		return err
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	_, _, err = s.succeed(next)
	return err
}

// succeed makes a configuration ready to succeed the present one: with all
// endpoints under it, and told whether the egress rules are others. The caller
// holds s.changing.
func (s *Sender) succeed(next *snapshot) (targets []*target, moved bool, err error) {
	current := s.current.Load()
	moved = !reflect.DeepEqual(current.egress, next.egress)
	var kept map[string]*target
	if !moved && reflect.DeepEqual(current.schedule, next.schedule) {
		kept = s.directory.all()
	}
	if targets, err = s.allTargets(next, kept); err != nil {
		return nil, moved, err
	}
	if len(next.sealer.keys) == 0 && len(current.sealer.keys) > 0 && len(s.managed) > 0 {
		return nil, moved, fmt.Errorf("%w: encryption_key: there is none, and endpoints are sealed with the one before: keep it", ErrConfig)
	}
	return targets, moved, nil
}

// Apply replaces the configuration as a whole, for the next event and the next
// attempt. Endpoints that were given up (blocked by the egress rules, or gone)
// are tried again when they or the rules have changed. When the error is not
// nil, it wraps [ErrConfig] and nothing has changed.
func (s *Sender) Apply(cfg Config) error {
	next, err := compile(&cfg)
	if err != nil {
		return err
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	current := s.current.Load()
	targets, moved, err := s.succeed(next)
	if err != nil {
		return err
	}
	s.resealing = s.resealing || !next.sealer.same(current.sealer)

	s.mu.Lock()
	if next.transport = current.transport; moved {
		next.transport = newTransport(next.guard)
	}
	s.current.Store(next)
	if moved {
		current.transport.CloseIdleConnections()
	}
	before := s.directory.replace(targets)
	after := s.directory.all()
	for id, l := range s.lanes {
		l.retarget(after[id], moved || !after[id].same(before[id]))
	}
	s.mu.Unlock()

	for id, t := range before {
		if after[id] == nil && !t.managed {
			s.metrics.forget(t.label)
		}
	}
	for id, t := range after {
		if moved || !t.same(before[id]) {
			s.unblock(s.background, id)
		}
	}
	if s.resealing {
		s.reseal(s.background)
	}
	s.warnOfTypes(next, func(t *target, p webhook.Pattern) bool { return t.same(before[t.id]) && !current.publishable(p) })
	if s.shared != nil {
		s.readUnreadable()
	}
	return nil
}

// warnOfTypes warns of what endpoints of the configuration subscribe to and
// nobody can publish. It may be known tomorrow, so it is no error, but mostly it is
// misspelt, and nothing else would ever tell. Nobody is told twice.
func (s *Sender) warnOfTypes(c *snapshot, told func(*target, webhook.Pattern) bool) {
	for _, t := range c.targets {
		for _, p := range t.patterns {
			if !c.publishable(p) && !told(t, p) {
				s.log.Warn("an endpoint subscribes to events that are not among event_types, and gets none of them: correct the name, or add the type",
					"endpoint", t.id, "events", string(p))
			}
		}
	}
}

// unblock gives the blocked deliveries of an endpoint another chance.
func (s *Sender) unblock(ctx context.Context, id string) {
	now := s.clock.Now()
	n, err := s.store.Unblock(ctx, id, now)
	switch {
	case err != nil && ctx.Err() == nil:
		s.log.Error("taking up blocked deliveries failed; they wait for the next start", "endpoint", id, "error", err)
	case n > 0:
		s.lane(id).noteStored(again, now)
	}
}
