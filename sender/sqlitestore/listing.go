package sqlitestore

import (
	"context"
	"math"
	"slices"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/sender/internal/stored"
	"github.com/manysends/caddy-webhooks/webhook"
)

// maxExamined is about how many deliveries one call of Deliveries looks at.
const maxExamined = 20_000

// storedSlack is by how much the times at which events were stored may differ
// from the order of their numbers, as when a clock is set.
const storedSlack = int64(time.Hour / time.Millisecond)

// Deliveries implements [sender.Store]. Events that were stored more than an
// hour before events with lower numbers, by a clock that went wrong, may be
// missing when From or To is given.
func (s *Store) Deliveries(ctx context.Context, q sender.DeliveryQuery) (page sender.DeliveryPage, err error) {
	l := &listing{q: &q, at: stored.Place{Seq: 1}}
	if !q.OldestFirst {
		l.at.Seq = math.MaxInt64
	}
	if q.Cursor != "" {
		if l.at, err = stored.ParseCursor(q.Cursor, q.OldestFirst); err != nil {
			return page, s.failed("listing deliveries", err)
		}
	}
	err = s.read(ctx, "listing deliveries", func(r *reader) error {
		l.r = r
		return l.run(ctx)
	})
	if err != nil {
		return page, err
	}
	return l.page, nil
}

// listing is one call of Deliveries. It goes through events by number, in one
// of three ways: by the events themselves; by the deliveries of the endpoints
// asked for; or, when no succeeded ones are wanted, by the few others. The last
// two find deliveries that have rows; from the mark on, below which all have
// them, pending ones are therefore looked for by event.
type listing struct {
	r *reader
	q *sender.DeliveryQuery

	wanted    [sender.Cancelled + 1]bool // by status
	endpoints []int64                    // ascending; none: all
	from, to  int64                      // bounds of when an event was stored

	at       stored.Place // where it begins
	examined int          // how many deliveries were looked at
	page     sender.DeliveryPage
	last     stored.Place // after the last one in the page
	stopped  bool         // the page is complete
}

// span is a range of events, both ends included.
type span struct {
	low, high int64
}

func (l *listing) run(ctx context.Context) (err error) {
	for _, status := range l.q.Statuses {
		if int(status) < len(l.wanted) {
			l.wanted[status] = true
		}
	}
	if len(l.q.Statuses) == 0 {
		for status := sender.Pending; status <= sender.Cancelled; status++ {
			l.wanted[status] = true
		}
	}
	l.endpoints, err = l.r.numbers(l.q.EndpointIDs)
	if err != nil || len(l.q.EndpointIDs) > 0 && len(l.endpoints) == 0 {
		return err
	}
	l.from, l.to = stored.Bounds(l.q.From, l.q.To)
	events, err := l.span()
	if err != nil {
		return err
	}
	streams, all, err := l.streams()
	if err != nil {
		return err
	}
	if !all {
		return l.listEvents(ctx, events)
	}
	written := events // where all that is wanted has rows
	if l.wanted[sender.Pending] {
		mark, err := l.r.lowWater()
		if err != nil {
			return err
		}
		events.low, written.high = max(events.low, mark), min(written.high, mark-1)
		if !l.q.OldestFirst {
			if err := l.listEvents(ctx, events); err != nil {
				return err
			}
		}
	}
	if err := l.listStreams(ctx, streams, written); err != nil {
		return err
	}
	if l.wanted[sender.Pending] && l.q.OldestFirst {
		return l.listEvents(ctx, events)
	}
	return nil
}

// span is the range of events that may be wanted.
func (l *listing) span() (events span, err error) {
	events = span{1, math.MaxInt64}
	if l.q.OldestFirst {
		events.low = l.at.Seq
	} else {
		events.high = l.at.Seq
	}
	if !l.q.From.IsZero() {
		stmt := l.r.listing.storedBefore
		stmt.BindInt64(1, l.from-storedSlack)
		if _, err = row(stmt, func() { events.low = max(events.low, stmt.ColumnInt64(0)+1) }); err != nil {
			return events, err
		}
	}
	if l.q.To.IsZero() {
		return events, nil
	}
	last, err := l.r.storedBefore(l.to + storedSlack)
	events.high = min(events.high, last)
	return events, err
}

// listEvents lists the deliveries of a range of events.
func (l *listing) listEvents(ctx context.Context, events span) error {
	if l.stopped || events.low > events.high {
		return nil
	}
	stmt := l.r.listing.events[l.direction()]
	if l.q.Tenant != nil && *l.q.Tenant != "" {
		stmt = l.r.listing.eventsOf[l.direction()]
		stmt.BindText(3, *l.q.Tenant)
	}
	stmt.BindInt64(1, events.low)
	stmt.BindInt64(2, events.high)
	return rows(stmt, func() (bool, error) {
		e := listedEvent{stmt: stmt, seq: stmt.ColumnInt64(headColumnCount)}
		if l.examined >= maxExamined {
			l.stop(stored.Place{Seq: e.seq})
			return false, nil
		}
		l.examined++
		wanted, err := l.wants(&e)
		if err != nil || !wanted {
			return true, firstError(err, ctx.Err())
		}
		for i := l.done(e.seq); i < len(e.targets) && !l.stopped; i++ {
			if !l.wantsEndpoint(e.targets[i]) {
				continue
			}
			if l.examined >= maxExamined {
				l.stop(stored.Place{Seq: e.seq, Done: i})
				break
			}
			l.examined++
			if err := l.look(&e, i); err != nil {
				return false, err
			}
		}
		return !l.stopped, ctx.Err()
	})
}

// listedEvent is an event that is looked at.
type listedEvent struct {
	stmt     *sqlite.Stmt // at its row, which begins with headColumns
	seq      int64
	storedAt int64
	targets  []int64
	event    *webhook.Event // read when it is needed
}

// wants tells whether deliveries of an event are wanted, and reads what is
// needed for that.
func (l *listing) wants(e *listedEvent) (wanted bool, err error) {
	e.storedAt = e.stmt.ColumnInt64(headColumnCount + 1)
	if e.storedAt < l.from || e.storedAt >= l.to {
		return false, nil
	}
	if l.q.Tenant != nil && e.stmt.ColumnText(4) != *l.q.Tenant {
		return false, nil
	}
	if len(l.q.Types) > 0 {
		eventType := e.stmt.ColumnText(1)
		if !slices.ContainsFunc(l.q.Types, func(p webhook.Pattern) bool { return p.Match(eventType) }) {
			return false, nil
		}
	}
	r := l.r
	r.scratch, r.scratchNums, err = columnTargets(e.stmt, headColumnCount+2, r.scratch, r.scratchNums)
	e.targets = r.scratchNums
	return err == nil, err
}

func (l *listing) wantsEndpoint(endpoint int64) bool {
	if len(l.endpoints) == 0 {
		return true
	}
	_, wanted := slices.BinarySearch(l.endpoints, endpoint)
	return wanted
}

// look reads one delivery of an event and lists it if it is wanted.
func (l *listing) look(e *listedEvent, i int) error {
	storedAt := time.UnixMilli(e.storedAt).UTC()
	d, err := l.r.readDelivery(e.event, e.seq, e.targets[i], storedAt)
	if err != nil || int(d.Status) >= len(l.wanted) || !l.wanted[d.Status] {
		return err
	}
	if len(l.page.Deliveries) > 0 && len(l.page.Deliveries) >= l.q.Limit {
		l.stop(l.last) // this one is on the next page
		return nil
	}
	if e.event == nil {
		e.event = columnHead(e.stmt)
		d.Event = e.event
	}
	summary := sender.DeliverySummary{Delivery: d}
	if d.Attempts > 0 {
		if summary.Last, err = l.r.lastAttempt(e.seq, e.targets[i]); err != nil {
			return err
		}
	}
	l.page.Deliveries = append(l.page.Deliveries, summary)
	l.last = stored.Place{Seq: e.seq, Done: i + 1}
	return nil
}

// lastAttempt reads the last attempt of a delivery, without headers and body.
func (r *reader) lastAttempt(seq, endpoint int64) (last *sender.Attempt, err error) {
	r.last.BindInt64(1, seq)
	r.last.BindInt64(2, endpoint)
	var damaged error
	_, err = row(r.last, func() {
		var a sender.Attempt
		a, damaged = r.columnAttempt(r.last, true)
		last = &a
	})
	return last, firstError(err, damaged)
}

// stop ends the page; the next one begins at a place.
func (l *listing) stop(next stored.Place) {
	l.stopped = true
	l.page.Next = next.Cursor(l.q.OldestFirst)
}

// done is how many deliveries of an event an earlier page has dealt with.
func (l *listing) done(seq int64) int {
	if seq == l.at.Seq {
		return l.at.Done
	}
	return 0
}

// direction is the index of the statements to use.
func (l *listing) direction() int {
	if l.q.OldestFirst {
		return oldestFirst
	}
	return newestFirst
}

// firstError is the first of two errors that is one.
func firstError(a, b error) error {
	if a != nil {
		return a
	}
	return b
}
