package sender

import (
	"context"
	"fmt"
	"time"
)

// How often the sender sees to things.
const (
	recordEvery = 5 * time.Second
	purgeEvery  = time.Minute
)

// purgeStep is how many events are deleted at once, so that publishers are not
// held up.
const purgeStep = 500

// How long counters are kept, by their step, and replays that have ended.
const (
	minutesKept = 48 * time.Hour
	hoursKept   = 400 * 24 * time.Hour
	replaysKept = 30 * 24 * time.Hour
)

// upkeepLoop does what has to be done now and then: deliveries that wait long
// in memory get their row in the store, what waits is counted where there are
// limits, and what is old is deleted.
func (s *Sender) upkeepLoop() {
	var lastRecord, lastPurge time.Time
	for s.sleep(s.upkeepEvery()) {
		now := s.clock.Now()
		if now.Sub(lastRecord) >= recordEvery {
			lastRecord = now
			s.recordWaiting(now.Add(-recordEvery))
		}
		err := s.measure(s.background)
		if err == nil {
			err = s.shrink(s.background)
		}
		if err == nil && now.Sub(lastPurge) >= purgeEvery {
			lastPurge = now
			err = s.purgeIfMine(now)
		}
		if err != nil && s.background.Err() == nil {
			s.log.Warn("the upkeep of the store failed; it is tried again", "error", err)
		}
	}
}

// upkeepEvery is how often upkeepLoop looks.
func (s *Sender) upkeepEvery() time.Duration {
	if c := s.current.Load(); c.maxBacklog > 0 || c.maxSize > 0 {
		return measureEvery
	}
	return recordEvery
}

// recordWaiting gives a row to the deliveries that have waited in memory since
// before the time given.
func (s *Sender) recordWaiting(before time.Time) {
	for _, l := range s.allLanes() {
		l.recordWaiting(before)
	}
}

// purgeIfMine purges, unless another instance does.
func (s *Sender) purgeIfMine(now time.Time) error {
	if mine, err := s.holds(s.background, upkeepHold); err != nil || !mine {
		return err
	}
	return s.purge(now)
}

// purge deletes what is older than the retention, in steps small enough not to
// hold up publishers.
func (s *Sender) purge(now time.Time) error {
	before := now.Add(-s.current.Load().retention)
	for {
		n, err := s.store.Purge(s.background, PurgeQuery{Before: before, Limit: purgeStep})
		if err != nil {
			return fmt.Errorf("deleting old events: %w", err)
		}
		if n < purgeStep {
			break
		}
		if !s.sleep(20 * time.Millisecond) {
			return nil
		}
	}
	if err := s.purgeReplays(s.background, now.Add(-replaysKept)); err != nil {
		return err
	}
	if err := s.store.PurgeCounters(s.background, StepMinute, now.Add(-minutesKept)); err != nil {
		return fmt.Errorf("deleting old counters: %w", err)
	}
	if err := s.store.PurgeCounters(s.background, StepHour, now.Add(-hoursKept)); err != nil {
		return fmt.Errorf("deleting old counters: %w", err)
	}
	return nil
}

// PurgeTenant deletes all that is stored of a tenant whose deliveries have come
// to an end: its events with their deliveries and attempts. It deletes the
// endpoints made at run time first, and so ends their deliveries. It returns
// how many events went; on an error some may have gone.
func (s *Sender) PurgeTenant(ctx context.Context, tenant string) (purged int, err error) {
	if tenant == AnyTenant {
		return 0, fmt.Errorf("tenant %q: %w: name one tenant", tenant, ErrNotFound)
	}
	endpoints, err := s.Endpoints(ctx, tenant)
	if err != nil {
		return 0, err
	}
	for _, e := range endpoints {
		if e.ReadOnly {
			continue
		}
		if err := s.DeleteEndpoint(ctx, tenant, e.ID); err != nil {
			return 0, err
		}
	}
	for {
		n, err := s.store.Purge(ctx, PurgeQuery{Before: s.clock.Now().Add(time.Hour), Tenant: &tenant, Limit: purgeStep})
		purged += n
		if err != nil {
			return purged, fmt.Errorf("deleting the events of a tenant: %w", err)
		}
		if n < purgeStep {
			return purged, nil
		}
	}
}
