package postgresstore

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/manysends/caddy-webhooks/sender"
)

// Override implements [sender.Store]. Of a delivery that is passed over,
// Attempted stays false.
func (s *Store) Override(ctx context.Context, overrides []sender.Override) error {
	ids := make([]string, len(overrides))
	for i := range overrides {
		o := &overrides[i]
		ids[i] = o.EndpointID
		o.Applied, o.Attempted = false, false
		if o.Status != sender.Pending && o.Status != sender.Cancelled {
			return s.failed("overriding deliveries", fmt.Errorf(
				"the override for event number %d asks for the status %s: ask for pending or cancelled", o.Seq, o.Status))
		}
	}
	err := s.write(ctx, "overriding deliveries", nil, func(ctx context.Context, conn *pgxpool.Conn, instance int32) error {
		if _, err := s.numbers(ctx, conn, ids); err != nil {
			return err
		}
		found, pending := deliveries{}, map[int32]int64{}
		keys, seqs := make([]deliveryKey, len(overrides)), make([]int64, len(overrides))
		for i := range overrides {
			keys[i].seq, seqs[i] = overrides[i].Seq, overrides[i].Seq
			keys[i].endpoint, _ = s.endpoints.known(ids[i])
		}
		return s.transact(ctx, conn, instance, func(first *change) {
			first.exec(lockEvents, seqs)
			found.readWaiting(first, sortedKeys(keys))
			found.readEnded(first, sortedKeys(keys))
		}, func(then *change) {
			for i := range overrides {
				if d := found[keys[i]]; d != nil {
					d.override(&overrides[i], pending)
				}
			}
			found.write(then)
			then.addPending(instance, pending)
		})
	})
	for i := range overrides {
		switch o := &overrides[i]; {
		case err != nil:
			o.Applied, o.Attempted = false, false
		case o.Applied && o.Status == sender.Pending:
			s.tellBacklog(o.EndpointID)
		}
	}
	return err
}

// override applies a person's decision, if the delivery may have that status. It
// notes by how much the number of pending ones changes.
func (d *delivery) override(o *sender.Override, pending map[int32]int64) {
	if d.holder != 0 {
		return
	}
	wasPending := d.status == sender.Pending
	switch {
	case o.Status == sender.Pending:
		d.reopen(o.Due.UnixMilli())
	case d.status > sender.Blocked:
		return
	default:
		d.end(sender.Cancelled, nil, nil)
	}
	if wasPending {
		pending[d.endpoint]--
	}
	if d.status == sender.Pending {
		pending[d.endpoint]++
	}
	o.Applied, o.Attempted = true, d.attempts > 0
}

// reopen makes a delivery pending, on a schedule that begins now. The attempt
// that ended it becomes one of the others.
func (d *delivery) reopen(due int64) {
	if d.attempt != nil {
		if a, err := decodeAttempt(d.attempt, true); err == nil {
			d.add = append(d.add, settledAttempt{int32(a.Number), d.attempt, d.body})
		}
		d.attempt, d.body = nil, nil
	}
	d.status, d.after, d.due, d.reopened = sender.Pending, waiting, due, true
	d.scheduleStart, d.retry = d.attempts, d.attempts > 0
}
