package storetest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// counters are what a query selects.
func (f *fixture) counters(q sender.CounterQuery) []sender.Counter {
	f.t.Helper()
	counters, err := f.store.Counters(f.t.Context(), q)
	if err != nil {
		f.t.Fatalf("Counters: %v", err)
	}
	return counters
}

// wantCounters compares what a query selects with counters written as "minutes
// after the start, endpoint, type, attempts".
func (f *fixture) wantCounters(q sender.CounterQuery, want ...string) {
	f.t.Helper()
	var got []string
	for _, c := range f.counters(q) {
		got = append(got, fmt.Sprintf("%v %s %s %d", c.Start.Sub(start).Minutes(), c.EndpointID, c.Type, c.Attempts))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		f.t.Errorf("counters (-want +got):\n%s", diff)
	}
}

// tried is an outcome of an attempt that began some time after the start.
func tried(seq int64, endpoint, eventType string, number int, status sender.Status, after, took time.Duration) sender.Outcome {
	a := attempt(number, sender.VerdictRetry)
	a.StartedAt, a.Duration = start.Add(after), webhook.Duration(took)
	return sender.Outcome{Seq: seq, EndpointID: endpoint, Status: status, Due: at(0), Held: true, Type: eventType, Attempt: a}
}

func testCounters(f *fixture) {
	seqs := f.put(event("1", at(1), "a", "b"), event("2", at(2), "a", "b"), event("3", at(3), "a"))
	const ms = time.Millisecond
	f.settle(
		tried(seqs[0], "a", "x", 1, sender.Pending, 0, 1*ms), tried(seqs[1], "a", "x", 1, sender.Pending, 59*time.Second, 1*ms+1),
		tried(seqs[2], "a", "y", 1, sender.Blocked, 59999*ms, 0), tried(seqs[0], "b", "x", 1, sender.Succeeded, 0, 30*time.Second),
	)
	f.settle(
		tried(seqs[0], "a", "x", 2, sender.Failed, time.Minute, 31*time.Second), tried(seqs[1], "a", "x", 2, sender.Succeeded, 59*time.Second, time.Hour),
		tried(seqs[1], "b", "x", 1, sender.Cancelled, 30*time.Minute, 100*ms),
	)
	// Which class a duration belongs to is said by sender.Counts.
	counts := func(outcomes ...sender.Outcome) (c sender.Counts) {
		for _, o := range outcomes {
			c.Count(o.Status, time.Duration(o.Attempt.Duration))
		}
		return c
	}
	at := func(status sender.Status, took time.Duration) sender.Outcome {
		return tried(0, "", "", 1, status, 0, took)
	}
	minute := func(n int) time.Time { return start.Add(time.Duration(n) * time.Minute) }
	want := []sender.Counter{
		{Start: minute(0), EndpointID: "a", Type: "x", Counts: counts(at(sender.Pending, 1*ms), at(sender.Pending, 1*ms+1), at(sender.Succeeded, time.Hour))},
		{Start: minute(0), EndpointID: "a", Type: "y", Counts: counts(at(sender.Blocked, 0))},
		{Start: minute(0), EndpointID: "b", Type: "x", Counts: counts(at(sender.Succeeded, 30*time.Second))},
		{Start: minute(1), EndpointID: "a", Type: "x", Counts: counts(at(sender.Failed, 31*time.Second))},
		{Start: minute(30), EndpointID: "b", Type: "x", Counts: counts(at(sender.Cancelled, 100*ms))},
	}
	wantHours := []sender.Counter{
		{Start: minute(-30), EndpointID: "a", Type: "x", Counts: counts(at(sender.Pending, 1*ms), at(sender.Pending, 1*ms+1),
			at(sender.Succeeded, time.Hour), at(sender.Failed, 31*time.Second))},
		{Start: minute(-30), EndpointID: "a", Type: "y", Counts: counts(at(sender.Blocked, 0))},
		{Start: minute(-30), EndpointID: "b", Type: "x", Counts: counts(at(sender.Succeeded, 30*time.Second))},
		{Start: minute(30), EndpointID: "b", Type: "x", Counts: counts(at(sender.Cancelled, 100*ms))},
	}
	for range 2 {
		if diff := cmp.Diff(want, f.counters(sender.CounterQuery{Step: sender.StepMinute})); diff != "" {
			f.t.Errorf("minutes (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(wantHours, f.counters(sender.CounterQuery{Step: sender.StepHour})); diff != "" {
			f.t.Errorf("hours (-want +got):\n%s", diff)
		}
		f.crash()
	}
	f.purge(always, 10, 2) // counters do not go with their events
	f.wantCounters(sender.CounterQuery{Step: sender.StepHour}, "-30 a x 4", "-30 a y 1", "-30 b x 1", "30 b x 1")
}

func testNotCounted(f *fixture) {
	seqs := f.put(event("1", at(1), "a", "b"), event("2", at(2), "a"))
	once := tried(seqs[0], "a", "x", 1, sender.Pending, 0, 0)
	f.settle(once)
	f.settle(once, once)
	f.settle(tried(seqs[0], "nobody", "x", 1, sender.Succeeded, 0, 0), tried(seqs[1]+1000, "a", "x", 1, sender.Succeeded, 0, 0),
		tried(seqs[1], "b", "x", 1, sender.Succeeded, 0, 0))
	f.settle(putBack(seqs[0], "b", at(1)), sender.Outcome{Seq: seqs[1], EndpointID: "a", Status: sender.Cancelled, Type: "x"},
		tried(seqs[1], "a", "x", 1, sender.Succeeded, 0, 0))
	if err := f.store.Settle(ended(), []sender.Outcome{tried(seqs[0], "a", "x", 2, sender.Succeeded, 0, 0)}); !errors.Is(err, context.Canceled) {
		f.t.Fatalf("Settle = %v, want the context's error", err)
	}
	f.wantCounters(sender.CounterQuery{Step: sender.StepMinute}, "0 a x 1")
	f.wantCounters(sender.CounterQuery{Step: sender.StepHour}, "-30 a x 1")
	f.settle(tried(seqs[0], "a", "x", 2, sender.Succeeded, 0, 0))
	f.wantCounters(sender.CounterQuery{Step: sender.StepMinute}, "0 a x 2")
}

// countMinutes counts attempts of three endpoints in the minutes 0 to n-1.
func countMinutes(f *fixture, n int) {
	f.t.Helper()
	seq := f.put(event("e", at(1), "c", "b", "a"))[0]
	var outcomes []sender.Outcome
	for i := range n {
		for _, endpoint := range []string{"a", "b", "c"} {
			outcomes = append(outcomes, tried(seq, endpoint, "x", i+1, sender.Pending, time.Duration(i)*time.Minute, 0))
		}
	}
	f.settle(outcomes...)
}

func testCounterQuery(f *fixture) {
	countMinutes(f, 4)
	minute := func(n int) time.Time { return start.Add(time.Duration(n) * time.Minute) }
	q := sender.CounterQuery{Step: sender.StepMinute, From: minute(1), To: minute(3)}
	f.wantCounters(q, "1 a x 1", "1 b x 1", "1 c x 1", "2 a x 1", "2 b x 1", "2 c x 1")
	q.EndpointIDs = []string{"c", "a", "nobody", "a"}
	f.wantCounters(q, "1 a x 1", "1 c x 1", "2 a x 1", "2 c x 1")
	q.From, q.To = minute(2).Add(1), time.Time{}
	f.wantCounters(q, "3 a x 1", "3 c x 1")
	q.From, q.To = time.Time{}, minute(1).Add(1)
	f.wantCounters(q, "0 a x 1", "0 c x 1", "1 a x 1", "1 c x 1")
	q.EndpointIDs = nil
	for i := range 40 {
		q.EndpointIDs = append(q.EndpointIDs, fmt.Sprint(i))
	}
	f.wantCounters(q)
	f.put(event("many", at(2), q.EndpointIDs...))
	f.wantCounters(q)
	q.EndpointIDs = append(q.EndpointIDs, "b")
	f.wantCounters(q, "0 b x 1", "1 b x 1")
	q.EndpointIDs = []string{"nobody"}
	f.wantCounters(q)
	f.wantCounters(sender.CounterQuery{Step: sender.StepHour, EndpointIDs: []string{"b"}}, "-30 b x 4")
	f.wantCounters(sender.CounterQuery{})
}

func testPurgeCounters(f *fixture) {
	const n = 700 // several steps of an implementation that takes them
	countMinutes(f, n)
	purge := func(step sender.Step, before time.Time) {
		f.t.Helper()
		if err := f.store.PurgeCounters(f.t.Context(), step, before); err != nil {
			f.t.Fatalf("PurgeCounters: %v", err)
		}
	}
	hours := f.counters(sender.CounterQuery{Step: sender.StepHour})
	purge(sender.StepMinute, start)
	if got := f.counters(sender.CounterQuery{Step: sender.StepMinute}); len(got) != 3*n {
		f.t.Errorf("%d counters are left, want all %d", len(got), 3*n)
	}
	purge(sender.StepMinute, start.Add((n-2)*time.Minute+1))
	for range 2 {
		f.wantCounters(sender.CounterQuery{Step: sender.StepMinute}, "699 a x 1", "699 b x 1", "699 c x 1")
		if diff := cmp.Diff(hours, f.counters(sender.CounterQuery{Step: sender.StepHour}), cmpopts.EquateEmpty()); diff != "" {
			f.t.Errorf("hours (-want +got):\n%s", diff)
		}
		f.crash()
	}
	purge(sender.StepHour, always.Add(1000*time.Hour))
	f.wantCounters(sender.CounterQuery{Step: sender.StepHour})
	f.wantCounters(sender.CounterQuery{Step: sender.StepMinute}, "699 a x 1", "699 b x 1", "699 c x 1")
}
