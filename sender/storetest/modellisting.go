package storetest

import (
	"context"
	"fmt"
	"slices"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// Deliveries implements [sender.Store].
func (m *model) Deliveries(ctx context.Context, q sender.DeliveryQuery) (page sender.DeliveryPage, err error) {
	if err := m.begin(ctx); err != nil {
		return page, err
	}
	defer m.mu.Unlock()
	var seq int64
	done := 0
	if q.Cursor != "" {
		if _, err := fmt.Sscanf(q.Cursor, "%d-%d", &seq, &done); err != nil || q.Cursor != fmt.Sprintf("%d-%d", seq, done) {
			return page, fmt.Errorf("%q: %w", q.Cursor, sender.ErrCursor)
		}
	}
	events := slices.Clone(m.events)
	if !q.OldestFirst {
		slices.Reverse(events)
	}
	for _, e := range events {
		if seq != 0 && e.Seq != seq && (e.Seq < seq) == q.OldestFirst {
			continue // on an earlier page
		}
		for i, d := range e.deliveries {
			if e.Seq == seq && i < done || !selects(&q, e, d) {
				continue
			}
			if len(page.Deliveries) == q.Limit {
				page.Next = fmt.Sprintf("%d-%d", e.Seq, i)
				return page, nil
			}
			page.Deliveries = append(page.Deliveries, d.summary())
		}
	}
	return page, nil
}

// selects tells whether a query selects a delivery.
func selects(q *sender.DeliveryQuery, e *modelEvent, d *modelDelivery) bool {
	return (q.Tenant == nil || *q.Tenant == e.Event.Tenant) &&
		(len(q.EndpointIDs) == 0 || slices.Contains(q.EndpointIDs, d.EndpointID)) &&
		(len(q.Statuses) == 0 || slices.Contains(q.Statuses, d.Status)) &&
		(len(q.Types) == 0 || slices.ContainsFunc(q.Types, func(p webhook.Pattern) bool { return p.Match(e.Event.Type) })) &&
		(q.From.IsZero() || !e.StoredAt.Before(q.From)) && (q.To.IsZero() || e.StoredAt.Before(q.To))
}

// summary is a delivery as it is listed.
func (d *modelDelivery) summary() sender.DeliverySummary {
	s := sender.DeliverySummary{Delivery: d.Delivery}
	event := *d.Event
	event.Data, event.Headers = nil, nil
	s.Event = &event
	if n := len(d.History); n > 0 {
		last := d.History[n-1]
		last.RequestHeaders, last.ResponseHeaders, last.ResponseBody = nil, nil, nil
		s.Last = &last
	}
	return s
}

// Delivery implements [sender.Store].
func (m *model) Delivery(ctx context.Context, seq int64, endpointID string) (*sender.DeliveryRecord, error) {
	if err := m.begin(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	d := m.delivery(seq, endpointID)
	if d == nil {
		return nil, sender.ErrNotFound
	}
	record := d.DeliveryRecord
	record.History = slices.Clone(d.History)
	return &record, nil
}
