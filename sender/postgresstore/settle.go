package postgresstore

import (
	"context"
	"slices"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/sender/internal/stored"
)

// Settle implements [sender.Store]. It refuses an outcome that makes no sense:
// an unknown status, or an attempt whose number is not at least 1.
func (s *Store) Settle(ctx context.Context, outcomes []sender.Outcome) error {
	for i := range outcomes {
		if err := stored.CheckOutcome(&outcomes[i]); err != nil {
			return s.failed("settling deliveries", err)
		}
	}
	return s.write(ctx, "settling deliveries", &s.settling, func(ctx context.Context, conn *pgxpool.Conn, instance int32) error {
		call := &settle{s: s, conn: conn, instance: instance, deliveries: make(deliveries, len(outcomes)), pending: map[int32]int64{}}
		return call.run(ctx, outcomes)
	})
}

// settle is one call of Settle.
type settle struct {
	s          *Store
	conn       *pgxpool.Conn
	instance   int32
	deliveries deliveries
	counted    stored.Counted
	pending    map[int32]int64 // by how much the numbers of pending deliveries change
	freed      map[int32]struct{}
	grown      map[int64]int64 // by the number of the event
}

// run records outcomes. Those of deliveries that this instance holds and nothing
// is recorded of need nothing but to be written; what else there is, is read
// first.
func (c *settle) run(ctx context.Context, outcomes []sender.Outcome) error {
	endpoints, err := c.endpoints(ctx, outcomes)
	if err != nil {
		return err
	}
	keys, numbers := c.begin(outcomes, endpoints)
	if len(keys) == 0 {
		if len(c.deliveries) == 0 {
			return nil
		}
		c.apply(outcomes, endpoints)
		change := c.s.newChange(c.instance)
		c.write(change)
		if err := change.send(ctx, c.conn); err != nil {
			return err
		}
	} else if err := c.s.transact(ctx, c.conn, c.instance, func(first *change) {
		c.deliveries.readWaiting(first, sortedKeys(keys))
		c.deliveries.readAttempts(first, keys, numbers)
	}, func(then *change) {
		c.apply(outcomes, endpoints)
		c.write(then)
	}); err != nil {
		return err
	}
	c.remember()
	return c.tell(ctx)
}

// endpoints are the numbers of the outcomes' endpoints; 0 for one that never had
// a delivery.
func (c *settle) endpoints(ctx context.Context, outcomes []sender.Outcome) ([]int32, error) {
	numbers := make([]int32, len(outcomes))
	var missing []string
	for i := range outcomes {
		number, known := c.s.endpoints.known(outcomes[i].EndpointID)
		if numbers[i] = number; !known {
			missing = append(missing, outcomes[i].EndpointID)
		}
	}
	if len(missing) == 0 {
		return numbers, nil
	}
	if _, err := c.s.numbers(ctx, c.conn, missing); err != nil {
		return nil, err
	}
	for i := range outcomes {
		numbers[i], _ = c.s.endpoints.known(outcomes[i].EndpointID)
	}
	return numbers, nil
}

// begin makes the states of deliveries that nothing is recorded of, and returns
// the keys of the others with the numbers of their outcomes' attempts.
func (c *settle) begin(outcomes []sender.Outcome, endpoints []int32) (keys []deliveryKey, numbers []int32) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	for i := range outcomes {
		key := deliveryKey{outcomes[i].Seq, endpoints[i]}
		if c.s.holds.held[key].unwritten {
			if c.deliveries[key] == nil {
				c.deliveries[key] = &delivery{deliveryKey: key, status: sender.Pending, holder: c.instance, size: c.s.holds.event(key.seq).size}
			}
			continue
		}
		number := int32(0)
		if a := outcomes[i].Attempt; a != nil {
			number = int32(a.Number)
		}
		keys, numbers = append(keys, key), append(numbers, number)
	}
	return keys, numbers
}

// sortedKeys are keys in order and each once.
func sortedKeys(keys []deliveryKey) []deliveryKey {
	keys = slices.Clone(keys)
	slices.SortFunc(keys, deliveryKey.compare)
	return slices.Compact(keys)
}

// apply makes the states what the outcomes say, one after the other.
func (c *settle) apply(outcomes []sender.Outcome, endpoints []int32) {
	c.freed, c.grown = map[int32]struct{}{}, map[int64]int64{}
	for i := range outcomes {
		if d := c.deliveries[deliveryKey{outcomes[i].Seq, endpoints[i]}]; d != nil {
			c.outcome(d, &outcomes[i])
		}
	}
}

// outcome applies one outcome.
func (c *settle) outcome(d *delivery, o *sender.Outcome) {
	if d.after == ended || d.status != sender.Pending {
		return
	}
	known, lost := c.known(d.deliveryKey)
	mine := d.holder == c.instance
	others := d.holder != 0 && !mine
	if o.Attempt == nil && (others || lost && !mine) {
		return
	}
	var attempt, body []byte
	if o.Attempt != nil {
		number := int32(o.Attempt.Number)
		if d.settled[number] {
			c.repeated(d, o, number > max(known, d.own))
			return
		}
		attempt, body = encodeAttempt(o.Attempt), optional(o.Attempt.ResponseBody)
		d.note(number)
		d.own = max(d.own, number)
		d.retry, d.attempts = true, max(d.attempts, number)
		c.counted.Add(int64(d.endpoint), o)
		c.grown[d.seq] += deliveryOverhead + attemptBytes(attempt, body)
	}
	if o.Status != sender.Pending {
		c.pending[d.endpoint]--
	}
	if o.Status > sender.Blocked {
		d.end(o.Status, attempt, body)
		return
	}
	if attempt != nil {
		d.add = append(d.add, settledAttempt{int32(o.Attempt.Number), attempt, body})
	}
	d.after, d.status, d.due = waiting, o.Status, o.Due.UnixMilli()
	switch {
	case o.Status == sender.Blocked:
		d.holder = 0
	case others: // it stays theirs
	case o.Held && !(lost && !mine):
		d.holder = c.instance
	default:
		d.holder = 0
		if o.Attempt == nil {
			c.freed[d.endpoint] = struct{}{}
		}
	}
}

// repeated applies an outcome whose attempt has been settled. When this instance
// did not know that, another one has settled it, while this one held the
// delivery, or believed to.
func (c *settle) repeated(d *delivery, o *sender.Outcome, unknown bool) {
	switch {
	case !unknown:
	case o.Status == sender.Succeeded:
		c.pending[d.endpoint]--
		d.end(sender.Succeeded, nil, nil)
	case d.holder == c.instance:
		d.holder = 0
		c.freed[d.endpoint] = struct{}{}
	}
}

// known is how many attempts of a delivery this instance knew of when it took it,
// and whether it has lost it since. Of one that it did not take, it knows all.
func (c *settle) known(key deliveryKey) (attempts int32, lost bool) {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if h, held := c.s.holds.held[key]; held {
		return h.attempts, false
	}
	if h, lost := c.s.holds.lost[key]; lost {
		return h.attempts, true
	}
	return 1<<31 - 1, false
}

// write adds to a change what the outcomes have changed.
func (c *settle) write(change *change) {
	c.deliveries.write(change)
	change.count(c.instance, &c.counted)
	change.addPending(c.instance, c.pending)
}

// remember keeps in memory what was written.
func (c *settle) remember() {
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	for key, d := range c.deliveries {
		switch {
		case d.after == unwritten:
		case d.holder == c.instance:
			c.s.holds.take(key, d.attempts)
		default:
			c.s.holds.free(key)
		}
		if d.after == ended {
			delete(c.s.holds.lost, key)
		}
	}
	for seq, bytes := range c.grown {
		c.s.grow(seq, bytes)
	}
}

// tell tells the others of deliveries that were put back.
func (c *settle) tell(ctx context.Context) error {
	for number := range c.freed {
		id, err := c.s.name(ctx, c.conn, number)
		if err != nil {
			return err
		}
		c.s.tellBacklog(id)
	}
	return nil
}
