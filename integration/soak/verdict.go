package main

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/manysends/caddy-webhooks/integration/internal/loadtest"
)

// leeway is how much something may seem to grow over the second half of a soak,
// as a share of its mean: what comes and goes is never quite even.
const leeway = 0.2

// steady is how long a soak must be for growth to be told from warming up: events are purged
// once in a minute.
const steady = 5 * time.Minute

// quantities are what must not grow, with the least that counts.
var quantities = []struct {
	name  string
	least float64
	of    func(sample) float64
}{
	{"goroutines", 20, func(s sample) float64 { return float64(s.goroutines) }},
	{"open files", 20, func(s sample) float64 { return float64(s.descriptors) }},
	{"resident memory (bytes)", 16 << 20, func(s sample) float64 { return float64(s.resident) }},
	{"disk (bytes)", 8 << 20, func(s sample) float64 { return float64(s.store) }},
}

// verdict says what has grown, and what became of the events.
func verdict(w io.Writer, scene *loadtest.Scene, samples []sample) error {
	var errs []error
	half := samples[len(samples)/2:]
	for _, q := range quantities {
		growth, mean := trend(half, q.of)
		word := "flat"
		switch {
		case samples[len(samples)-1].after < steady:
			word = "too short to tell"
		case growth > max(leeway*mean, q.least):
			word = "GROWS"
			errs = append(errs, fmt.Errorf("the number of %s grows: by %.0f over the second half, where it is %.0f on average", q.name, growth, mean))
		}
		fmt.Fprintf(w, "%-24s %s: mean of the second half %.0f, by its regression line %+.0f over it\n", q.name, word, mean, growth)
	}
	for _, name := range scene.Ledger.Endpoints() {
		a := scene.Ledger.Account(name)
		fmt.Fprintf(w, "%-12s promised %d, lost %d, repeated %d\n", name, a.Promised, len(a.Lost), len(a.Repeats))
		if len(a.Lost)+len(a.Repeats) > 0 {
			errs = append(errs, fmt.Errorf("%s lost %d events and got %d again: %v %v", name, len(a.Lost), len(a.Repeats), a.Lost, a.Repeats))
		}
	}
	for _, name := range scene.Publishers.Endpoints {
		if m := scene.Site.Misordered(name); len(m) > 0 {
			errs = append(errs, fmt.Errorf("%s got events after later ones: %v", name, m))
		}
	}
	if wrong, _ := scene.Publishers.Received.Wrong(); len(wrong) > 0 {
		errs = append(errs, fmt.Errorf("the receiver answered wrongly: %v", wrong))
	}
	return errors.Join(errs...)
}

// trend is by how much a quantity grows from the first sample to the last, by
// the line of least squares through all of them, and its mean.
func trend(samples []sample, of func(sample) float64) (growth, mean float64) {
	n := float64(len(samples))
	var x, y float64
	for _, s := range samples {
		x += s.after.Seconds() / n
		y += of(s) / n
	}
	var covariance, variance float64
	for _, s := range samples {
		dx := s.after.Seconds() - x
		covariance += dx * (of(s) - y)
		variance += dx * dx
	}
	if variance == 0 {
		return 0, y
	}
	return covariance / variance * (samples[len(samples)-1].after - samples[0].after).Seconds(), y
}
