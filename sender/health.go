package sender

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"
)

// healthKind is the kind of the documents that hold the health of endpoints.
const healthKind = "health"

// disableFailures is how far the first and the last failure must lie apart
// before an endpoint is disabled: one bad hour after a quiet week is not enough.
const disableFailures = 12 * time.Hour

// health is what attempts have shown of an endpoint, and what follows from it.
// The lane's lock guards it.
type health struct {
	// Disabled says why the endpoint was given up; empty when it was not.
	Disabled string `json:"disabled,omitempty"`

	// TestedAt is when a test of its present settings succeeded.
	TestedAt time.Time `json:"tested_at,omitzero"`

	LastSuccessAt time.Time `json:"last_success_at,omitzero"`
	LastFailureAt time.Time `json:"last_failure_at,omitzero"`
	FailingSince  time.Time `json:"failing_since,omitzero"`

	// BegunAt is when a person had the endpoint begin anew. It is kept where
	// several instances must do so.
	BegunAt time.Time `json:"begun_at,omitzero"`

	// kept is LastSuccessAt as it was last stored; zero when none was.
	kept time.Time

	// Settings tell which settings of an endpoint in the configuration it was
	// given up with: with others it begins anew.
	Settings string `json:"settings,omitempty"`
}

// keepSuccessEvery is how old a success that is stored may become while there are
// others. After a restart it is the last one that is known.
const keepSuccessEvery = time.Hour

// succeeded notes a success, and tells whether that should be kept.
func (h *health) succeeded(now time.Time) (news bool) {
	news = !h.FailingSince.IsZero() || !h.kept.IsZero() && now.Sub(h.kept) >= keepSuccessEvery
	h.LastSuccessAt, h.FailingSince = now, time.Time{}
	return news
}

// failed notes a failure, and tells whether that should be kept.
func (h *health) failed(now time.Time) (news bool) {
	news = h.FailingSince.IsZero()
	h.LastFailureAt = now
	if news {
		h.FailingSince = now
	}
	return news
}

// hopeless tells whether there was nothing but failures for so long that the
// endpoint should be given up.
func (h *health) hopeless(now time.Time, after time.Duration) bool {
	if after < 0 || h.FailingSince.IsZero() {
		return false
	}
	working := h.LastSuccessAt
	if working.IsZero() {
		working = h.FailingSince
	}
	return now.Sub(working) >= after && now.Sub(h.FailingSince) >= min(disableFailures, after)
}

// fingerprint tells the settings of an endpoint from others. It is short, so
// that nobody learns a password from it by trying.
func (t *target) fingerprint() string {
	b, err := json.Marshal(t.config)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:4])
}

// describe fills in what the lane knows of its endpoint.
func (l *lane) describe(i *EndpointInfo, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i.TestedAt, i.LastSuccessAt, i.LastFailureAt, i.FailingSince = l.health.TestedAt, l.health.LastSuccessAt, l.health.LastFailureAt, l.health.FailingSince
	switch {
	case l.health.Disabled != "":
		i.State, i.Reason = StateDisabled, l.health.Disabled
	case l.breaker.open(now):
		i.State, i.PausedUntil = StatePaused, later(l.breaker.until, l.rest)
		i.Reason = fmt.Sprintf("the last %d attempts have failed", l.breaker.failures)
	case now.Before(l.rest):
		i.State, i.PausedUntil = StatePaused, l.rest
		i.Reason = "the endpoint has asked to be left alone for a while"
	}
}

// disable gives the endpoint up until somebody activates it. Of attempts that were
// under way together the first to say so counts. The caller holds l.mu.
func (l *lane) disable(reason string) {
	if l.health.Disabled != "" {
		return
	}
	l.health.Disabled = reason
	l.unload()
	l.s.unhealthy.add(l)
	l.s.log.Warn("endpoint disabled; its deliveries wait until it is activated or changed", "endpoint", l.id, "reason", reason)
	l.s.notices.add(Notice{Kind: NoticeEndpointDisabled, At: l.s.clock.Now(), EndpointID: l.id, Tenant: l.tenant(), Reason: reason})
}

// enable gives the endpoint a fresh start.
func (l *lane) enable() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tellEnabled(l.health.Disabled)
	l.beginAnew()
	if l.part != nil {
		// It is later than the one before, whose instance may have a clock that is ahead.
		l.health.BegunAt = later(l.s.clock.Now(), l.health.BegunAt.Add(time.Nanosecond))
	}
	l.s.unhealthy.add(l)
	l.pump()
}

// tellEnabled tells that the endpoint is active again, if it was given up for a
// reason. The caller holds l.mu.
func (l *lane) tellEnabled(reason string) {
	if reason == "" {
		return
	}
	l.s.log.Info("endpoint enabled", "endpoint", l.id)
	l.s.notices.add(Notice{Kind: NoticeEndpointEnabled, At: l.s.clock.Now(), EndpointID: l.id, Tenant: l.tenant()})
}

// beginAnew forgets the failures. The caller holds l.mu.
func (l *lane) beginAnew() {
	l.health.Disabled, l.health.FailingSince = "", time.Time{}
	l.trust()
	l.forgive()
}

// forgive ends the lane's pauses. The caller holds l.mu.
func (l *lane) forgive() {
	l.breaker = breaker{}
	l.rest = time.Time{}
}

// tested notes that a test has succeeded: whoever is back need not wait for the
// end of the pause. A rest that the endpoint has asked for, it gets all the same.
func (l *lane) tested(now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.health.TestedAt = now
	l.s.unhealthy.add(l)
	l.breaker.endPause(now)
	l.pump()
}

func (l *lane) tenant() string {
	if l.target == nil {
		return ""
	}
	return l.target.tenant
}

// loadHealth takes over what an earlier process knew of the endpoints.
func (s *Sender) loadHealth(ctx context.Context) error {
	documents, err := s.store.Documents(ctx, healthKind)
	if err != nil {
		return fmt.Errorf("reading the health of the endpoints: %w", err)
	}
	for _, d := range documents {
		var h health
		t := s.directory.get(d.ID)
		if t == nil {
			continue // it may come back with another configuration
		}
		if err := json.Unmarshal(d.Data, &h); err != nil {
			return fmt.Errorf("health of endpoint %s: what is stored of it cannot be read: %w", d.ID, err)
		}
		l := s.lane(d.ID)
		if h.Settings != "" && h.Settings != t.fingerprint() {
			if h.Disabled != "" { // it is to be told once
				l.tellEnabled(h.Disabled)
				s.unhealthy.add(l)
			}
			h = health{}
		}
		h.kept = h.LastSuccessAt
		l.health = h
		if l.part != nil {
			l.part.kept, l.part.version = h, d.Version
		}
	}
	return nil
}

// healthEvery is how long changes gather before they are stored.
const healthEvery = time.Second

// healthLoop stores the health of endpoints when it has changed.
func (s *Sender) healthLoop() {
	for s.unhealthy.wait(s.background) {
		if err := s.saveHealth(s.background); err != nil {
			s.log.Error("storing the health of endpoints failed; it is tried again", "error", err)
		}
		if !s.sleep(healthEvery) {
			return
		}
	}
}

// saveHealth stores what has changed. What could not be stored is kept for the
// next time.
func (s *Sender) saveHealth(ctx context.Context) error {
	// Whoever comes second waits for what the first one has taken.
	s.savingHealth.Lock()
	defer s.savingHealth.Unlock()
	lanes := s.unhealthy.take()
	if len(lanes) == 0 {
		return nil
	}
	if s.shared != nil {
		if err := s.saveShared(ctx, lanes); err != nil {
			for l := range lanes {
				s.unhealthy.add(l)
			}
			return err
		}
		return nil
	}
	documents := make([]*Document, 0, len(lanes))
	for l := range lanes {
		h, exists := l.healthNow()
		if !exists {
			continue
		}
		data, err := json.Marshal(h)
		if err != nil {
			return fmt.Errorf("writing the health of endpoint %s: %w", l.id, err)
		}
		documents = append(documents, &Document{Kind: healthKind, ID: l.id, Version: AnyVersion, Data: data})
	}
	if len(documents) == 0 {
		return nil
	}
	if err := s.store.PutDocuments(ctx, documents); err != nil {
		for l := range lanes {
			s.unhealthy.add(l)
		}
		return fmt.Errorf("storing the health of endpoints: %w", err)
	}
	return nil
}

// healthNow is the health to be stored; there is none to store for an endpoint
// that is no more.
func (l *lane) healthNow() (h health, exists bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.healthLocked()
}

func (l *lane) healthLocked() (h health, exists bool) {
	if l.target == nil {
		return h, false
	}
	l.health.kept = l.health.LastSuccessAt
	h = l.health
	if !l.target.managed {
		h.Settings = l.target.fingerprint()
	}
	return h, true
}
