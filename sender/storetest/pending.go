package storetest

import (
	"context"
	"errors"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/manysends/caddy-webhooks/sender"
)

// wantPending compares how many deliveries are pending, by endpoint.
func (f *fixture) wantPending(want map[string]int64) {
	f.t.Helper()
	got, err := pendingOf(f.t.Context(), f.store)
	if err != nil {
		f.t.Fatalf("Pending: %v", err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		f.t.Errorf("Pending (-want +got):\n%s", diff)
	}
}

func testPending(f *fixture) {
	want := func(a, b int64) {
		f.t.Helper()
		counts := map[string]int64{}
		if a > 0 {
			counts["a"] = a
		}
		if b > 0 {
			counts["b"] = b
		}
		f.wantPending(counts)
	}
	want(0, 0)
	seqs := f.put(event("1", at(1), "a", "b"), event("2", at(2), "a", "b"), event("3", at(3), "b"), event("4", at(4), "a"))
	want(3, 3)
	f.put(event("1", at(1), "a", "b")) // a duplicate
	refused := &sender.Publication{Events: []sender.PutEvent{event("5", at(5), "a", "b", "c"), conflicting("1")}}
	f.publish(refused)
	failing := &sender.Publication{Events: []sender.PutEvent{event("6", at(6), "a", "new")}}
	if err := f.store.PutEvents(ended(), []*sender.Publication{failing}); !errors.Is(err, context.Canceled) {
		f.t.Fatalf("PutEvents = %v, want the context's error", err)
	}
	want(3, 3)
	if err := f.store.Settle(ended(), []sender.Outcome{succeeded(seqs[0], "a")}); !errors.Is(err, context.Canceled) {
		f.t.Fatalf("Settle = %v, want the context's error", err)
	}
	want(3, 3)
	f.settle(succeeded(seqs[0], "a"), succeeded(seqs[0], "a"), retry(seqs[1], "a", 1, at(2)), putBack(seqs[0], "b", at(1)))
	want(2, 3)
	f.settle(sender.Outcome{Seq: seqs[2], EndpointID: "b", Status: sender.Blocked}, succeeded(seqs[2], "b"), succeeded(seqs[3], "b"))
	want(2, 2)
	f.wantClaim("a", true, "2")
	want(2, 2)
	f.unblock("b", at(5), 1)
	want(2, 3)
	f.crash()
	want(2, 3)
	f.wantClaim("b", false, "1", "2", "3")
	f.settle(sender.Outcome{Seq: seqs[0], EndpointID: "b", Status: sender.Cancelled}, succeeded(seqs[2], "b"))
	want(2, 1)
	f.override([]sender.Override{
		{Seq: seqs[0], EndpointID: "a", Status: sender.Pending, Due: at(1)}, {Seq: seqs[0], EndpointID: "a", Status: sender.Pending, Due: at(2)},
		{Seq: seqs[0], EndpointID: "b", Status: sender.Pending, Due: at(1)}, {Seq: seqs[3], EndpointID: "a", Status: sender.Cancelled},
		{Seq: seqs[2], EndpointID: "b", Status: sender.Cancelled},
	}, "attempted", "attempted", "new", "new", "no")
	want(2, 2)
	f.purge(always, 10, 2) // 3 and 4
	want(2, 2)
	f.cancelAll("b", 1) // the other one is held
	want(2, 1)
	f.reopen()
	want(2, 1)
	f.cancelAll("a", 2)
	f.cancelAll("b", 1)
	want(0, 0)
	f.reopen()
	want(0, 0)
}
