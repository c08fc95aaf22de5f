package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// rowBacklog is what deliveries that wait cost: in memory, in the speed of
// another endpoint, on disk, and at a start.
func (b *bench) rowBacklog(ctx context.Context, r *Result) (err error) {
	closed, err := freeAddress(ctx)
	if err != nil {
		return err
	}
	c, err := b.startSender(ctx, "backlog")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.remove()) }()
	healthy := b.sinkEndpoint()
	healthy.events = eventType
	caddyfile := senderCaddyfile(c, healthy, endpoint{id: "dead", url: "http://" + closed + "/", events: deadType})
	if err := c.reload(ctx, caddyfile); err != nil {
		return err
	}
	pending := 0
	for _, goal := range growth(1000, b.options.backlog) {
		if more := goal - pending; more > 0 {
			if err := b.fillMore(c, more); err != nil {
				return err
			}
			pending = goal
		}
		if err := b.backlogStep(ctx, r, c, caddyfile, pending); err != nil {
			return err
		}
	}
	return nil
}

// growth is 0, from, and ten times as much each until to.
func growth(from, to int) []int {
	steps := []int{0}
	for n := from; n < to; n *= 10 {
		steps = append(steps, n)
	}
	return append(steps, to)
}

// backlogStep measures with so many deliveries waiting, before and after a
// restart.
func (b *bench) backlogStep(ctx context.Context, r *Result, c *caddy, caddyfile string, pending int) error {
	of := r.of(number(float64(pending)))
	of.X = float64(pending)
	flushDisk()
	m := b.publishTo(c)
	m.profiler = b.profilerOf(c, r, of.Name)
	for range b.growthRounds() {
		o, err := b.run(ctx, r, m)
		if err != nil {
			return err
		}
		of.add("delivered/s beside", o.delivered)
		of.add(cost, o.processors[0]/float64(max(o.account.Distinct, 1))*1000)
	}
	if err := errors.Join(of.memory(c.pid()), b.finishProfiles(ctx)); err != nil {
		return err
	}
	of.add("on disk, MiB", folderSize(filepath.Join(c.home, "data")))
	if err := c.stop(); err != nil {
		return err
	}
	began := time.Now()
	if err := c.start(ctx, caddyfile); err != nil {
		return err
	}
	of.add("start, ms", milliseconds(time.Since(began)))
	if err := b.firstDelivery(ctx, r, of, c, began); err != nil {
		return err
	}
	memory, err := memoryOf(c.pid())
	of.add("resident MiB after a start", memory.Resident)
	return err
}

// firstDelivery measures how long a new process takes to deliver something.
func (b *bench) firstDelivery(ctx context.Context, r *Result, of *Case, c *caddy, began time.Time) error {
	m := b.publishTo(c)
	m.job.Limit, m.job.Connections = 1, 1
	if _, err := b.run(ctx, r, m); err != nil {
		return fmt.Errorf("after a restart: %w", err)
	}
	of.add("start to first delivery, ms", milliseconds(time.Since(began)-settlePause))
	return nil
}

// folderSize is how many MiB the files of a folder have.
func folderSize(dir string) float64 {
	var bytes int64
	_ = filepath.WalkDir(dir, func(_ string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return nil //nolint:nilerr // files come and go
		}
		if info, err := entry.Info(); err == nil {
			bytes += info.Size()
		}
		return nil
	})
	return float64(bytes) / (1 << 20)
}
