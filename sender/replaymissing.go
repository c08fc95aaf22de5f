package sender

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

// How a replay looks for what is missing: how much data it reads at once, and how
// long it goes on in one step while it finds nothing.
const (
	missingBytes    = 1 << 20
	missingPatience = 50 * time.Millisecond
)

// checkMissing checks what a request for missing events must and must not have.
func checkMissing(r *ReplayRequest) error {
	switch {
	case !r.Missing:
		return nil
	case len(r.EndpointIDs) == 0:
		return errors.New("endpoints: there are none: name the endpoints that are to get what they have missed")
	case len(r.Statuses) > 0:
		return errors.New("statuses: what is missing has none: leave them out, or leave out missing")
	case r.FreshID:
		return errors.New("fresh_id: what is missing was never delivered there: leave it out, or leave out missing")
	}
	return nil
}

// missingPlace is how far a replay of missing events has come: to an endpoint of
// the request, and after an event.
type missingPlace struct {
	endpoint int
	after    int64
}

// String is the place as a replay's cursor.
func (p missingPlace) String() string {
	return strconv.Itoa(p.endpoint) + " " + strconv.FormatInt(p.after, 10)
}

// parseMissingPlace reads a replay's cursor; an empty one is the beginning. The
// error wraps [ErrCursor].
func parseMissingPlace(cursor string) (p missingPlace, err error) {
	if cursor == "" {
		return p, nil
	}
	endpoint, after, _ := strings.Cut(cursor, " ")
	var wrong error
	p.endpoint, err = strconv.Atoi(endpoint)
	p.after, wrong = strconv.ParseInt(after, 10, 64)
	if err = errors.Join(err, wrong); err != nil || p.endpoint < 0 {
		return missingPlace{}, fmt.Errorf("%w: %q is no place among events", ErrCursor, cursor)
	}
	return p, nil
}

// missingOf looks through the next events, and returns those that an endpoint
// would get if they were published now and has no delivery of, without their
// data. It tells after which event to go on, if there are more.
func (s *Sender) missingOf(ctx context.Context, j *replayJob, t *target, after int64, limit int) (found []MissingEvent, last int64, more bool, err error) {
	page, err := s.store.Missing(ctx, MissingQuery{
		EndpointID: t.id, Tenant: t.tenant, Types: t.patterns, From: j.Request.From, To: j.until(),
		After: after, Limit: limit, Bytes: missingBytes, Whole: t.filter != nil,
	})
	if err != nil {
		return nil, 0, false, fmt.Errorf("looking for what is missing: %w", err)
	}
	for _, e := range page.Events {
		if !j.Request.wants(e.Event.Type) || t.filter != nil && !t.filter.match(newFilterInput(e.Event)) {
			continue
		}
		head := *e.Event
		head.Data, head.Headers = nil, nil
		e.Event = &head
		found = append(found, e)
	}
	return found, page.Last, page.More, nil
}

// wants tells whether events of a type are asked for.
func (r *ReplayRequest) wants(eventType string) bool {
	return len(r.Types) == 0 || slices.ContainsFunc(r.Types, func(p webhook.Pattern) bool { return p.Match(eventType) })
}

// countMissing counts what is missing, until that is enough.
func (s *Sender) countMissing(ctx context.Context, j *replayJob, enough func(total int64) bool) (total int64, more bool, err error) {
	for _, id := range j.Request.EndpointIDs {
		t := s.directory.get(id)
		for after, goesOn := int64(0), t != nil; goesOn; {
			var found []MissingEvent
			found, after, goesOn, err = s.missingOf(ctx, j, t, after, countStep)
			if err != nil {
				return 0, false, err
			}
			if total += int64(len(found)); enough(total) {
				return total, true, nil
			}
		}
	}
	return total, false, nil
}

// advanceMissing makes up to limit missing deliveries, and returns how many it
// did.
func (s *Sender) advanceMissing(ctx context.Context, j *replayJob, limit int) (n int, err error) {
	at, err := parseMissingPlace(j.Cursor)
	if err != nil {
		return 0, err
	}
	var found []MissingEvent
	more := false
	if t := s.nextMissing(j, at); t != nil {
		if found, at.after, more, err = s.findMissing(ctx, j, t, at.after, limit); err != nil {
			return 0, err
		}
		if n, err = s.addDeliveries(ctx, t.id, found); err != nil {
			return 0, err
		}
	}
	j.Matched += int64(len(found))
	j.Replayed += int64(n)
	j.Skipped += int64(len(found) - n)
	if !more {
		at = missingPlace{endpoint: at.endpoint + 1}
	}
	if j.Cursor = at.String(); at.endpoint >= len(j.Request.EndpointIDs) {
		j.Cursor, j.State, j.FinishedAt = "", ReplayDone, s.clock.Now()
	}
	return n, nil
}

// nextMissing is the endpoint that a replay has come to; nil when it is no more.
func (s *Sender) nextMissing(j *replayJob, at missingPlace) *target {
	if at.endpoint >= len(j.Request.EndpointIDs) {
		return nil
	}
	return s.directory.get(j.Request.EndpointIDs[at.endpoint])
}

// findMissing looks for the next missing events, up to limit, for a moment.
func (s *Sender) findMissing(ctx context.Context, j *replayJob, t *target, after int64, limit int) (found []MissingEvent, last int64, more bool, err error) {
	for began := s.clock.Now(); ; {
		found, last, more, err = s.missingOf(ctx, j, t, after, maxReplayStep)
		switch {
		case err != nil:
			return nil, 0, false, err
		case len(found) > limit:
			return found[:limit], found[limit-1].Seq, true, nil
		case len(found) > 0 || !more || s.clock.Now().Sub(began) > missingPatience:
			return found, last, more, nil
		}
		after = last
	}
}

// addDeliveries gives events a delivery to an endpoint, tells its lane, and
// returns how many had none. The error wraps [ErrBacklog] when too much waits.
func (s *Sender) addDeliveries(ctx context.Context, endpointID string, events []MissingEvent) (added int, err error) {
	if len(events) == 0 {
		return 0, nil
	}
	if err := s.admit(s.current.Load(), len(events)); err != nil {
		return 0, err
	}
	now := s.clock.Now()
	deliveries := make([]NewDelivery, len(events))
	for i := range events {
		deliveries[i] = NewDelivery{Seq: events[i].Seq, EndpointID: endpointID, Due: now}
	}
	if err := s.store.AddDeliveries(ctx, deliveries); err != nil {
		return 0, fmt.Errorf("making missing deliveries: %w", err)
	}
	for i := range deliveries {
		if !deliveries[i].Added {
			continue
		}
		added++
		e := &events[i]
		s.followers.tell(&Delivery{Event: e.Event, Seq: e.Seq, StoredAt: e.StoredAt, EndpointID: endpointID, Status: Pending, Due: now}, Pending, now, nil)
	}
	if added > 0 {
		s.pressure.since.Add(int64(added))
		s.lane(endpointID).noteStored(first, now)
	}
	return added, nil
}
