package storetest

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/manysends/caddy-webhooks/sender"
)

// model is the contract in its simplest form: everything in memory, found by
// looking at all of it. Closing or crashing it ends the holds alone.
type model struct {
	mu     sync.Mutex
	closed bool
	events []*modelEvent // by number
	last   int64

	counters  map[modelCounter]*sender.Counts
	documents map[modelName]sender.Document
}

// modelEvent is an event of a model.
type modelEvent struct {
	sender.PutEvent
	deliveries []*modelDelivery
}

// modelDelivery is a delivery of a model.
type modelDelivery struct {
	sender.DeliveryRecord
	held bool
}

var _ sender.PutSettler = (*model)(nil)

// begin locks the model for a call, or says why it must not go on.
func (m *model) begin(ctx context.Context) error {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		return sender.ErrStoreClosed
	}
	if err := ctx.Err(); err != nil {
		m.mu.Unlock()
		return err
	}
	return nil
}

// PutEvents implements [sender.Store].
func (m *model) PutEvents(ctx context.Context, publications []*sender.Publication) error {
	if err := m.begin(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	m.putAll(publications)
	return nil
}

func (m *model) putAll(publications []*sender.Publication) {
	for _, p := range publications {
		before := len(m.events)
		p.Err = nil
		for i := range p.Events {
			e := &p.Events[i]
			e.Seq, e.Duplicate = 0, false
			if first := m.find(e.Event.Tenant, e.Event.ID); first == nil {
				m.add(e)
			} else if same(first, e) {
				e.Seq, e.Duplicate = first.Seq, true
			} else {
				p.Err = fmt.Errorf("event %q: %w", e.Event.ID, sender.ErrConflict)
				m.events = m.events[:before]
				for j := range p.Events[:i] {
					p.Events[j].Seq, p.Events[j].Duplicate = 0, false
				}
				break
			}
		}
	}
}

// find is an event by its name, or nil.
func (m *model) find(tenant, id string) *modelEvent {
	for _, e := range m.events {
		if e.Event.ID == id && e.Event.Tenant == tenant {
			return e
		}
	}
	return nil
}

// add stores an event that is new.
func (m *model) add(e *sender.PutEvent) {
	m.last++
	e.Seq = m.last
	added := &modelEvent{PutEvent: *e}
	for _, endpoint := range e.EndpointIDs {
		added.deliveries = append(added.deliveries, &modelDelivery{held: true, DeliveryRecord: sender.DeliveryRecord{
			Delivery: sender.Delivery{Event: e.Event, Seq: e.Seq, StoredAt: e.StoredAt, EndpointID: endpoint, Status: sender.Pending, Due: e.StoredAt},
		}})
	}
	m.events = append(m.events, added)
}

// same tells whether e is a duplicate of the first event of its name.
func same(first *modelEvent, e *sender.PutEvent) bool {
	a, b := first.Event, e.Event
	return a.Type == b.Type && bytes.Equal(a.Data, b.Data) && a.ContentType == b.ContentType &&
		(!e.TimestampGiven || a.Timestamp.Equal(b.Timestamp))
}

// Settle implements [sender.Store].
func (m *model) Settle(ctx context.Context, outcomes []sender.Outcome) error {
	if err := m.begin(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	m.settleAll(outcomes)
	return nil
}

func (m *model) settleAll(outcomes []sender.Outcome) {
	for _, o := range outcomes {
		if d := m.delivery(o.Seq, o.EndpointID); d != nil && d.Status == sender.Pending && d.settle(o) {
			m.count(o)
		}
	}
}

// PutAndSettle implements [sender.PutSettler].
func (m *model) PutAndSettle(ctx context.Context, publications []*sender.Publication, outcomes []sender.Outcome) error {
	if err := m.begin(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	m.settleAll(outcomes)
	m.putAll(publications)
	return nil
}

// delivery is a delivery by its name, or nil.
func (m *model) delivery(seq int64, endpointID string) *modelDelivery {
	for _, e := range m.events {
		for _, d := range e.deliveries {
			if e.Seq == seq && d.EndpointID == endpointID {
				return d
			}
		}
	}
	return nil
}

// settle records an outcome of a pending delivery, unless its attempt is known.
func (d *modelDelivery) settle(o sender.Outcome) bool {
	if o.Attempt != nil {
		if slices.ContainsFunc(d.History, func(a sender.Attempt) bool { return a.Number == o.Attempt.Number }) {
			return false
		}
		d.History = append(d.History, *o.Attempt)
		slices.SortFunc(d.History, func(a, b sender.Attempt) int { return a.Number - b.Number })
		d.Attempts = max(d.Attempts, o.Attempt.Number)
	}
	d.Status, d.Due, d.held = o.Status, time.Time{}, false
	if o.Status == sender.Pending {
		d.Due, d.held = o.Due, o.Held
	}
	return true
}

// waiting are the pending deliveries of an endpoint that are not held, in the
// order of claims.
func (m *model) waiting(endpoint string, retries bool) []*modelDelivery {
	var waiting []*modelDelivery
	for _, e := range m.events {
		for _, d := range e.deliveries {
			if d.EndpointID == endpoint && d.Status == sender.Pending && !d.held && retries == (d.Attempts > 0) {
				waiting = append(waiting, d)
			}
		}
	}
	slices.SortStableFunc(waiting, func(a, b *modelDelivery) int { return a.Due.Compare(b.Due) })
	return waiting
}

// Claim implements [sender.Store].
func (m *model) Claim(ctx context.Context, q sender.ClaimQuery) (claimed sender.Claimed, err error) {
	if err := m.begin(ctx); err != nil {
		return claimed, err
	}
	defer m.mu.Unlock()
	size := int64(0)
	for _, d := range m.waiting(q.EndpointID, q.Retries) {
		n := len(claimed.Deliveries)
		size += int64(d.Event.Size())
		if d.Due.After(q.Now) || n == q.Limit || n > 0 && size > q.Bytes {
			claimed.Next = d.Due
			break
		}
		d.held = true
		delivery := d.Delivery
		claimed.Deliveries = append(claimed.Deliveries, &delivery)
	}
	return claimed, nil
}

// Backlog implements [sender.Store].
func (m *model) Backlog(ctx context.Context) (backlog []sender.Backlog, err error) {
	if err := m.begin(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	seen := map[string]bool{}
	for _, e := range m.events {
		for _, endpoint := range e.EndpointIDs {
			b := sender.Backlog{EndpointID: endpoint}
			first, retries := m.waiting(endpoint, false), m.waiting(endpoint, true)
			if len(first) > 0 {
				b.FirstTries = first[0].Due
			}
			if len(retries) > 0 {
				b.Retries = retries[0].Due
			}
			if !seen[endpoint] && len(first)+len(retries) > 0 {
				backlog = append(backlog, b)
			}
			seen[endpoint] = true
		}
	}
	return backlog, nil
}

// Event implements [sender.Store].
func (m *model) Event(ctx context.Context, tenant, id string) (*sender.EventRecord, error) {
	if err := m.begin(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	e := m.find(tenant, id)
	if tenant == sender.AnyTenant {
		for _, other := range m.events {
			switch {
			case other.Event.ID != id:
			case e != nil:
				return nil, sender.ErrAmbiguous
			default:
				e = other
			}
		}
	}
	if e == nil {
		return nil, sender.ErrNotFound
	}
	record := &sender.EventRecord{Event: e.Event, StoredAt: e.StoredAt}
	for _, d := range e.deliveries {
		copied := d.DeliveryRecord
		copied.History = slices.Clone(d.History)
		record.Deliveries = append(record.Deliveries, copied)
	}
	return record, nil
}

// Purge implements [sender.Store].
func (m *model) Purge(ctx context.Context, q sender.PurgeQuery) (int, error) {
	if err := m.begin(ctx); err != nil {
		return 0, err
	}
	defer m.mu.Unlock()
	var old []*modelEvent
	for _, e := range m.events {
		waits := slices.ContainsFunc(e.deliveries, func(d *modelDelivery) bool { return d.Status <= sender.Blocked })
		if !waits && e.StoredAt.Before(q.Before) && (q.Tenant == nil || *q.Tenant == e.Event.Tenant) {
			old = append(old, e)
		}
	}
	slices.SortStableFunc(old, func(a, b *modelEvent) int {
		return cmp.Or(a.StoredAt.Compare(b.StoredAt), cmp.Compare(a.Seq, b.Seq))
	})
	old = old[:min(q.Limit, len(old))]
	m.events = slices.DeleteFunc(m.events, func(e *modelEvent) bool { return slices.Contains(old, e) })
	return len(old), nil
}

// Close implements [sender.Store].
func (m *model) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	return nil
}

// next is the model as it is opened again.
func (m *model) next() *model {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	for _, e := range m.events {
		for _, d := range e.deliveries {
			d.held = false
		}
	}
	return &model{events: m.events, last: m.last, counters: m.counters, documents: m.documents}
}
