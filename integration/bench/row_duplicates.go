package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/manysends/caddy-webhooks/integration/bench/load"
)

// rowDuplicates sends events several times, from two processes at once and once
// more afterwards, through a real webhook_receive, and counts what gets through.
func (b *bench) rowDuplicates(ctx context.Context, r *Result) (err error) {
	path, err := b.built(ctx)
	if err != nil {
		return err
	}
	c, err := b.newCaddy(ctx, path, "duplicates")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.remove()) }()
	if err := c.start(ctx, gateCaddyfile(c, b.sinkAddress, gate{receive: true})); err != nil {
		return err
	}
	for range b.options.rounds {
		if err := b.duplicates(ctx, r, c); err != nil {
			return err
		}
	}
	return nil
}

// duplicateEvents is how many events are sent three times in each round, for
// each second of a round's duration.
const duplicateEvents = 5000

func (b *bench) duplicates(ctx context.Context, r *Result, c *caddy) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b.runs++
	events := max(int(duplicateEvents*b.options.duration.Seconds()), 100)
	j := load.Job{
		Kind: load.Signed, Address: c.site, Path: "/hooks", Run: b.runs, Connections: b.options.connections / 2,
		Limit: events, Payload: b.options.payload, Type: eventType, Secret: secret, Timeless: true,
	}
	j.Connections = max(j.Connections, 1)
	if err := b.sink.Begin(load.Plan{Run: b.runs, Events: events, VerifyEvery: verifyEvery, Secret: secret}); err != nil {
		return err
	}
	began := time.Now()
	other := make(chan error, 1)
	go func() { other <- failedOf(b.bare.Do(j)) }()
	first, err := b.load.Do(j)
	if err := errors.Join(failedOf(first, err), <-other); err != nil {
		return err
	}
	again, err := b.load.Do(j)
	if err := failedOf(again, err); err != nil {
		return err
	}
	took := time.Since(began)
	account, err := b.sink.End(first)
	if err != nil {
		return err
	}
	of := r.of("webhook_receive")
	of.add("sent", float64(3*events))
	of.add("different", float64(events))
	of.add("let through", float64(account.Arrived))
	of.add("let through twice", float64(account.Arrived-account.Distinct))
	of.add("requests/s", float64(3*events)/took.Seconds())
	o := outcome{report: first, account: account}
	r.Faults = append(r.Faults, o.faults()...)
	return of.memory(c.pid())
}

// failedOf is an error if requests of a job were refused.
func failedOf(report *load.Report, err error) error {
	if err == nil && len(report.Failed) > 0 {
		err = fmt.Errorf("%d requests were refused: %v", len(report.Failed), report.Reasons)
	}
	return err
}
