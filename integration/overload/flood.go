package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/manysends/caddy-webhooks/integration/internal/loadtest"
)

// The connections that the capacity is measured with, and for how long.
const (
	capacityConnections = 64
	capacityTime        = 3 * time.Second
)

// flood goes through an overload and says what was wrong with it.
func flood(w io.Writer, scene *loadtest.Scene, o options) error {
	f := &loadtest.Flood{Address: scene.Address, Ledger: scene.Ledger, Endpoints: scene.Publishers.Endpoints, Data: o.data}
	before := f.Closed(1, time.Second)
	usual := quantile(before.Accepted, 0.5)
	capacity := f.Closed(capacityConnections, capacityTime)
	rate := float64(len(capacity.Accepted)) / capacityTime.Seconds()
	fmt.Fprintf(w, "capacity: %.0f events/s over %d connections, 202 in %s\n", rate, capacityConnections, spread(capacity.Accepted))
	memory, err := scene.Resident()
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "memory: %d MiB\n", memory>>20)

	stop, peak := make(chan struct{}), make(chan int64)
	go watchMemory(scene, stop, peak)
	over := f.Open(o.factor*rate, o.duration)
	close(stop)
	most := <-peak
	seconds := o.duration.Seconds()
	fmt.Fprintf(w, "overload: %.0f/s for %s: sent %.0f/s (of which %.0f/s accepted, %.0f/s refused, %d broken off), not sent because %d connections waited: %.0f/s\n",
		o.factor*rate, o.duration, float64(over.Sent)/seconds, float64(len(over.Accepted))/seconds, float64(len(over.Refused))/seconds, over.Broken,
		maxWaiting, float64(over.Unsent)/seconds)
	fmt.Fprintf(w, "accepted in %s; refused in %s; connections made in %s; memory at most %d MiB\n",
		spread(over.Accepted), spread(over.Refused), spread(over.Connecting), most>>20)

	recovered, ok := recovery(f, usual)
	fmt.Fprintf(w, "as quick as before (%s) after %s\n", usual.Round(time.Microsecond), recovered.Round(10*time.Millisecond))
	began := time.Now()
	err = scene.AwaitDelivered(5 * time.Minute)
	fmt.Fprintf(w, "everything accepted was delivered after another %s\n", time.Since(began).Round(10*time.Millisecond))
	a := scene.Ledger.Account("fast")
	fmt.Fprintf(w, "accepted %d, lost %d, repeated %d\n", a.Promised, len(a.Lost), len(a.Repeats))
	if !ok && !o.untimed {
		err = errors.Join(err, fmt.Errorf("it did not become as quick as before within %s", recovered))
	}
	if most > o.memory<<20 {
		err = errors.Join(err, fmt.Errorf("it needed %d MiB of memory, more than %d", most>>20, o.memory))
	}
	return errors.Join(err, judge(a, capacity), judge(a, over))
}

// judge says what is wrong with the answers, and with what became of the
// accepted events.
func judge(a loadtest.Account, answers loadtest.Answers) error {
	var errs []error
	for status, n := range answers.Statuses {
		if status != http.StatusAccepted && status != http.StatusServiceUnavailable {
			errs = append(errs, fmt.Errorf("%d requests were answered with %d", n, status))
		}
	}
	if answers.Abrupt > 0 {
		errs = append(errs, fmt.Errorf("%d refusals do not say when to come again", answers.Abrupt))
	}
	if len(a.Lost)+len(a.Repeats) > 0 {
		errs = append(errs, fmt.Errorf("%d accepted events were lost and %d repeated", len(a.Lost), len(a.Repeats)))
	}
	return errors.Join(errs...)
}

// maxWaiting is how many requests wait at once at most, on this side.
const maxWaiting = loadtest.MaxConnections

// watchMemory tells the most memory that Caddy had until it is stopped.
func watchMemory(scene *loadtest.Scene, stop <-chan struct{}, peak chan<- int64) {
	var most int64
	for {
		if now, err := scene.Resident(); err == nil {
			most = max(most, now)
		}
		select {
		case <-stop:
			peak <- most
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// recovery publishes one event after the other until the usual time has come
// back: until half of twenty take no more than three times as long.
func recovery(f *loadtest.Flood, usual time.Duration) (took time.Duration, ok bool) {
	const patience = 2 * time.Minute
	began := time.Now()
	var last []time.Duration
	for time.Since(began) < patience {
		last = append(last, f.Closed(1, time.Millisecond).Accepted...)
		if last = last[max(len(last)-20, 0):]; len(last) == 20 && quantile(last, 0.5) <= 3*usual {
			return time.Since(began), true
		}
	}
	return patience, false
}

// quantile is the value that so large a share of the values is below.
func quantile(values []time.Duration, q float64) time.Duration {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// spread prints quantiles.
func spread(values []time.Duration) string {
	at := func(q float64) time.Duration { return quantile(values, q).Round(10 * time.Microsecond) }
	return fmt.Sprintf("p50 %s, p99 %s, max %s", at(0.5), at(0.99), at(1))
}
