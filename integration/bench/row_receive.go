package main

import (
	"context"
	"errors"

	"github.com/manysends/caddy-webhooks/integration/bench/load"
)

const (
	casePlain   = "reverse_proxy"
	caseReceive = "webhook_receive, then reverse_proxy"
	caseNginx   = "nginx, proxy_pass"

	withBuffers = " with request_buffers"
)

// equalCollection has every Caddy collect its garbage when it has used up the
// same memory, rather than a multiple of what lives. What is remembered would
// otherwise make collections rarer, and look as if it cost nothing.
var equalCollection = []string{"GOGC=off", "GOMEMLIMIT=400MiB"}

// rowReceive is what webhook_receive adds to a Caddy that passes requests on.
func (b *bench) rowReceive(ctx context.Context, r *Result) (err error) {
	r.Baseline = casePlain
	path, err := b.built(ctx)
	if err != nil {
		return err
	}
	var turns []turn
	var warm []burst
	add := func(c *caddy, name, address string, pids ...int) {
		m := burst{
			job:   load.Job{Kind: load.Signed, Address: address, Path: "/hooks", Duration: b.options.duration},
			maker: b.load,
		}
		if c != nil {
			m.profiler = b.profilerOf(c, r, name)
		}
		for _, pid := range pids {
			m.watched = append(m.watched, watched{"gate", pid})
		}
		m.watched = append(m.watched, watched{nameLoad, b.load.PID()}, watched{nameSink, b.sink.PID()})
		warm = append(warm, m)
		turns = append(turns, turn{name, func(of *Case) error { return b.gateTurn(ctx, r, of, m, pids) }})
	}
	for _, g := range b.gates(path) {
		c, err := b.newCaddy(ctx, g.path, "receive", equalCollection...)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, c.remove()) }()
		if err := c.start(ctx, gateCaddyfile(c, b.sinkAddress, g.gate)); err != nil {
			return err
		}
		add(c, g.name, c.site, c.pid())
	}
	n, err := b.startNginx(ctx)
	if err != nil {
		return err
	}
	if n != nil {
		defer func() { err = errors.Join(err, n.remove()) }()
		add(nil, caseNginx, n.site, n.pids()...)
	}
	if err := b.warmUp(ctx, r, warm...); err != nil {
		return err
	}
	return b.rounds(ctx, turns, r, "requests/s", "CPU µs per request")
}

// gated is a program that passes requests on in one way.
type gated struct {
	rival
	gate
}

// gates are the ways that are compared.
func (b *bench) gates(path string) []gated {
	list := []gated{{rival{path, casePlain}, gate{}}}
	for _, p := range b.programs(path, caseReceive) {
		list = append(list, gated{p, gate{receive: true}})
	}
	return append(list,
		gated{rival{path, casePlain + withBuffers}, gate{buffers: true}},
		gated{rival{path, caseReceive + withBuffers}, gate{receive: true, buffers: true}})
}

// gateTurn measures a server that passes requests on.
func (b *bench) gateTurn(ctx context.Context, r *Result, of *Case, m burst, pids []int) error {
	o, err := b.run(ctx, r, m)
	if err != nil {
		return err
	}
	requests := float64(max(o.account.Distinct, 1))
	var seconds, resident float64
	for i, pid := range pids {
		seconds += o.processors[i]
		memory, err := memoryOf(pid)
		if err != nil {
			return err
		}
		resident += memory.Resident
	}
	of.add("requests/s", o.accepted)
	of.add("CPU µs per request", seconds/requests*1e6)
	of.latency("answer", o.report.Answers)
	of.addLatency(o.report.Answers)
	of.add("resident MiB", resident)
	return nil
}
