package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// rowLatency is how long an event takes from the time it is to be published at
// until it has arrived, when there are few of them.
func (b *bench) rowLatency(ctx context.Context, r *Result) (err error) {
	c, err := b.startSender(ctx, "latency", b.sinkEndpoint())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.remove()) }()
	if err := b.warmUp(ctx, r, b.publishTo(c)); err != nil {
		return err
	}
	var turns []turn
	for _, rate := range []float64{50, 500} {
		m := b.publishTo(c)
		m.job.Rate = rate
		m.job.Duration = 2 * b.options.duration
		name := fmt.Sprintf("%.0f events/s", rate)
		m.profiler = b.profilerOf(c, r, name)
		turns = append(turns, turn{name, func(of *Case) error {
			time.Sleep(settlePause) // for what the turn before has left to do
			o, err := b.run(ctx, r, m)
			if err != nil {
				return err
			}
			of.latency("delivered", o.account.Latency)
			of.latency("202", o.report.Answers)
			of.add("sent late p99, ms", milliseconds(o.report.Late.Quantile(0.99)))
			o.costs(of, &m)
			of.addLatency(o.account.Latency)
			return nil
		}})
	}
	return b.rounds(ctx, turns, r)
}
