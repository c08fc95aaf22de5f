package main

import (
	"context"
	"errors"

	"github.com/manysends/caddy-webhooks/integration/bench/load"
)

// names of the processes in the tables
const (
	nameCaddy = "Caddy"
	nameLoad  = "load"
	nameSink  = "sink"
	nameBare  = "bare loop"
)

// senderTo starts a Caddy that delivers to the sink.
func (b *bench) senderTo(ctx context.Context, name string, endpoints ...endpoint) (*caddy, error) {
	c, err := b.newCaddy(ctx, name)
	if err != nil {
		return nil, err
	}
	if err := c.start(ctx, senderCaddyfile(c, endpoints...)); err != nil {
		return nil, errors.Join(err, c.remove())
	}
	return c, nil
}

// sinkEndpoint is the endpoint at the sink.
func (b *bench) sinkEndpoint() endpoint {
	return endpoint{id: "sink", url: "http://" + b.sinkAddress + "/e/0"}
}

// publishTo is a burst of events to a Caddy.
func (b *bench) publishTo(c *caddy) burst {
	return burst{
		job:     load.Job{Kind: load.Publish, Address: c.site, Path: "/events", Duration: b.options.duration},
		maker:   b.load,
		watched: []watched{{nameCaddy, c.pid()}, {nameLoad, b.load.PID()}, {nameSink, b.sink.PID()}},
	}
}

// rowPublish is how many events a second are stored durably and delivered, beside
// a loop that only posts the same signed requests.
func (b *bench) rowPublish(ctx context.Context, r *Result) (err error) {
	r.Baseline = "bare net/http loop"
	c, err := b.senderTo(ctx, "publish", b.sinkEndpoint())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.remove()) }()
	toSink := b.publishTo(c)
	bare := burst{
		job:     load.Job{Kind: load.Bare, Address: b.sinkAddress, Path: "/e/0", Duration: b.options.duration},
		maker:   b.bare,
		watched: []watched{{nameBare, b.bare.PID()}, {nameSink, b.sink.PID()}},
	}
	if err := b.warmUp(ctx, r, toSink, bare); err != nil {
		return err
	}
	defer b.profiling(ctx, c, r, &err)()
	return b.rounds(ctx, []turn{
		{"bare net/http loop", func(of *Case) error {
			o, err := b.run(ctx, r, bare)
			if err != nil {
				return err
			}
			o.speed(of, &bare)
			of.latency("answer", o.report.Answers)
			return nil
		}},
		{"published and delivered", func(of *Case) error {
			o, err := b.run(ctx, r, toSink)
			if err != nil {
				return err
			}
			o.speed(of, &toSink)
			of.add("accepted/s", o.accepted)
			of.latency("202", o.report.Answers)
			of.latency("delivered", o.account.Latency)
			of.addLatency(o.account.Latency)
			b.profiled += o.account.Distinct
			return of.memory(c.pid())
		}},
	}, r, "delivered/s")
}

// memory adds the resident memory of a process.
func (c *Case) memory(pid int) error {
	m, err := memoryOf(pid)
	if err != nil {
		return err
	}
	c.add("resident MiB", m.Resident)
	c.add("resident MiB, peak", m.Peak)
	return nil
}
