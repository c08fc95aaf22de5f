package main

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// turn measures one case once.
type turn struct {
	name string
	do   func(of *Case) error
}

// rounds has the turns take turns, in the other order every second time, and
// compares what is named with the result's baseline.
func (b *bench) rounds(ctx context.Context, turns []turn, r *Result, compared ...string) error {
	return b.roundsOf(ctx, b.options.rounds, turns, r, compared...)
}

// roundsOf is rounds with another number of them.
func (b *bench) roundsOf(ctx context.Context, n int, turns []turn, r *Result, compared ...string) error {
	flushDisk()
	for _, t := range turns {
		r.of(t.name) // so that the order is that of the turns
	}
	for round := range n {
		order := slices.Clone(turns)
		if round%2 == 1 {
			slices.Reverse(order)
		}
		for _, t := range order {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := t.do(r.of(t.name)); err != nil {
				return fmt.Errorf("%s: %w", t.name, err)
			}
		}
	}
	if len(compared) > 0 {
		r.compare(compared...)
	}
	return b.finishProfiles(ctx)
}

// flushDisk has all that was written go to the disk: programs that were built and
// stores that were filled would be flushed while others wait for their fsyncs.
func flushDisk() { unix.Sync() }

// warmUp makes bursts of a second at most that count for nothing but their
// faults: connections are made, files grow, caches fill.
func (b *bench) warmUp(ctx context.Context, r *Result, bursts ...burst) error {
	for _, m := range bursts {
		m.job.Duration = min(time.Second, b.options.duration)
		m.profiler = nil
		if _, err := b.run(ctx, r, m); err != nil {
			return err
		}
	}
	return nil
}
