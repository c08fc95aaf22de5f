package storetest

import (
	"context"
	"fmt"
	"time"

	"github.com/manysends/caddy-webhooks/sender"
)

// Unblock implements [sender.Store].
func (m *model) Unblock(ctx context.Context, endpointID string, due time.Time) (n int, err error) {
	if err := m.begin(ctx); err != nil {
		return 0, err
	}
	defer m.mu.Unlock()
	for _, e := range m.events {
		for _, d := range e.deliveries {
			if d.EndpointID == endpointID && d.Status == sender.Blocked {
				d.Status, d.Due = sender.Pending, due
				n++
			}
		}
	}
	return n, nil
}

// CancelAll implements [sender.Store].
func (m *model) CancelAll(ctx context.Context, endpointID string) (n int, err error) {
	if err := m.begin(ctx); err != nil {
		return 0, err
	}
	defer m.mu.Unlock()
	for _, e := range m.events {
		for _, d := range e.deliveries {
			if d.EndpointID == endpointID && d.cancel() {
				n++
			}
		}
	}
	return n, nil
}

// cancel cancels a delivery that may be cancelled.
func (d *modelDelivery) cancel() bool {
	if d.held || d.Status != sender.Pending && d.Status != sender.Blocked {
		return false
	}
	d.Status, d.Due = sender.Cancelled, time.Time{}
	return true
}

// Override implements [sender.Store].
func (m *model) Override(ctx context.Context, overrides []sender.Override) error {
	for _, o := range overrides {
		if o.Status != sender.Pending && o.Status != sender.Cancelled {
			return fmt.Errorf("no override to %s", o.Status)
		}
	}
	if err := m.begin(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	for i := range overrides {
		o := &overrides[i]
		o.Applied, o.Attempted = false, false
		d := m.delivery(o.Seq, o.EndpointID)
		switch {
		case d == nil || d.held:
		case o.Status == sender.Cancelled:
			o.Applied = d.cancel()
		default:
			d.Status, d.Due, d.ScheduleStart = sender.Pending, o.Due, d.Attempts
			o.Applied = true
		}
		o.Attempted = o.Applied && d.Attempts > 0
	}
	return nil
}

// Pending implements [sender.Store].
func (m *model) Pending(ctx context.Context) (counts []sender.PendingCount, err error) {
	if err := m.begin(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	pending := map[string]int64{}
	for _, e := range m.events {
		for _, d := range e.deliveries {
			if d.Status == sender.Pending {
				pending[d.EndpointID]++
			}
		}
	}
	for id, n := range pending {
		counts = append(counts, sender.PendingCount{EndpointID: id, Deliveries: n})
	}
	return counts, nil
}
