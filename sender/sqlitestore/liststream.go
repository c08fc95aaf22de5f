package sqlitestore

import (
	"cmp"
	"context"
	"math"
	"slices"

	"zombiezen.com/go/sqlite"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/sender/internal/stored"
)

// maxStreams is for how many endpoints deliveries are looked for endpoint by
// endpoint; for more, they are among those of all.
const maxStreams = 64

// How many deliveries a stream fetches at first, and at most.
const (
	minFetch = 32
	maxFetch = 512
)

// listed is a delivery that a stream has found.
type listed struct {
	deliveryKey
	status sender.Status
}

// stream finds deliveries in the order of a listing by one range of a key or an
// index. It fetches them in parts, so that many streams can share a statement.
type stream struct {
	stmt     *sqlite.Stmt  // nil: everything was fetched
	endpoint int64         // whose deliveries; 0: everybody's
	status   sender.Status // 0: any
	fetching int           // how many are fetched next

	buffer []listed // memory of found
	found  []listed // not taken yet
	last   listed   // the last one fetched
}

// streams are those that find all that is wanted and has rows, if there is a
// way to do so.
func (l *listing) streams() (streams []*stream, all bool, err error) {
	statements := &l.r.listing
	each := l.endpoints
	if len(each) > maxStreams {
		each = nil
	}
	add := func(stmt *sqlite.Stmt, endpoint int64, status sender.Status) {
		streams = append(streams, &stream{stmt: stmt, endpoint: endpoint, status: status, fetching: minFetch})
	}
	if !l.wanted[sender.Succeeded] {
		pending, all, err := l.pendingStream(each)
		if err != nil {
			return nil, false, err
		}
		if all {
			for _, status := range [...]sender.Status{sender.Blocked, sender.Failed, sender.Cancelled} {
				if !l.wanted[status] {
					continue
				}
				for _, endpoint := range each {
					add(statements.endedOf[l.direction()], endpoint, status)
				}
				if len(each) == 0 {
					add(statements.ended[l.direction()], 0, status)
				}
			}
			return append(streams, pending), true, nil
		}
	}
	for _, endpoint := range each {
		add(statements.key[l.direction()], endpoint, 0)
	}
	return streams, len(each) > 0, nil
}

// pendingStream finds the pending deliveries of some endpoints, or all, unless
// there are very many: where these are, they need not be looked for.
func (l *listing) pendingStream(each []int64) (s *stream, all bool, err error) {
	s = &stream{}
	if !l.wanted[sender.Pending] {
		return s, true, nil
	}
	left := maxExamined
	find := func(low, high int64) error {
		stmt := l.r.listing.pending
		stmt.BindInt64(1, low)
		stmt.BindInt64(2, high)
		return rows(stmt, func() (bool, error) {
			s.found = append(s.found, listed{deliveryKey{stmt.ColumnInt64(0), stmt.ColumnInt64(1)}, sender.Pending})
			left--
			return left > 0, nil
		})
	}
	for _, endpoint := range each {
		if err := find(endpoint, endpoint); err != nil || left == 0 {
			return s, false, err
		}
	}
	if len(each) == 0 {
		if err := find(1, math.MaxInt64); err != nil || left == 0 {
			return s, false, err
		}
	}
	slices.SortFunc(s.found, func(a, b listed) int {
		if l.q.OldestFirst {
			return cmp.Compare(a.seq, b.seq)
		}
		return cmp.Compare(b.seq, a.seq)
	})
	return s, true, nil
}

// listStreams lists what streams find in a range of events.
func (l *listing) listStreams(ctx context.Context, streams []*stream, events span) error {
	if events.low > events.high {
		return nil
	}
	for _, s := range streams {
		s.found = slices.DeleteFunc(s.found, func(d listed) bool { return d.seq < events.low || d.seq > events.high })
	}
	var group []listed
	for !l.stopped {
		seq, err := l.nextEvent(streams, events)
		if err != nil || seq == 0 {
			return err
		}
		if l.examined >= maxExamined {
			l.stop(stored.Place{Seq: seq})
			return nil
		}
		group = group[:0]
		for _, s := range streams {
			for {
				found, err := l.head(s, events)
				if err != nil {
					return err
				}
				if !found || s.found[0].seq != seq {
					break
				}
				l.examined++
				if d := s.found[0]; l.wanted[d.status] && l.wantsEndpoint(d.endpoint) {
					group = append(group, d)
				}
				s.found = s.found[1:]
			}
		}
		if err := firstError(l.listGroup(seq, group), ctx.Err()); err != nil {
			return err
		}
	}
	return nil
}

// nextEvent is the next event that a stream has deliveries of; 0 when there is
// none.
func (l *listing) nextEvent(streams []*stream, events span) (next int64, err error) {
	for _, s := range streams {
		found, err := l.head(s, events)
		if err != nil {
			return 0, err
		}
		if found && (next == 0 || (s.found[0].seq < next) == l.q.OldestFirst) {
			next = s.found[0].seq
		}
	}
	return next, nil
}

// head sees to it that a stream has found its next delivery in a range, if
// there is one.
func (l *listing) head(s *stream, events span) (bool, error) {
	if len(s.found) == 0 && s.stmt != nil {
		if err := l.fetch(s, events); err != nil {
			return false, err
		}
	}
	return len(s.found) > 0, nil
}

// fetch fetches the next deliveries of a stream in a range. Where one endpoint's
// are looked for, it goes on with the next event; where everybody's are, with
// the next endpoint of the same one.
func (l *listing) fetch(s *stream, events span) error {
	endpoint, skip := s.endpoint, int64(1)
	if s.endpoint == 0 {
		endpoint, skip = s.last.endpoint, 0
	}
	switch begun := s.last.seq != 0; {
	case begun && l.q.OldestFirst:
		events.low = s.last.seq + skip
	case begun:
		events.high = s.last.seq - skip
	case s.endpoint == 0 && l.q.OldestFirst:
		endpoint = math.MinInt64
	case s.endpoint == 0:
		endpoint = math.MaxInt64
	}
	s.stmt.BindInt64(1, events.low)
	s.stmt.BindInt64(2, events.high)
	s.stmt.BindInt64(3, int64(s.fetching))
	s.stmt.BindInt64(4, endpoint)
	if s.status != 0 {
		s.stmt.BindInt64(5, int64(s.status))
	}
	s.found = s.buffer[:0]
	err := rows(s.stmt, func() (bool, error) {
		s.last = listed{deliveryKey{s.stmt.ColumnInt64(0), s.stmt.ColumnInt64(1)}, sender.Status(s.stmt.ColumnInt64(2))}
		s.found = append(s.found, s.last)
		return true, nil
	})
	s.buffer = s.found
	if len(s.found) < s.fetching {
		s.stmt = nil
	}
	s.fetching = min(2*s.fetching, maxFetch)
	return err
}

// listGroup lists deliveries of one event that are wanted, as far as the event
// is.
func (l *listing) listGroup(seq int64, group []listed) error {
	if len(group) == 0 {
		return nil
	}
	stmt := l.r.listing.events[l.direction()]
	stmt.BindInt64(1, seq)
	stmt.BindInt64(2, seq)
	return rows(stmt, func() (bool, error) {
		e := listedEvent{stmt: stmt, seq: seq}
		wanted, err := l.wants(&e)
		if err != nil || !wanted {
			return true, err
		}
		for i := l.done(seq); i < len(e.targets) && !l.stopped; i++ {
			if !slices.ContainsFunc(group, func(d listed) bool { return d.endpoint == e.targets[i] }) {
				continue
			}
			if err := l.look(&e, i); err != nil {
				return false, err
			}
		}
		return true, nil
	})
}
