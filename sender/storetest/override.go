package storetest

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/go-cmp/cmp"

	"github.com/manysends/caddy-webhooks/sender"
)

// override overrides and compares which of the deliveries were changed, and
// which of these had been attempted: "no", "new" or "attempted" for each.
func (f *fixture) override(overrides []sender.Override, want ...string) {
	f.t.Helper()
	if err := f.store.Override(f.t.Context(), overrides); err != nil {
		f.t.Fatalf("Override: %v", err)
	}
	var got []string
	for _, o := range overrides {
		switch {
		case !o.Applied:
			got = append(got, "no")
		case o.Attempted:
			got = append(got, "attempted")
		default:
			got = append(got, "new")
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		f.t.Errorf("overrides (-want +got):\n%s", diff)
	}
}

// all is one override for each of the events, of their deliveries to a.
func all(seqs []int64, o sender.Override) []sender.Override {
	overrides := make([]sender.Override, len(seqs))
	for i, seq := range seqs {
		overrides[i] = o
		overrides[i].Seq, overrides[i].EndpointID = seq, "a"
		overrides[i].Applied, overrides[i].Attempted = i%2 == 0, i%2 == 1 // set by the store each time
	}
	return overrides
}

// everyState puts one event for each state that a delivery to a can be in when
// it is not held. Those with an odd index have been attempted.
func everyState(f *fixture) []int64 {
	f.t.Helper()
	var events []sender.PutEvent
	for i := range 10 {
		events = append(events, event(fmt.Sprint(i), at(i), "a", "b"))
	}
	seqs := f.put(events...)
	for i, seq := range seqs {
		o := sender.Outcome{Seq: seq, EndpointID: "a", Status: sender.Status(i/2) + sender.Pending, Due: at(i)}
		if i%2 == 1 {
			o.Attempt = attempt(1, sender.VerdictRetry)
		}
		f.settle(o)
	}
	return seqs
}

func testOverridePending(f *fixture) {
	seqs := everyState(f)
	f.override(all(seqs, sender.Override{Status: sender.Pending, Due: at(50)}),
		"new", "attempted", "new", "attempted", "new", "attempted", "new", "attempted", "new", "attempted")
	check := func() {
		f.t.Helper()
		for i := range seqs {
			f.wantStates(fmt.Sprint(i), fmt.Sprintf("a pending %d/%d 50", i%2, i%2), fmt.Sprintf("b pending 0/0 %d", i))
		}
	}
	check()
	f.crash()
	check()
	if claimed := f.query(sender.ClaimQuery{EndpointID: "a", Now: at(49), Limit: 10}); len(claimed.Deliveries) != 0 || !claimed.Next.Equal(at(50)) {
		f.t.Errorf("claimed %v before they are due, the next at %v", idsOf(claimed.Deliveries), claimed.Next)
	}
	f.wantClaim("a", false, "0", "2", "4", "6", "8")
	f.wantClaim("a", true, "1", "3", "5", "7", "9")
	// Attempts go on where they were.
	f.settle(succeeded(seqs[7], "a"))
	f.wantStates("7", "a pending 1/1 50", "b pending 0/0 7")
	second := succeeded(seqs[7], "a")
	second.Attempt = attempt(2, sender.VerdictSucceeded)
	f.settle(second, succeeded(seqs[6], "a"))
	f.wantStates("7", "a succeeded 2/2", "b pending 0/0 7")
	f.wantStates("6", "a succeeded 1/1", "b pending 0/0 6")
}

func testOverrideCancelled(f *fixture) {
	seqs := everyState(f)
	f.override(all(seqs, sender.Override{Status: sender.Cancelled}),
		"new", "attempted", "new", "attempted", "no", "no", "no", "no", "no", "no")
	check := func() {
		f.t.Helper()
		for i := range seqs {
			status := sender.Status(i/2) + sender.Pending
			if i < 4 {
				status = sender.Cancelled
			}
			f.wantStates(fmt.Sprint(i), fmt.Sprintf("a %s %d/%d", status, i%2, i%2), fmt.Sprintf("b pending 0/0 %d", i))
			if due := f.record(fmt.Sprint(i)).Deliveries[0].Due; !due.IsZero() {
				f.t.Errorf("event %d: the cancelled delivery is due at %v", i, due)
			}
		}
	}
	check()
	f.wantClaim("a", false)
	f.wantClaim("a", true)
	f.crash()
	check()
	f.wantClaim("a", false)
	f.wantClaim("a", true)
}

func testOverridePassedOver(f *fixture) {
	seqs := f.put(event("new", at(1), "a"), event("held", at(2), "a"), event("claimed", at(3), "a"), event("b", at(4), "b"))
	held := retry(seqs[1], "a", 1, at(2))
	held.Held = true
	f.settle(held, retry(seqs[2], "a", 1, at(3)))
	f.wantClaim("a", true, "claimed")
	for _, status := range []sender.Status{sender.Pending, sender.Cancelled} {
		f.override(append(all(seqs, sender.Override{Status: status, Due: at(9)}), // b's event does not go to a
			sender.Override{Seq: seqs[0], EndpointID: "nobody", Status: status},
			sender.Override{Seq: seqs[3] + 1000, EndpointID: "a", Status: status},
			sender.Override{Seq: -1, EndpointID: "a", Status: status},
			sender.Override{Seq: seqs[0], Status: status},
		), "no", "no", "no", "no", "no", "no", "no", "no")
	}
	f.override(nil)
	f.wantStates("new", "a pending 0/0 1")
	f.wantStates("held", "a pending 1/1 2")
	f.wantStates("claimed", "a pending 1/1 3")
	f.wantClaim("a", false)
	f.wantClaim("a", true)
	f.crash()
	f.wantClaim("a", false, "new")
	f.wantClaim("a", true, "held", "claimed")
}

func testOverrideRefuses(f *fixture) {
	seq := f.put(event("e", at(1), "a"))[0]
	f.reopen()
	for _, status := range []sender.Status{0, sender.Blocked, sender.Succeeded, sender.Failed, 9} {
		overrides := []sender.Override{
			{Seq: seq, EndpointID: "a", Status: sender.Cancelled}, {Seq: seq, EndpointID: "a", Status: status},
		}
		if err := f.store.Override(f.t.Context(), overrides); err == nil || overrides[0].Applied || overrides[1].Applied {
			f.t.Errorf("an override to %s: %v, %+v", status, err, overrides)
		}
	}
	f.wantStates("e", "a pending 0/0 1")
}

func testOverrideAtomic(f *fixture) {
	seqs := f.put(event("1", at(1), "a"), event("2", at(2), "a"), event("3", at(3), "a"))
	f.settle(succeeded(seqs[0], "a"), retry(seqs[1], "a", 1, at(2)), putBack(seqs[2], "a", at(3)))
	overrides := append(all(seqs[:1], sender.Override{Status: sender.Pending, Due: at(9)}),
		all(seqs[1:], sender.Override{Status: sender.Cancelled})...)
	if err := f.store.Override(ended(), overrides); !errors.Is(err, context.Canceled) {
		f.t.Fatalf("Override = %v, want the context's error", err)
	}
	f.wantStates("1", "a succeeded 1/1")
	f.wantStates("2", "a pending 1/1 2")
	f.wantPending(map[string]int64{"a": 2})
	f.override(overrides, "attempted", "attempted", "new")
	f.wantStates("1", "a pending 1/1 9")
	f.wantStates("2", "a cancelled 1/1")
	f.wantStates("3", "a cancelled 0/0")
	// Within one call, one follows the other.
	f.override([]sender.Override{
		{Seq: seqs[0], EndpointID: "a", Status: sender.Cancelled}, {Seq: seqs[0], EndpointID: "a", Status: sender.Cancelled},
		{Seq: seqs[0], EndpointID: "a", Status: sender.Pending, Due: at(7)},
	}, "attempted", "no", "attempted")
	f.wantStates("1", "a pending 1/1 7")
	f.override([]sender.Override{
		{Seq: seqs[1], EndpointID: "a", Status: sender.Pending, Due: at(7)}, {Seq: seqs[1], EndpointID: "a", Status: sender.Cancelled},
	}, "attempted", "attempted")
	f.wantStates("2", "a cancelled 1/1")
	f.settle(succeeded(seqs[0], "a"), sender.Outcome{Seq: seqs[0], EndpointID: "a", Status: sender.Succeeded})
	f.override([]sender.Override{
		{Seq: seqs[0], EndpointID: "a", Status: sender.Pending, Due: at(7)}, {Seq: seqs[0], EndpointID: "a", Status: sender.Cancelled},
	}, "attempted", "attempted")
	f.wantStates("1", "a cancelled 1/1")
	f.override(all(seqs[:1], sender.Override{Status: sender.Pending, Due: at(7)}), "attempted")
	f.wantClaim("a", true, "1")
}

func testOverrideSchedule(f *fixture) {
	seq := f.put(event("e", at(1), "a"))[0]
	want := func(start int) {
		f.t.Helper()
		d, err := f.store.Delivery(f.t.Context(), seq, "a")
		if err != nil {
			f.t.Fatalf("Delivery: %v", err)
		}
		listed := f.list(sender.DeliveryQuery{Limit: 10})
		got := []int{f.record("e").Deliveries[0].ScheduleStart, d.ScheduleStart, listed[0].ScheduleStart}
		if diff := cmp.Diff([]int{start, start, start}, got); diff != "" {
			f.t.Errorf("ScheduleStart in Event, Delivery and Deliveries (-want +got):\n%s", diff)
		}
	}
	failed := retry(seq, "a", 3, at(0))
	failed.Status = sender.Failed
	f.settle(retry(seq, "a", 1, at(1)))
	f.wantClaim("a", true, "e")
	f.settle(retry(seq, "a", 2, at(1)))
	f.wantClaim("a", true, "e")
	f.settle(failed)
	want(0)
	f.override(all([]int64{seq}, sender.Override{Status: sender.Pending, Due: at(2)}), "attempted")
	want(3)
	claimed := f.claim("a", true)
	if len(claimed) != 1 || claimed[0].ScheduleStart != 3 || claimed[0].Attempts != 3 {
		f.t.Fatalf("claimed %+v, want attempt 3, where the schedule starts", claimed)
	}
	f.settle(retry(seq, "a", 4, at(3)))
	want(3)
	f.crash()
	want(3)
	// A delivery that is pending anyway begins anew, too.
	f.override(all([]int64{seq}, sender.Override{Status: sender.Pending, Due: at(5)}), "attempted")
	want(4)
	f.override(all([]int64{seq}, sender.Override{Status: sender.Cancelled}), "attempted")
	want(4)
}

// testOverrideEarlier guards against an implementation that remembers where it
// has stopped looking.
func testOverrideEarlier(f *fixture) {
	var events []sender.PutEvent
	for i := range 10 {
		events = append(events, event(fmt.Sprint(i), at(10+i), "a"))
	}
	seqs := f.put(events...)
	f.settle(succeeded(seqs[0], "a"), sender.Outcome{Seq: seqs[1], EndpointID: "a", Status: sender.Cancelled})
	for _, seq := range seqs[2:] {
		f.settle(putBack(seq, "a", at(20)))
	}
	f.wantClaim("a", false, "2", "3", "4", "5", "6", "7", "8", "9")
	f.override(all(seqs[:2], sender.Override{Status: sender.Pending, Due: at(3)}), "attempted", "new")
	if diff := cmp.Diff([]sender.Backlog{{EndpointID: "a", FirstTries: at(3), Retries: at(3)}}, f.backlog()); diff != "" {
		f.t.Errorf("Backlog (-want +got):\n%s", diff)
	}
	f.override(all(seqs[:1], sender.Override{Status: sender.Pending, Due: at(1)}), "attempted") // sooner
	f.override(all(seqs[1:2], sender.Override{Status: sender.Pending, Due: at(40)}), "new")     // later
	if diff := cmp.Diff([]sender.Backlog{{EndpointID: "a", FirstTries: at(40), Retries: at(1)}}, f.backlog()); diff != "" {
		f.t.Errorf("Backlog (-want +got):\n%s", diff)
	}
	f.wantClaim("a", true, "0")
	f.wantClaim("a", false, "1")
}

// testOverridePurge guards against an implementation that remembers what had to
// stay, or what may go.
func testOverridePurge(f *fixture) {
	seqs := f.put(event("1", at(1), "a"), event("2", at(2), "a"), event("3", at(3), "a"), event("4", at(4), "a"))
	f.settle(succeeded(seqs[0], "a"), putBack(seqs[1], "a", at(2)), putBack(seqs[2], "a", at(3)),
		sender.Outcome{Seq: seqs[3], EndpointID: "a", Status: sender.Blocked})
	f.override(all(seqs[:1], sender.Override{Status: sender.Pending, Due: at(1)}), "attempted")
	f.purge(always, 10, 0)
	f.override(all(seqs[1:2], sender.Override{Status: sender.Cancelled}), "new")
	f.purge(always, 10, 1)
	if f.exists("2") {
		f.t.Error("a cancelled delivery's event has not gone")
	}
	f.wantClaim("a", true, "1")
	second := succeeded(seqs[0], "a")
	second.Attempt = attempt(2, sender.VerdictSucceeded)
	f.settle(second)
	f.purge(always, 10, 1)
	f.cancelAll("a", 2)
	f.purge(always, 1, 1)
	f.override(all(seqs[3:], sender.Override{Status: sender.Pending, Due: at(1)}), "new")
	f.purge(always, 10, 0)
	f.wantStates("4", "a pending 0/0 1")
	f.override(all(seqs[2:], sender.Override{Status: sender.Cancelled}), "no", "new")
	f.purge(always, 10, 1)
}

// cancelAll cancels and compares how many there were.
func (f *fixture) cancelAll(endpoint string, want int) {
	f.t.Helper()
	n, err := f.store.CancelAll(f.t.Context(), endpoint)
	if err != nil {
		f.t.Fatalf("CancelAll: %v", err)
	}
	if n != want {
		f.t.Errorf("CancelAll(%s) = %d, want %d", endpoint, n, want)
	}
}

func testCancelAll(f *fixture) {
	seqs := everyState(f)
	held := f.put(event("held", at(1), "a"), event("claimed", at(0), "a"))
	f.settle(retry(held[1], "a", 1, at(-1)))
	f.query(sender.ClaimQuery{EndpointID: "a", Retries: true, Now: at(-1), Limit: 1})
	f.cancelAll("a", 4)
	f.cancelAll("a", 0)
	f.cancelAll("nobody", 0)
	for i := range seqs {
		status := sender.Status(i/2) + sender.Pending
		if i < 4 {
			status = sender.Cancelled
		}
		f.wantStates(fmt.Sprint(i), fmt.Sprintf("a %s %d/%d", status, i%2, i%2), fmt.Sprintf("b pending 0/0 %d", i))
	}
	f.wantStates("held", "a pending 0/0 1")
	f.wantStates("claimed", "a pending 1/1 -1")
	// What was held goes on as if nothing had happened.
	f.settle(succeeded(held[0], "a"), retry(held[1], "a", 2, at(7)))
	f.wantStates("held", "a succeeded 1/1")
	f.wantClaim("a", false)
	f.wantClaim("a", true, "claimed")
	if _, err := f.store.CancelAll(ended(), "b"); !errors.Is(err, context.Canceled) {
		f.t.Errorf("CancelAll = %v, want the context's error", err)
	}
	f.crash()
	f.cancelAll("a", 1)
	f.cancelAll("b", 10)
	f.wantStates("3", "a cancelled 1/1", "b cancelled 0/0")
	f.crash()
	for _, retries := range []bool{false, true} {
		f.wantClaim("a", retries)
		f.wantClaim("b", retries)
	}
	f.wantPending(map[string]int64{})
}

func testCancelAllMany(f *fixture) {
	const n = 2500
	var events []sender.PutEvent
	for i := range n {
		events = append(events, event(fmt.Sprint(i), at(i), "a"))
	}
	var outcomes []sender.Outcome
	for i, seq := range f.put(events...) {
		switch i % 5 {
		case 0:
			outcomes = append(outcomes, sender.Outcome{Seq: seq, EndpointID: "a", Status: sender.Blocked})
		case 1:
			outcomes = append(outcomes, retry(seq, "a", 1, at(i)))
		case 2, 3:
			outcomes = append(outcomes, putBack(seq, "a", at(i)))
		}
	}
	f.settle(outcomes...)
	f.cancelAll("a", n/5*4)
	f.wantPending(map[string]int64{"a": n / 5})
	f.crash()
	if claimed := f.claim("a", false); len(claimed) != n/5 {
		f.t.Errorf("claimed %d, want %d that were held", len(claimed), n/5)
	}
	f.wantClaim("a", true)
}
