package sender

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Errors about deliveries.
var (
	// ErrUnderWay means that a delivery is being attempted just now, or about
	// to be.
	ErrUnderWay = errors.New("the delivery is under way")

	// ErrEnded means that a delivery has come to an end.
	ErrEnded = errors.New("the delivery has ended")
)

// deliveryPrefix begins the IDs of deliveries.
const deliveryPrefix = "dlv_"

// ID names the delivery to people: "dlv_", the number of its event in base 36,
// "_" and the endpoint's ID.
func (d *Delivery) ID() string {
	return deliveryPrefix + strconv.FormatInt(d.Seq, 36) + "_" + d.EndpointID
}

// parseDeliveryID reads what [Delivery.ID] writes.
func parseDeliveryID(id string) (seq int64, endpointID string, ok bool) {
	rest, ok := strings.CutPrefix(id, deliveryPrefix)
	if !ok {
		return 0, "", false
	}
	number, endpointID, _ := strings.Cut(rest, "_")
	seq, err := strconv.ParseInt(number, 36, 64)
	if err != nil || seq < 1 || checkEndpointID(endpointID) != nil || strconv.FormatInt(seq, 36) != number {
		return 0, "", false // there is one way to write it
	}
	return seq, endpointID, true
}

// Event returns an event with its deliveries and their attempts. The error
// wraps [ErrNotFound] when the tenant has none of this ID, and, of [AnyTenant],
// [ErrAmbiguous] when several tenants have one.
func (s *Sender) Event(ctx context.Context, tenant, id string) (*EventRecord, error) {
	if err := s.settling.flush(ctx); err != nil {
		return nil, fmt.Errorf("reading an event: %w", err)
	}
	return s.store.Event(ctx, tenant, id)
}

// listingPatience is how long one call of Deliveries looks for deliveries to
// fill its page.
const listingPatience = 50 * time.Millisecond

// Deliveries lists deliveries of a tenant, whatever q.Tenant says. A page may
// hold fewer than the limit, or none, and yet not be the last one: that is when
// its Next is empty. Errors wrap [ErrCursor] or are the store's.
func (s *Sender) Deliveries(ctx context.Context, tenant string, q DeliveryQuery) (DeliveryPage, error) {
	q.Tenant = &tenant
	if tenant == AnyTenant {
		q.Tenant = nil
	}
	if q.Cursor == "" { // what has happened is to be seen
		if err := s.settling.flush(ctx); err != nil {
			return DeliveryPage{}, fmt.Errorf("listing deliveries: %w", err)
		}
	}
	limit := max(q.Limit, 1)
	page := DeliveryPage{}
	for began := s.clock.Now(); ; {
		q.Limit = limit - len(page.Deliveries)
		more, err := s.store.Deliveries(ctx, q)
		if err != nil {
			return DeliveryPage{}, err
		}
		page.Deliveries = append(page.Deliveries, more.Deliveries...)
		page.Next, q.Cursor = more.Next, more.Next
		if page.Next == "" || len(page.Deliveries) >= limit || s.clock.Now().Sub(began) > listingPatience {
			return page, nil
		}
	}
}

// Delivery returns a delivery by its [Delivery.ID], with its event and its
// attempts. The error wraps [ErrNotFound] when the tenant has none of this ID.
func (s *Sender) Delivery(ctx context.Context, tenant, id string) (*DeliveryRecord, error) {
	if err := s.settling.flush(ctx); err != nil {
		return nil, fmt.Errorf("reading a delivery: %w", err)
	}
	notFound := fmt.Errorf("delivery %q: %w", id, ErrNotFound)
	seq, endpointID, ok := parseDeliveryID(id)
	if !ok {
		return nil, notFound
	}
	record, err := s.store.Delivery(ctx, seq, endpointID)
	if errors.Is(err, ErrNotFound) || err == nil && !within(tenant, record.Event.Tenant) {
		return nil, notFound
	}
	return record, err
}

// RetryDelivery has a delivery attempted as soon as its endpoint's limits
// allow, on a retry schedule that begins anew; also one that has succeeded,
// failed or been cancelled. Errors wrap [ErrNotFound], or [ErrUnderWay] when
// that is about to happen anyway, or [ErrEnded] when its endpoint is no more,
// or are the store's.
func (s *Sender) RetryDelivery(ctx context.Context, tenant, id string) error {
	d, err := s.Delivery(ctx, tenant, id)
	if err != nil {
		return err
	}
	if s.directory.get(d.EndpointID) == nil {
		return fmt.Errorf("delivery %s: %w: its endpoint is no more", id, ErrEnded)
	}
	applied, err := s.deliverAgain(ctx, []DeliverySummary{d.summary()})
	if err != nil {
		return err
	}
	if applied == 0 {
		return fmt.Errorf("delivery %s: %w", id, ErrUnderWay)
	}
	return nil
}

// summary is the delivery with the last of its attempts.
func (d *DeliveryRecord) summary() DeliverySummary {
	summary := DeliverySummary{Delivery: d.Delivery}
	if n := len(d.History); n > 0 {
		summary.Last = &d.History[n-1]
	}
	return summary
}

// deliverAgain has deliveries made pending, tells their lanes, and returns how
// many were not under way anyway.
func (s *Sender) deliverAgain(ctx context.Context, deliveries []DeliverySummary) (applied int, err error) {
	now := s.clock.Now()
	overrides := make([]Override, len(deliveries))
	for i := range deliveries {
		overrides[i] = Override{Seq: deliveries[i].Seq, EndpointID: deliveries[i].EndpointID, Status: Pending, Due: now}
	}
	if err := s.store.Override(ctx, overrides); err != nil {
		return 0, fmt.Errorf("delivering again: %w", err)
	}
	for i := range deliveries {
		d, o := &deliveries[i], &overrides[i]
		if !o.Applied {
			continue
		}
		applied++
		kind := first
		if o.Attempted {
			kind = again
		}
		s.followers.tell(&d.Delivery, Pending, o.Due, d.Last)
		s.lane(o.EndpointID).noteStored(kind, o.Due)
	}
	return applied, nil
}

// CancelDelivery gives up a delivery that is pending or blocked. One that is
// being attempted just now is given up afterwards, unless it succeeds. Errors
// wrap [ErrNotFound], or [ErrEnded] when there is nothing to give up, or
// [ErrUnderWay] when another instance has it in hand, or are the store's.
func (s *Sender) CancelDelivery(ctx context.Context, tenant, id string) error {
	// A delivery may go from the lane to the store, and back, meanwhile.
	for range 3 {
		d, err := s.Delivery(ctx, tenant, id)
		if err != nil {
			return err
		}
		if d.Status != Pending && d.Status != Blocked {
			return fmt.Errorf("delivery %s: %w: it is %s", id, ErrEnded, d.Status)
		}
		if s.lane(d.EndpointID).withdraw(d.Seq) {
			return nil
		}
		o := []Override{{Seq: d.Seq, EndpointID: d.EndpointID, Status: Cancelled}}
		if err := s.store.Override(ctx, o); err != nil {
			return fmt.Errorf("cancelling a delivery: %w", err)
		}
		if o[0].Applied {
			s.metrics.finished(s.labelOf(d.EndpointID), Cancelled)
			summary := d.summary()
			s.followers.tell(&summary.Delivery, Cancelled, time.Time{}, summary.Last)
			return nil
		}
	}
	return fmt.Errorf("delivery %s: %w: try it again", id, ErrUnderWay)
}
