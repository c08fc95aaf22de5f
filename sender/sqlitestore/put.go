package sqlitestore

import (
	"context"
	"fmt"
	"math"

	"zombiezen.com/go/sqlite"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/sender/internal/stored"
)

// putStatements are those of PutEvents.
type putStatements struct {
	insert, same, remove *sqlite.Stmt
}

func (p *putStatements) list() prepared {
	return prepared{
		{&p.insert, `INSERT INTO events
			(seq, stored_at, id, tenant, type, timestamp, timestamp_ns, content_type, trace_parent, targets, data, headers)
			VALUES (?1, ?2, ?3, coalesce(?4, ''), ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
			ON CONFLICT (id, tenant) DO NOTHING`},
		{&p.same, `SELECT seq, type = ?3 AND data = ?4 AND content_type IS ?5
			AND (?6 IS NULL OR timestamp = ?6 AND timestamp_ns = ?7)
			FROM events WHERE id = ?1 AND tenant = coalesce(?2, '')`},
		{&p.remove, `DELETE FROM events WHERE seq = ?1`},
	}
}

// PutEvents implements [sender.Store]. The trace parent, the headers and the
// endpoints of a second publication are not compared: the first ones stay.
func (s *Store) PutEvents(ctx context.Context, publications []*sender.Publication) error {
	err := s.write(ctx, "storing events", func(w *writer) error {
		return w.putAll(publications)
	})
	if err != nil {
		forgetAll(publications)
		return err
	}
	s.noteStored(publications)
	return nil
}

// PutAndSettle implements [sender.PutSettler].
func (s *Store) PutAndSettle(ctx context.Context, publications []*sender.Publication, outcomes []sender.Outcome) error {
	const doing = "storing events and settling deliveries"
	err := s.checkOutcomes(doing, outcomes)
	if err == nil {
		err = s.write(ctx, doing, func(w *writer) error {
			if err := w.settleAll(outcomes); err != nil {
				return err
			}
			return w.putAll(publications)
		})
	}
	if err != nil {
		forgetAll(publications)
		return err
	}
	s.noteStored(publications)
	s.noteEnded(outcomes)
	return nil
}

// noteStored tells purges of what was stored.
func (s *Store) noteStored(publications []*sender.Publication) {
	earliest := int64(math.MaxInt64)
	for _, p := range publications {
		for i := range p.Events {
			earliest = min(earliest, p.Events[i].StoredAt.UnixMilli())
		}
	}
	s.progress.noteStored(earliest)
}

// forgetAll clears what PutEvents has set.
func forgetAll(publications []*sender.Publication) {
	for _, p := range publications {
		p.Err = nil
		forget(p.Events)
	}
}

// forget clears what PutEvents has set in events.
func forget(events []sender.PutEvent) {
	for i := range events {
		events[i].Seq, events[i].Duplicate = 0, false
	}
}

// putAll stores publications.
func (w *writer) putAll(publications []*sender.Publication) error {
	for _, p := range publications {
		if err := w.putPublication(p); err != nil {
			return err
		}
	}
	return nil
}

// putPublication stores all events of a publication, or none and sets its Err.
func (w *writer) putPublication(p *sender.Publication) error {
	p.Err = nil
	for i := range p.Events {
		e := &p.Events[i]
		conflict, err := w.putEvent(e)
		if err != nil {
			return err
		}
		if conflict {
			p.Err = fmt.Errorf("event %q: %w with other content: publish it under an ID of its own", e.Event.ID, sender.ErrConflict)
			return w.takeBack(p.Events[:i])
		}
	}
	return nil
}

// putEvent stores one event, unless one of its ID is there: then it tells
// whether that is another one.
func (w *writer) putEvent(e *sender.PutEvent) (conflict bool, err error) {
	e.Seq, e.Duplicate = 0, false
	w.scratch, w.scratchLanes = w.scratch[:0], w.scratchLanes[:0]
	for _, id := range e.EndpointIDs {
		l, err := w.endpoints.named(id)
		if err != nil {
			return false, err
		}
		w.scratch = appendTarget(w.scratch, l.number)
		w.scratchLanes = append(w.scratchLanes, l)
	}
	event, insert := e.Event, w.put.insert
	insert.BindInt64(1, w.nextSeq)
	insert.BindInt64(2, e.StoredAt.UnixMilli())
	insert.BindText(3, event.ID)
	bindOptional(insert, 4, event.Tenant)
	insert.BindText(5, event.Type)
	insert.BindInt64(6, event.Timestamp.Unix())
	insert.BindInt64(7, int64(event.Timestamp.Nanosecond()))
	bindOptional(insert, 8, event.ContentType)
	bindOptional(insert, 9, event.TraceParent)
	insert.BindBytes(10, w.scratch)
	insert.BindBytes(11, event.Data)
	if len(event.Headers) == 0 {
		insert.BindNull(12)
	} else {
		insert.BindBytes(12, stored.AppendHeaders(nil, event.Headers))
	}
	if err := run(insert); err != nil {
		return false, err
	}
	if w.conn.Changes() == 0 {
		return w.compare(e)
	}
	e.Seq = w.nextSeq
	w.nextSeq++
	for _, l := range w.scratchLanes {
		w.holds.set(deliveryKey{e.Seq, l.number}, heldUnwritten)
		w.endpoints.pend(l, 1)
	}
	return false, nil
}

// compare looks at the event that is stored under the ID of e: it is another
// one, or e is a duplicate.
func (w *writer) compare(e *sender.PutEvent) (conflict bool, err error) {
	event, same := e.Event, w.put.same
	same.BindText(1, event.ID)
	bindOptional(same, 2, event.Tenant)
	same.BindText(3, event.Type)
	same.BindBytes(4, event.Data)
	bindOptional(same, 5, event.ContentType)
	if e.TimestampGiven {
		same.BindInt64(6, event.Timestamp.Unix())
		same.BindInt64(7, int64(event.Timestamp.Nanosecond()))
	} else {
		same.BindNull(6)
		same.BindNull(7)
	}
	found, err := row(same, func() {
		if same.ColumnBool(1) {
			e.Seq, e.Duplicate = same.ColumnInt64(0), true
		}
	})
	if err == nil && !found {
		err = sqlite.ResultCorrupt.ToError() // the index has it, the table does not
	}
	return !e.Duplicate, err
}

// takeBack removes the events of a publication that this transaction has
// stored.
func (w *writer) takeBack(events []sender.PutEvent) error {
	for i := range events {
		e := &events[i]
		if !e.Duplicate {
			w.put.remove.BindInt64(1, e.Seq)
			if err := run(w.put.remove); err != nil {
				return err
			}
			for _, id := range e.EndpointIDs {
				l := w.endpoints.byID[id]
				w.holds.set(deliveryKey{e.Seq, l.number}, notHeld)
				w.endpoints.pend(l, -1)
			}
		}
	}
	forget(events)
	return nil
}
