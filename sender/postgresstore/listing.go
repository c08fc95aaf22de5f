package postgresstore

import (
	"context"
	"math"
	"slices"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/sender/internal/stored"
	"github.com/manysends/caddy-webhooks/webhook"
)

// maxExamined is about how many events and deliveries one call of Deliveries
// looks at.
const maxExamined = 20_000

// How many events a stream finds at first, and at most.
const (
	minFetch = 64
	maxFetch = 1024
)

// Deliveries implements [sender.Store]. Events that were stored more than an
// hour before events with lower numbers, by a clock that went wrong, may be
// missing when From or To is given. An event that another instance is just
// storing may get a lower number than one that is listed already; such a one may
// be missing on the pages after.
func (s *Store) Deliveries(ctx context.Context, q sender.DeliveryQuery) (page sender.DeliveryPage, err error) {
	at := stored.Place{Seq: 1}
	if !q.OldestFirst {
		at.Seq = math.MaxInt64
	}
	if q.Cursor != "" {
		if at, err = stored.ParseCursor(q.Cursor, q.OldestFirst); err != nil {
			return page, s.failed("listing deliveries", err)
		}
	}
	err = s.read(ctx, "listing deliveries", func(ctx context.Context, conn *pgxpool.Conn) error {
		l := &listing{s: s, conn: conn, q: &q, at: at}
		err := l.run(ctx)
		page = l.page
		return err
	})
	if err != nil {
		return sender.DeliveryPage{}, err
	}
	return page, nil
}

// listing is one call of Deliveries. It goes through events by number. Streams
// find, in parts, the numbers of events that may have wanted deliveries; these
// are then read with all their deliveries, and looked at.
type listing struct {
	s    *Store
	conn *pgxpool.Conn
	q    *sender.DeliveryQuery

	wanted    [sender.Cancelled + 1]bool // by status
	endpoints []int32                    // ascending; none: all
	from, to  int64                      // bounds of when an event was stored

	at       stored.Place // where it begins
	low      int64        // the range of events that is left, both ends included
	high     int64
	fetching int // how many events a stream finds next
	examined int
	page     sender.DeliveryPage
	last     stored.Place // after the last one in the page
	stopped  bool         // the page is complete
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
	l.endpoints, err = l.s.numbers(ctx, l.conn, l.q.EndpointIDs)
	if err != nil || len(l.q.EndpointIDs) > 0 && len(l.endpoints) == 0 {
		return err
	}
	l.from, l.to = stored.Bounds(l.q.From, l.q.To)
	if err := l.bound(ctx); err != nil {
		return err
	}
	streams, err := l.streams(ctx)
	if err != nil {
		return err
	}
	for l.fetching = minFetch; !l.stopped && l.low <= l.high; l.fetching = min(2*l.fetching, maxFetch) {
		if l.examined >= maxExamined {
			l.stop(stored.Place{Seq: l.next()})
			return nil
		}
		seqs, err := l.find(ctx, streams)
		if err != nil {
			return err
		}
		if err := l.look(ctx, seqs); err != nil {
			return err
		}
	}
	return nil
}

// next is the number that the listing has come to.
func (l *listing) next() int64 {
	if l.q.OldestFirst {
		return l.low
	}
	return l.high
}

// storedSlack is by how much the times at which events were stored may differ
// from the order of their numbers, as when a clock is set, in milliseconds.
const storedSlack = 3_600_000

// The statements that say from which number on, or up to which, events may have
// been stored at a time.
const (
	firstStored = `SELECT seq FROM {s}.events WHERE stored_at < $1 ORDER BY stored_at DESC, seq DESC LIMIT 1`
	lastStored  = `SELECT seq FROM {s}.events WHERE stored_at >= $1 ORDER BY stored_at, seq LIMIT 1`
)

// bound sets the range of events that may be wanted.
func (l *listing) bound(ctx context.Context) error {
	l.low, l.high = 1, math.MaxInt64
	if l.q.OldestFirst {
		l.low = l.at.Seq
	} else {
		l.high = l.at.Seq
	}
	if !l.q.From.IsZero() {
		seq, found, err := l.s.number(ctx, l.conn, firstStored, l.from-storedSlack)
		if err != nil {
			return err
		}
		if found {
			l.low = max(l.low, seq+1)
		}
	}
	if !l.q.To.IsZero() {
		seq, found, err := l.s.number(ctx, l.conn, lastStored, l.to+storedSlack)
		if err != nil {
			return err
		}
		if found {
			l.high = min(l.high, seq-1)
		}
	}
	return nil
}

// look reads events with their deliveries and lists those that are wanted.
func (l *listing) look(ctx context.Context, seqs []int64) error {
	if len(seqs) == 0 {
		return nil
	}
	rows, err := l.readListed(ctx, seqs)
	if err != nil {
		return err
	}
	l.examined += len(seqs) + len(rows)
	var event *webhook.Event // of the row before
	for i := range rows {
		r := &rows[i]
		if i == 0 || rows[i-1].seq != r.seq {
			event = nil
		}
		if !l.wants(r) {
			continue
		}
		if len(l.page.Deliveries) > 0 && len(l.page.Deliveries) >= l.q.Limit {
			l.stop(l.last) // this one is on the next page
			return nil
		}
		summary, err := l.summary(ctx, r, &event)
		if err != nil {
			return err
		}
		l.page.Deliveries = append(l.page.Deliveries, summary)
		l.last = stored.Place{Seq: r.seq, Done: r.n}
	}
	return nil
}

// wants tells whether a delivery is wanted.
func (l *listing) wants(r *listedRow) bool {
	if r.seq == l.at.Seq && r.n <= l.at.Done {
		return false
	}
	if int(r.state.status) >= len(l.wanted) || !l.wanted[r.state.status] {
		return false
	}
	if len(l.endpoints) > 0 {
		if _, wanted := slices.BinarySearch(l.endpoints, r.endpoint); !wanted {
			return false
		}
	}
	return l.wantsType(r.event.kind)
}

// wantsType tells whether events of a type are wanted.
func (l *listing) wantsType(kind string) bool {
	return len(l.q.Types) == 0 || slices.ContainsFunc(l.q.Types, func(p webhook.Pattern) bool { return p.Match(kind) })
}

// summary is a delivery as it is listed. Those of one event share it.
func (l *listing) summary(ctx context.Context, r *listedRow, event **webhook.Event) (summary sender.DeliverySummary, err error) {
	if *event == nil {
		if *event, err = r.event.event(); err != nil {
			return summary, err
		}
	}
	summary.Delivery = sender.Delivery{Event: *event, Seq: r.seq, StoredAt: fromMilli(r.storedAt)}
	r.state.fill(&summary.Delivery)
	if r.last != nil {
		a, err := decodeAttempt(r.last, true)
		if err != nil {
			return summary, err
		}
		summary.Last = &a
	}
	summary.EndpointID, err = l.s.name(ctx, l.conn, r.endpoint)
	return summary, err
}

// stop ends the page; the next one begins at a place.
func (l *listing) stop(next stored.Place) {
	l.stopped = true
	l.page.Next = next.Cursor(l.q.OldestFirst)
}
