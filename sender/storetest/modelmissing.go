package storetest

import (
	"context"
	"slices"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// Missing implements [sender.Store].
func (m *model) Missing(ctx context.Context, q sender.MissingQuery) (page sender.MissingPage, err error) {
	if err := m.begin(ctx); err != nil {
		return page, err
	}
	defer m.mu.Unlock()
	page.Last = q.After
	bytes := int64(0)
	for _, e := range m.events {
		if e.Seq <= q.After {
			continue
		}
		if lacks(&q, e) {
			n := len(page.Events)
			bytes += int64(e.Event.Size())
			if page.More = n > 0 && (n == q.Limit || bytes > q.Bytes); page.More {
				return page, nil
			}
			page.Events = append(page.Events, missing(e, q.Whole))
		}
		page.Last = e.Seq
	}
	return page, nil
}

// lacks tells whether an event is one that a query asks for.
func lacks(q *sender.MissingQuery, e *modelEvent) bool {
	return q.Tenant == e.Event.Tenant &&
		(len(q.Types) == 0 || slices.ContainsFunc(q.Types, func(p webhook.Pattern) bool { return p.Match(e.Event.Type) })) &&
		(q.From.IsZero() || !e.StoredAt.Before(q.From)) && (q.To.IsZero() || e.StoredAt.Before(q.To)) &&
		!slices.ContainsFunc(e.deliveries, func(d *modelDelivery) bool { return d.EndpointID == q.EndpointID })
}

// missing is an event as it is listed.
func missing(e *modelEvent, whole bool) sender.MissingEvent {
	event := *e.Event
	if !whole {
		event.Data, event.Headers = nil, nil
	}
	return sender.MissingEvent{Seq: e.Seq, StoredAt: e.StoredAt, Event: &event}
}

// AddDeliveries implements [sender.Store].
func (m *model) AddDeliveries(ctx context.Context, deliveries []sender.NewDelivery) error {
	if err := m.begin(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	for i := range deliveries {
		d := &deliveries[i]
		at := slices.IndexFunc(m.events, func(e *modelEvent) bool { return e.Seq == d.Seq })
		if d.Added = at >= 0 && m.delivery(d.Seq, d.EndpointID) == nil; !d.Added {
			continue
		}
		e := m.events[at]
		e.EndpointIDs = append(slices.Clone(e.EndpointIDs), d.EndpointID)
		e.deliveries = append(e.deliveries, &modelDelivery{DeliveryRecord: sender.DeliveryRecord{
			Delivery: sender.Delivery{Event: e.Event, Seq: e.Seq, StoredAt: e.StoredAt, EndpointID: d.EndpointID, Status: sender.Pending, Due: d.Due},
		}})
	}
	return nil
}
