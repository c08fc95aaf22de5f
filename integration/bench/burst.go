package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/manysends/caddy-webhooks/integration/bench/load"
)

// burst is one measurement: load, what arrives of it, and what it cost.
type burst struct {
	job     load.Job
	targets int // endpoints that get each event; 0: one
	maker   *load.Worker
	watched []watched // whose processor time is measured
	family  string    // the one of them whose children are, too

	profiler *profiler
}

// watched is a process.
type watched struct {
	name string
	pid  int
}

// outcome is what a burst has shown.
type outcome struct {
	report     *load.Report
	account    *load.Account
	delivered  float64   // a second, from the first request to the last arrival
	accepted   float64   // a second
	processors []float64 // seconds of the watched, by their order
}

const (
	// arrivalPatience is how long nothing may arrive before the rest counts as
	// lost. It is longer than the sender's first wait before it tries again.
	arrivalPatience = 20 * time.Second

	// settlePause is how long processes may still work on what has arrived.
	settlePause = 300 * time.Millisecond

	// verifyEvery is how many deliveries come to one whose signature is looked at.
	verifyEvery = 64

	// fastest is more events a second than this machine can have made.
	fastest = 200_000
)

// run makes the load, waits until all has arrived, and accounts for it. What is
// wrong goes into the result.
func (b *bench) run(ctx context.Context, r *Result, m burst) (*outcome, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b.runs++
	m.job.Run = b.runs
	if m.job.Type == "" {
		m.job.Type = eventType
	}
	if m.job.Payload == 0 {
		m.job.Payload = b.options.payload
	}
	if m.job.Connections == 0 {
		m.job.Connections = b.options.connections
	}
	m.job.Secret = secret
	return m.profiler.during(ctx, min(m.job.Duration, 2*b.options.duration), func() (*outcome, error) { return b.make(r, m) })
}

// make is run for a job that says all.
func (b *bench) make(r *Result, m burst) (*outcome, error) {
	targets := max(m.targets, 1)
	plan := load.Plan{Run: b.runs, Events: m.capacity(), Targets: targets, VerifyEvery: verifyEvery, Secret: secret}
	if err := b.sink.Begin(plan); err != nil {
		return nil, err
	}
	before, err := m.processors()
	if err != nil {
		return nil, err
	}
	report, err := m.maker.Do(m.job)
	if err != nil {
		return nil, err
	}
	if err := b.sink.Await((report.Sent-len(report.Failed))*targets, arrivalPatience); err != nil {
		return nil, err
	}
	time.Sleep(settlePause)
	after, err := m.processors()
	if err != nil {
		return nil, err
	}
	account, err := b.sink.End(report)
	if err != nil {
		return nil, err
	}
	o := &outcome{report: report, account: account, processors: after}
	for i := range after {
		o.processors[i] -= before[i]
	}
	if took := time.Duration(account.Last - report.First); took > 0 {
		o.delivered = float64(account.Distinct) / took.Seconds()
	}
	if took := time.Duration(report.Last - report.First); took > 0 {
		o.accepted = float64(report.Sent-len(report.Failed)) / took.Seconds()
	}
	r.Faults = append(r.Faults, o.faults()...)
	return o, nil
}

// capacity is how many events there can be at most.
func (m *burst) capacity() int {
	batch := max(m.job.Batch, 1)
	switch {
	case m.job.Limit > 0:
		return m.job.Limit * batch
	case m.job.Rate > 0:
		return int(m.job.Rate*m.job.Duration.Seconds()+1) * batch
	}
	return int(fastest*m.job.Duration.Seconds()) + batch
}

func (m *burst) processors() ([]float64, error) {
	seconds := make([]float64, len(m.watched))
	for i, w := range m.watched {
		var err error
		seconds[i], err = processorSeconds(w.pid)
		if w.name == m.family {
			seconds[i], err = treeSeconds(w.pid)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", w.name, err)
		}
	}
	return seconds, nil
}

// faults are what must not be: nothing was killed, so that every event that was
// accepted arrives, and once.
func (o *outcome) faults() (list []string) {
	a := o.account
	add := func(n int, format string) {
		if n != 0 {
			list = append(list, fmt.Sprintf(format, n))
		}
	}
	add(a.Missing, "%d deliveries of accepted events are missing")
	add(a.Arrived-a.Distinct-a.Strays, "%d deliveries came twice")
	add(a.Strays, "%d requests arrived that belong to no event of the run")
	add(a.Forged, "%d signatures are wrong")
	if len(o.report.Failed) > 0 {
		list = append(list, fmt.Sprintf("%d events were not accepted: %s", len(o.report.Failed), strings.Join(slices.Compact(o.report.Reasons), "; ")))
	}
	return list
}

// speed adds what a burst says of speed and cost to a case.
func (o *outcome) speed(c *Case, m *burst) {
	c.add("delivered/s", o.delivered)
	o.costs(c, m)
}

// cost names the processor time of the process that is measured, and of another.
const cost = "CPU s per 1,000"

// costs adds the processor time of each process. The first one is the one that
// is measured.
func (o *outcome) costs(c *Case, m *burst) {
	for i, w := range m.watched {
		name := cost
		if i > 0 {
			name += ": " + w.name
		}
		c.add(name, o.processors[i]/float64(max(o.account.Distinct, 1))*1000)
	}
}

// latency adds percentiles of a histogram to a case.
func (c *Case) latency(what string, h *load.Histogram) {
	for _, q := range []struct {
		name string
		at   float64
	}{{"p50", 0.5}, {"p99", 0.99}, {"max", 1}} {
		c.add(what+" "+q.name+", ms", milliseconds(h.Quantile(q.at)))
	}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
