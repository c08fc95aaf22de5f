package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/manysends/caddy-webhooks/integration/bench/load"
)

const (
	// neighbourQueued is how many deliveries wait for the dead endpoint.
	neighbourQueued = 100_000
	// neighbourRate is how many events a second the healthy one gets.
	neighbourRate = 500
	// fillBatch is how many events are published in one request where only
	// their number matters.
	fillBatch = 1000
	// deadType is the type of the events of the dead endpoint.
	deadType = "message.deleted"
)

const (
	caseAlone  = "alone"
	caseSilent = "beside one that never answers"
	caseClosed = "beside one that refuses connections"
	caseSame   = "beside one that never answers and gets the same events"
)

// rowNeighbour is what a dead endpoint with much queued costs a healthy one.
func (b *bench) rowNeighbour(ctx context.Context, r *Result) (err error) {
	r.Baseline = caseAlone
	closed, err := freeAddress(ctx)
	if err != nil {
		return err
	}
	var turns []turn
	silent := "http://" + b.sinkAddress + load.SilentPath
	for _, n := range []struct{ name, dead, events string }{
		{caseAlone, "", ""},
		{caseSilent, silent, deadType},
		{caseClosed, "http://" + closed + "/", deadType},
		{caseSame, silent, deadType + " " + eventType},
	} {
		c, err := b.startSender(ctx, "neighbour")
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, c.remove()) }()
		healthy := b.sinkEndpoint()
		healthy.events = eventType
		resting := senderCaddyfile(c, healthy)
		working := resting
		if n.dead != "" {
			working = senderCaddyfile(c, healthy, endpoint{id: "dead", url: n.dead, events: n.events, extra: []string{"timeout 1s"}})
			if err := b.fill(ctx, c, working, neighbourQueued); err != nil {
				return err
			}
		}
		if err := c.reload(ctx, resting); err != nil {
			return err
		}
		turns = append(turns, b.neighbourTurn(ctx, r, n.name, c, working, resting))
	}
	if err := b.roundsOf(ctx, b.growthRounds(), turns, r, "delivered p50, ms", "delivered p99, ms", cost); err != nil {
		return err
	}
	// One moment in which the disk does not answer is a hundredth of a round.
	for _, c := range r.Cases {
		c.add(p99OfAll, milliseconds(c.latencies.Quantile(0.99)))
	}
	r.compare(p99OfAll)
	return nil
}

const p99OfAll = "delivered p99 of all rounds, ms"

// neighbourTurn has a Caddy work with its dead endpoint while it is measured,
// and without it while others are.
func (b *bench) neighbourTurn(ctx context.Context, r *Result, name string, c *caddy, working, resting string) turn {
	m := b.publishTo(c)
	m.job.Rate = neighbourRate
	m.profiler = b.profilerOf(c, r, name)
	m.job.Duration *= 2 // the p99 is that of few events
	return turn{name, func(of *Case) error {
		if err := c.reload(ctx, working); err != nil {
			return err
		}
		if err := b.warmUp(ctx, r, m); err != nil {
			return err
		}
		o, err := b.run(ctx, r, m)
		if err != nil {
			return err
		}
		of.latency("delivered", o.account.Latency)
		o.costs(of, &m)
		of.addLatency(o.account.Latency)
		return c.reload(ctx, resting)
	}}
}

// fill publishes events for an endpoint that does not take them, which is in the
// Caddyfile that it leaves loaded.
func (b *bench) fill(ctx context.Context, c *caddy, caddyfile string, events int) error {
	if err := c.reload(ctx, caddyfile); err != nil {
		return err
	}
	return b.fillMore(c, events)
}

// fillMore publishes events of the dead endpoint in large batches.
func (b *bench) fillMore(c *caddy, events int) error {
	b.runs++
	batch := min(fillBatch, events)
	report, err := b.load.Do(load.Job{
		Kind: load.Publish, Address: c.site, Path: "/events", Run: b.runs, Connections: 4, Duration: 30 * time.Minute,
		Limit: events / batch, Batch: batch, Payload: b.options.payload, Type: deadType,
	})
	if err := failedOf(report, err); err != nil {
		return fmt.Errorf("filling the store: %w", err)
	}
	return nil
}
