package main

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/manysends/caddy-webhooks/integration/bench/load"
)

// Names of the processes in the tables.
const (
	nameCaddy = "Caddy"
	nameLoad  = "load"
	nameSink  = "sink"
	nameBare  = "bare loop"
)

// startSender starts the Caddy that is measured, with endpoints. Remove it.
func (b *bench) startSender(ctx context.Context, name string, endpoints ...endpoint) (*caddy, error) {
	path, err := b.built(ctx)
	if err != nil {
		return nil, err
	}
	return b.startSenderOf(ctx, path, name, endpoints...)
}

func (b *bench) startSenderOf(ctx context.Context, path, name string, endpoints ...endpoint) (*caddy, error) {
	c, err := b.newCaddy(ctx, path, name)
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

const (
	caseBare      = "bare net/http loop"
	casePublished = "published and delivered"
	caseInTens    = "published in tens and delivered"
	caseAgainst   = "the same by "
)

// rowPublish is how many events a second are stored durably and delivered, beside
// a loop that only posts the same signed requests.
func (b *bench) rowPublish(ctx context.Context, r *Result) (err error) {
	r.Baseline = caseBare
	bare := burst{
		job:     load.Job{Kind: load.Bare, Address: b.sinkAddress, Path: "/e/0", Duration: b.options.duration},
		maker:   b.bare,
		watched: []watched{{nameBare, b.bare.PID()}, {nameSink, b.sink.PID()}},
	}
	turns := []turn{{caseBare, func(of *Case) error {
		o, err := b.run(ctx, r, bare)
		if err != nil {
			return err
		}
		o.speed(of, &bare)
		of.latency("answer", o.report.Answers)
		return nil
	}}}
	path, err := b.built(ctx)
	if err != nil {
		return err
	}
	warm := []burst{bare}
	for _, p := range b.programs(path, casePublished) {
		c, err := b.startSenderOf(ctx, p.path, "publish", b.sinkEndpoint())
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, c.remove()) }()
		if p.name == casePublished {
			inTens := b.publishTo(c)
			inTens.job.Batch = 10
			turns = append(turns, b.publishTurn(ctx, r, p.name, c, b.publishTo(c)),
				b.publishTurn(ctx, r, caseInTens, c, inTens))
		} else {
			turns = append(turns, b.publishTurn(ctx, r, p.name, c, b.publishTo(c)))
		}
		warm = append(warm, b.publishTo(c))
	}
	if err := b.warmUp(ctx, r, warm...); err != nil {
		return err
	}
	return b.rounds(ctx, turns, r, "delivered/s", cost)
}

// rival is a program that takes turns with another.
type rival struct{ path, name string }

// programs are the one that is measured and, if there is one, the one it is
// measured against, with names for their cases.
func (b *bench) programs(path, name string) []rival {
	list := []rival{{path, name}}
	if b.options.against != "" {
		list = append(list, rival{b.options.against, caseAgainst + filepath.Base(b.options.against)})
	}
	return list
}

func (b *bench) publishTurn(ctx context.Context, r *Result, name string, c *caddy, m burst) turn {
	m.profiler = b.profilerOf(c, r, name)
	return turn{name, func(of *Case) error {
		o, err := b.run(ctx, r, m)
		if err != nil {
			return err
		}
		o.speed(of, &m)
		of.add("accepted/s", o.accepted)
		of.latency("202", o.report.Answers)
		of.latency("delivered", o.account.Latency)
		of.addLatency(o.account.Latency)
		return of.memory(c.pid())
	}}
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
