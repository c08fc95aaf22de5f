package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/manysends/caddy-webhooks/integration/internal/loadtest"
)

// sample is what was measured at one time.
type sample struct {
	after       time.Duration
	goroutines  int
	descriptors int
	resident    int64
	store       int64 // the file with its log
	pending     int64
	events      int64
}

// soak has the traffic go on and measures, until the time is over and all has
// come.
func soak(ctx context.Context, w io.Writer, scene *loadtest.Scene, o options) (samples []sample, err error) {
	scene.Publishers.Start()
	defer scene.Publishers.Stop()
	began := time.Now()
	reloads := 0
	nextReload, nextSample := began.Add(o.reload), began
	fmt.Fprintf(w, "%8s %9s %10s %6s %8s %8s %8s %8s\n", "after", "events", "goroutines", "files", "RSS MiB", "disk MiB", "pending", "reloads")
	for time.Since(began) < o.duration {
		if now := time.Now(); now.After(nextReload) {
			nextReload = now.Add(o.reload)
			reloads++
			if err := scene.Load(ctx, scene.Caddyfile(fmt.Sprint(reloads))); err != nil {
				return samples, fmt.Errorf("reload %d: %w", reloads, err)
			}
		}
		if now := time.Now(); now.After(nextSample) {
			nextSample = now.Add(o.every)
			s, err := measure(ctx, scene)
			if err != nil {
				return samples, err
			}
			s.after = now.Sub(began)
			samples = append(samples, s)
			fmt.Fprintf(w, "%8s %9d %10d %6d %8.1f %8.1f %8d %8d\n", s.after.Round(time.Second), s.events, s.goroutines, s.descriptors,
				float64(s.resident)/(1<<20), float64(s.store)/(1<<20), s.pending, reloads)
		}
		select {
		case <-ctx.Done():
			return samples, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	scene.Publishers.Stop()
	return samples, scene.AwaitDelivered(3 * time.Minute)
}

// measure looks into the process and asks it.
func measure(ctx context.Context, scene *loadtest.Scene) (s sample, err error) {
	var errs [4]error
	s.goroutines, errs[0] = scene.Goroutines(ctx)
	s.descriptors, errs[1] = scene.Descriptors()
	s.resident, errs[2] = scene.Resident()
	status, err := scene.Status(ctx)
	errs[3] = err
	s.pending = status.Backlog.Pending
	s.events = scene.Publishers.Acks.Load()
	for _, suffix := range []string{"", "-wal"} {
		if info, err := os.Stat(scene.Store + suffix); err == nil {
			s.store += info.Size()
		}
	}
	return s, errors.Join(errs[:]...)
}
