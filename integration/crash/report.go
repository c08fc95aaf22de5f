package main

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/manysends/caddy-webhooks/integration/internal/loadtest"
)

// report prints what has become of everything.
func (d *drill) report(w io.Writer) {
	total := 0
	for _, moment := range slices.Sorted(maps.Keys(d.kills)) {
		total += d.kills[moment]
		fmt.Fprintf(w, "kills %s: %d\n", moment, d.kills[moment])
	}
	fmt.Fprintf(w, "kills: %d\nevents acknowledged: %d (a request had no 202 %d times)\n", total,
		d.scene.Publishers.Acks.Load(), d.scene.Publishers.Refusals.Load())
	fmt.Fprintf(w, "%-12s %9s %6s %9s %9s %10s %10s\n", "endpoint", "promised", "lost", "once", "repeated", "in hand", "oldest")
	for _, name := range d.scene.Ledger.Endpoints() {
		a := d.scene.Ledger.Account(name)
		inHand, oldest := 0, time.Duration(0)
		for _, n := range a.InHand {
			inHand += n
		}
		for _, r := range a.Repeats {
			oldest = max(oldest, r.Age)
		}
		fmt.Fprintf(w, "%-12s %9d %6d %9d %9d %10d %10s\n", name, a.Promised, len(a.Lost), a.Once, len(a.Repeats), inHand, oldest.Round(time.Millisecond))
	}
	fmt.Fprintf(w, "in hand: had come within %s before a kill; oldest: how long before the kill a repeated one had come\n", loadtest.Recent)
	perKill := d.repeatsPerKill(total)
	fmt.Fprintf(w, "repeats per kill, over all endpoints: %s\n", quantiles(perKill, func(n int) string { return fmt.Sprint(n) }))
	fmt.Fprintf(w, "from start to the next 202: %s\n", quantiles(d.recovery, func(t time.Duration) string { return t.Round(time.Millisecond).String() }))
	fmt.Fprintf(w, "until everything had come after the last publication: %s\n", d.waited.Round(time.Millisecond))
	wrong, resent := d.scene.Publishers.Received.Wrong()
	fmt.Fprintf(w, "receiver: old events sent again: %d; wrong answers: %d\n", resent, len(wrong))
}

// repeatsPerKill counts the repeats of the endpoints by the kill they are of.
func (d *drill) repeatsPerKill(kills int) []int {
	byLife := make(map[int]int)
	for _, name := range d.scene.Publishers.Endpoints {
		for _, r := range d.scene.Ledger.Account(name).Repeats {
			byLife[r.Life]++
		}
	}
	counts := slices.Collect(maps.Values(byLife))
	for len(counts) < kills {
		counts = append(counts, 0)
	}
	return counts
}

// quantiles prints the median, the 90th and the 99th of a hundred, and the
// greatest.
func quantiles[T ~int | ~int64](values []T, show func(T) string) string {
	if len(values) == 0 {
		return "none"
	}
	slices.Sort(values)
	at := func(q float64) string { return show(values[min(int(q*float64(len(values))), len(values)-1)]) }
	return fmt.Sprintf("p50 %s, p90 %s, p99 %s, max %s", at(0.5), at(0.9), at(0.99), show(values[len(values)-1]))
}

// verdict says what should not have been.
func (d *drill) verdict(recent time.Duration) error {
	var errs []error
	for _, name := range d.scene.Ledger.Endpoints() {
		errs = append(errs, judge(name, d.scene.Ledger.Account(name), recent))
	}
	for _, name := range d.scene.Publishers.Endpoints {
		if m := d.scene.Site.Misordered(name); len(m) > 0 {
			errs = append(errs, fmt.Errorf("%s got %d events after later ones: %s", name, len(m), some(m)))
		}
	}
	if wrong, _ := d.scene.Publishers.Received.Wrong(); len(wrong) > 0 {
		errs = append(errs, fmt.Errorf("the receiver answered wrongly: %s", some(wrong)))
	}
	return errors.Join(errs...)
}

// judge says what is wrong with the account of an endpoint, where what had come
// so recently before a kill may come again.
func judge(name string, a loadtest.Account, recent time.Duration) error {
	var errs []error
	if len(a.Lost) > 0 {
		errs = append(errs, fmt.Errorf("%s never got %d acknowledged events: %s", name, len(a.Lost), some(a.Lost)))
	}
	var without, old []string
	for _, r := range a.Repeats {
		switch {
		case r.Life == r.Again:
			without = append(without, r.ID)
		case r.Age > recent:
			old = append(old, fmt.Sprintf("%s (%s before)", r.ID, r.Age.Round(time.Millisecond)))
		}
	}
	if len(without) > 0 {
		errs = append(errs, fmt.Errorf("%s got %d events again without a kill: %s", name, len(without), some(without)))
	}
	if len(old) > 0 {
		errs = append(errs, fmt.Errorf("%s got %d events again that had come long before the kill: %s", name, len(old), some(old)))
	}
	return errors.Join(errs...)
}

// some are the first few of a list.
func some(list []string) string {
	if len(list) > 5 {
		return strings.Join(list[:5], ", ") + ", …"
	}
	return strings.Join(list, ", ")
}
