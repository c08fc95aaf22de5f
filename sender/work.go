package sender

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

// run makes the attempt of one delivery after another, as long as the lane has
// one for it.
func (l *lane) run(kind int, d *Delivery) {
	defer l.s.running.Done()
	for d != nil {
		l.mu.Lock()
		t := l.target
		l.mu.Unlock()
		var r *result
		var o Outcome
		switch {
		case t == nil: // it has just gone
			r = &result{abandoned: true}
		case t.refused != nil:
			r = l.s.refuse(t, d)
		default:
			r = l.s.attempt(t, d)
		}
		if !r.abandoned {
			o = l.s.outcome(t, d, r)
		}
		kind, d = l.finish(kind, t, d, r, &o)
	}
}

// outcome says what becomes of a delivery after an attempt.
func (s *Sender) outcome(t *target, d *Delivery, r *result) Outcome {
	a := &r.attempt
	o := Outcome{Seq: d.Seq, EndpointID: d.EndpointID, Type: d.Event.Type, Attempt: a, retried: true, under: r.under, target: t}
	now := o.ended()
	switch a.Verdict {
	case VerdictSucceeded:
		o.Status = Succeeded
	case VerdictBlocked:
		o.Status = Blocked
	case VerdictGone:
		o.Status, o.Due = Pending, now
	default:
		n := a.Number - d.ScheduleStart
		if n > len(t.retry) {
			o.Status = Failed
			break
		}
		wait := jitter(t.retry[n-1], s.random)
		o.Status, o.Due = Pending, now.Add(max(wait, r.retryAfter))
	}
	return o
}

// ended is when the attempt came to its end.
func (o *Outcome) ended() time.Time {
	return o.Attempt.StartedAt.Add(time.Duration(o.Attempt.Duration))
}

// refuse makes no attempt, and says why.
func (s *Sender) refuse(t *target, d *Delivery) *result {
	return &result{
		attempt: Attempt{Number: d.Attempts + 1, StartedAt: s.clock.Now(), Verdict: VerdictBlocked, Error: shortened(t.refused.Error())},
		under:   s.current.Load(),
	}
}

// finish takes in what came of an attempt and gives the worker its next
// delivery; nil when there is none for it.
func (l *lane) finish(kind int, t *target, d *Delivery, r *result, o *Outcome) (int, *Delivery) {
	if !r.abandoned {
		l.s.settling.wait(l.s.attempts())
		l.s.metrics.attempted(t.label, r.attempt.StatusCode, r.attempt.Verdict, time.Duration(r.attempt.Duration))
	}
	settled, kind, following := l.conclude(kind, t, d, r, o)
	if settled {
		l.log(d, o) // without the lock: a log may be slow
	}
	return kind, following
}

// conclude does the part of finish that needs the lane's lock, and tells
// whether the outcome counts: that of an abandoned attempt does not.
func (l *lane) conclude(kind int, t *target, d *Delivery, r *result, o *Outcome) (settled bool, next int, following *Delivery) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running[kind]--
	cancelled := l.underway[d.Seq] || l.deleted
	delete(l.underway, d.Seq)
	switch {
	case r.abandoned && cancelled:
		l.cancel(d)
		return false, 0, nil
	case r.abandoned:
		l.putBack(kind, d)
		l.owed[kind] = l.leaving[kind]
		return false, 0, nil
	case cancelled && o.Status == Pending:
		o.Status, o.Due = Cancelled, time.Time{}
	case o.Status == Failed:
		l.s.notices.add(Notice{
			Kind: NoticeDeliveryFailed, At: l.s.clock.Now(), EndpointID: l.id, Tenant: d.Event.Tenant,
			EventID: d.Event.ID, EventType: d.Event.Type, Attempts: o.Attempt.Number, Reason: o.Attempt.Error,
		})
	}
	if o.Status == Pending {
		l.leaving[again]++
	} else {
		l.s.metrics.finished(t.label, o.Status)
		if began, ok := d.began(); ok && o.Status == Succeeded {
			l.s.metrics.delivered(t.label, o.ended().Sub(began))
		}
	}
	l.s.settling.add(*o)
	l.s.followers.tell(d, o.Status, o.Due, o.Attempt)
	if t.same(l.target) { // and not another endpoint by now
		l.judged(r)
	}
	// The worker goes on itself rather than have another goroutine started.
	next, following = l.take()
	if following != nil {
		l.pump()
	}
	return true, next, following
}

// judged adapts the lane to what an attempt has shown of the endpoint.
func (l *lane) judged(r *result) {
	now := r.attempt.StartedAt.Add(time.Duration(r.attempt.Duration))
	switch r.attempt.Verdict {
	case VerdictSucceeded:
		l.breaker.succeeded()
		l.trust()
		if l.health.succeeded(now) || l.tellsOthers(now) {
			l.s.unhealthy.add(l)
		}
	case VerdictGone:
		l.health.failed(now)
		l.disable("it answered 410 Gone")
	case VerdictRetry:
		if l.health.failed(now) || l.asksOthers(now) {
			l.s.unhealthy.add(l)
		}
		if r.retryAfter > 0 {
			l.rest = later(l.rest, now.Add(r.retryAfter))
		}
		if l.breaker.failed(r.attempt.StartedAt, now, l.s.random) {
			l.s.log.Warn("endpoint keeps failing; it is left alone for a while", "endpoint", l.id,
				"failures", l.breaker.failures, "pause", l.breaker.until.Sub(now), "error", r.attempt.Error)
		}
		if after := l.s.current.Load().disableAfter; l.health.hopeless(now, after) {
			reason := fmt.Sprintf("it has had no success for %s: %s", webhook.Duration(after), r.attempt.Error)
			if l.part != nil {
				l.doubt(now, reason)
			} else {
				l.disable(reason)
			}
		}
	}
}

// log writes one line for a finished delivery, and one for an attempt that
// failed.
func (l *lane) log(d *Delivery, o *Outcome) {
	a := o.Attempt
	level, message := slog.LevelInfo, "attempt failed"
	switch o.Status {
	case Succeeded:
		level, message = slog.LevelDebug, "delivered"
	case Failed:
		level, message = slog.LevelError, "delivery failed: its retries are used up"
	case Cancelled:
		message = "delivery cancelled"
	case Blocked:
		level, message = slog.LevelError, "delivery blocked: it waits until the endpoint or the egress rules change"
	}
	if !l.s.log.Enabled(l.s.background, level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("endpoint", l.id),
		slog.String("event_id", d.Event.ID),
		slog.String("event", d.Event.Type),
		slog.Int("attempt", a.Number),
		slog.Int("status", a.StatusCode),
		slog.Duration("duration", time.Duration(a.Duration)),
	}
	if a.Error != "" {
		attrs = append(attrs, slog.String("error", a.Error))
	}
	if !o.Due.IsZero() {
		attrs = append(attrs, slog.Time("next", o.Due))
	}
	l.s.log.LogAttrs(l.s.background, level, message, attrs...)
}

// claim takes due deliveries out of the store into the lane's queue.
func (l *lane) claim(kind int) {
	defer l.s.running.Done()
	lease, ctx := l.s.lease(), l.s.attempts()
	claimed, err := l.claimFromStore(ctx, kind)

	l.mu.Lock()
	defer l.mu.Unlock()
	l.claiming[kind] = false
	if err != nil {
		if ctx.Err() == nil {
			l.s.log.Error("reading deliveries from the store failed; it is tried again", "endpoint", l.id, "error", err)
		}
		l.stored[kind] = l.s.clock.Now().Add(time.Second)
	} else {
		l.stored[kind] = earlier(l.dueBy(kind, claimed.Next), l.noted[kind])
	}
	l.noted[kind] = time.Time{}
	for _, d := range claimed.Deliveries {
		l.enqueue(kind, d, true)
	}
	// What was put back while these were being claimed is older than they are.
	if !l.open() || lease != l.s.lease() || l.owed[kind] > 0 {
		l.unload()
		return
	}
	l.pump()
}

func (l *lane) claimFromStore(ctx context.Context, kind int) (Claimed, error) {
	select {
	case l.s.claims <- struct{}{}:
		defer func() { <-l.s.claims }()
	case <-ctx.Done():
		return Claimed{}, ctx.Err()
	}
	l.mu.Lock()
	if !l.open() || l.resting() { // since it began to wait for its turn
		defer l.mu.Unlock()
		return Claimed{Next: l.stored[kind]}, nil
	}
	bytes := max(l.share(claimShare)-l.queues[kind].bytes, 0)
	want := min(laneLength[kind]-l.queues[kind].len(), int(bytes/deliveryOverhead)+1)
	if l.breaker.probing() {
		want = 1
	}
	l.mu.Unlock()
	now := l.s.clock.Now()
	if kind == first { // see dueBy
		now = now.AddDate(100, 0, 0)
	}
	return l.s.store.Claim(ctx, ClaimQuery{
		EndpointID: l.id,
		Retries:    kind == again,
		Now:        now,
		Limit:      want,
		Bytes:      bytes,
	})
}
