package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/manysends/caddy-webhooks/integration/bench/load"
)

// step is one point of a growth row.
type step struct {
	x    int
	name string
}

// grow measures points one after the other. begin prepares each and returns
// the burst and the Caddy, which is removed.
func (b *bench) grow(ctx context.Context, r *Result, steps []step, begin func(x int) (burst, *caddy, error)) error {
	for _, s := range steps {
		if err := b.growStep(ctx, r, s, begin); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return nil
}

// growthRounds is how often each point is measured: there are many.
func (b *bench) growthRounds() int { return (b.options.rounds + 1) / 2 }

func (b *bench) growStep(ctx context.Context, r *Result, s step, begin func(x int) (burst, *caddy, error)) (err error) {
	m, c, err := begin(s.x)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.remove()) }()
	flushDisk()
	if err := b.warmUp(ctx, r, m); err != nil {
		return err
	}
	of := r.of(s.name)
	of.X = float64(s.x)
	m.profiler = b.profilerOf(c, r, s.name)
	for range b.growthRounds() {
		o, err := b.run(ctx, r, m)
		if err != nil {
			return err
		}
		of.add("deliveries/s", o.delivered)
		of.add(cost, o.processors[0]/float64(max(o.account.Distinct, 1))*1000)
		of.latency("delivered", o.account.Latency)
		of.addLatency(o.account.Latency)
	}
	return errors.Join(of.memory(c.pid()), b.finishProfiles(ctx))
}

// counts are points that are numbers.
func counts(xs ...int) (steps []step) {
	for _, x := range xs {
		steps = append(steps, step{x, number(float64(x))})
	}
	return steps
}

// rowPayload has events grow.
func (b *bench) rowPayload(ctx context.Context, r *Result) error {
	steps := []step{{1 << 10, "1 KiB"}, {10 << 10, "10 KiB"}, {100 << 10, "100 KiB"}, {1 << 20, "1 MiB"}}
	return b.grow(ctx, r, steps, func(size int) (burst, *caddy, error) {
		c, err := b.startSender(ctx, "payload", b.sinkEndpoint())
		if err != nil {
			return burst{}, nil, err
		}
		m := b.publishTo(c)
		m.job.Payload = size
		return m, c, nil
	})
}

// rowConnections has publishers grow.
func (b *bench) rowConnections(ctx context.Context, r *Result) error {
	return b.grow(ctx, r, counts(1, 10, 100, 1000), func(n int) (burst, *caddy, error) {
		c, err := b.startSender(ctx, "connections", b.sinkEndpoint())
		if err != nil {
			return burst{}, nil, err
		}
		m := b.publishTo(c)
		m.job.Connections = n
		return m, c, nil
	})
}

// rowBatches has publications grow.
func (b *bench) rowBatches(ctx context.Context, r *Result) error {
	return b.grow(ctx, r, counts(1, 10, 100), func(n int) (burst, *caddy, error) {
		c, err := b.startSender(ctx, "batches", b.sinkEndpoint())
		if err != nil {
			return burst{}, nil, err
		}
		m := b.publishTo(c)
		m.job.Batch = n
		return m, c, nil
	})
}

// rowFanout has each event go to more endpoints.
func (b *bench) rowFanout(ctx context.Context, r *Result) error {
	return b.grow(ctx, r, counts(1, 10, 100, 1000), func(n int) (burst, *caddy, error) {
		var endpoints []endpoint
		for i := range n {
			endpoints = append(endpoints, endpoint{id: fmt.Sprintf("sink-%d", i), url: fmt.Sprintf("http://%s/e/%d", b.sinkAddress, i)})
		}
		c, err := b.startSender(ctx, "fanout", endpoints...)
		if err != nil {
			return burst{}, nil, err
		}
		m := b.publishTo(c)
		m.targets = n
		// About as many deliveries at each point, however many an event makes.
		m.job.Limit = max(fanoutDeliveries*int(b.options.duration.Milliseconds())/1000/n, 1)
		m.job.Duration = time.Minute
		return m, c, nil
	})
}

// fanoutDeliveries is how many deliveries the row fanout makes, for each second
// of a round's duration.
const fanoutDeliveries = 5000

// rowEndpoints has each event go to one of more endpoints, each of another
// tenant.
func (b *bench) rowEndpoints(ctx context.Context, r *Result) error {
	return b.grow(ctx, r, counts(1, 10, 100, 1000, 10_000, 100_000), func(n int) (burst, *caddy, error) {
		var endpoints []endpoint
		for i := range n {
			endpoints = append(endpoints, endpoint{id: fmt.Sprintf("sink-%d", i), url: "http://" + b.sinkAddress + "/e/0", tenant: load.Tenant(i)})
		}
		c, err := b.startSender(ctx, "endpoints", endpoints...)
		if err != nil {
			return burst{}, nil, err
		}
		m := b.publishTo(c)
		m.job.Tenants = n
		return m, c, nil
	})
}
