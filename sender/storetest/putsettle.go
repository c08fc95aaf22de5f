package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/manysends/caddy-webhooks/sender"
)

// putAndSettle stores publications and settles outcomes in one call.
func (f *fixture) putAndSettle(ctx context.Context, publications []*sender.Publication, outcomes ...sender.Outcome) error {
	return f.store.(sender.PutSettler).PutAndSettle(ctx, publications, outcomes)
}

func testPutAndSettle(f *fixture) {
	seq := f.put(event("1", at(1), "a", "b"))[0]
	second := &sender.Publication{Events: []sender.PutEvent{event("2", at(2), "a", "new")}}
	again := &sender.Publication{Events: []sender.PutEvent{event("1", at(2), "a", "b")}}
	refused := &sender.Publication{Events: []sender.PutEvent{event("3", at(2), "a"), conflicting("1")}}
	err := f.putAndSettle(f.t.Context(), []*sender.Publication{second, again, refused}, succeeded(seq, "a"), retry(seq, "b", 1, at(9)), succeeded(seq, "a"))
	if err != nil {
		f.t.Fatalf("PutAndSettle: %v", err)
	}
	if e := second.Events[0]; second.Err != nil || e.Seq <= seq || e.Duplicate {
		f.t.Errorf("the new event has Seq %d, Duplicate %t, Err %v", e.Seq, e.Duplicate, second.Err)
	}
	if e := again.Events[0]; again.Err != nil || e.Seq != seq || !e.Duplicate {
		f.t.Errorf("the duplicate has Seq %d, Duplicate %t, Err %v, want those of event %d", e.Seq, e.Duplicate, again.Err, seq)
	}
	if !errors.Is(refused.Err, sender.ErrConflict) {
		f.t.Errorf("Err = %v, want ErrConflict", refused.Err)
	}
	for range 2 {
		f.wantStates("1", "a succeeded 1/1", "b pending 1/1 9")
		f.wantStates("2", "a pending 0/0 2", "new pending 0/0 2")
		if f.exists("3") {
			f.t.Error("the refused event is there")
		}
		f.crash()
	}
	f.wantClaim("a", false, "2")
	f.wantClaim("b", true, "1")
	if err := f.putAndSettle(f.t.Context(), nil); err != nil {
		f.t.Errorf("PutAndSettle of nothing: %v", err)
	}
}

func testPutAndSettleAtomic(f *fixture) {
	seq := f.put(event("1", at(1), "a"))[0]
	p := &sender.Publication{Events: []sender.PutEvent{event("2", at(1), "a")}}
	if err := f.putAndSettle(ended(), []*sender.Publication{p}, succeeded(seq, "a")); !errors.Is(err, context.Canceled) {
		f.t.Fatalf("PutAndSettle = %v, want the context's error", err)
	}
	if f.exists("2") {
		f.t.Error("the event was stored in spite of the error")
	}
	f.wantStates("1", "a pending 0/0 1")
	// Each by itself, and both in another order.
	f.settle(succeeded(seq, "a"))
	f.publish(p)
	if p.Err != nil || p.Events[0].Duplicate {
		f.t.Errorf("Err = %v, Duplicate = %t, want it stored now", p.Err, p.Events[0].Duplicate)
	}
	f.wantStates("1", "a succeeded 1/1")
	f.wantStates("2", "a pending 0/0 1")
}

// testPutAndSettleClosing settles each event together with the next, beside
// Close: what was told to be stored is there, and nothing is half done.
func testPutAndSettleClosing(f *fixture) {
	store := f.store.(sender.PutSettler)
	const some = 3
	var begun, caller sync.WaitGroup
	begun.Add(1)
	stored := 0
	caller.Go(func() {
		begin := sync.OnceFunc(begun.Done)
		defer begin()
		for outcomes := []sender.Outcome(nil); ; stored++ {
			if stored == some {
				begin()
			}
			p := &sender.Publication{Events: []sender.PutEvent{event(fmt.Sprint(stored), at(1), "a")}}
			if err := store.PutAndSettle(f.t.Context(), []*sender.Publication{p}, outcomes); err != nil {
				if !errors.Is(err, sender.ErrStoreClosed) {
					f.t.Errorf("PutAndSettle beside Close = %v, want ErrStoreClosed", err)
				}
				return
			}
			outcomes = []sender.Outcome{succeeded(p.Events[0].Seq, "a")}
		}
	})
	begun.Wait()
	f.close()
	caller.Wait()
	if err := store.PutAndSettle(f.t.Context(), nil, nil); !errors.Is(err, sender.ErrStoreClosed) {
		f.t.Errorf("PutAndSettle after Close = %v, want ErrStoreClosed", err)
	}
	f.open()
	if stored < some {
		f.t.Fatalf("%d events were stored", stored)
	}
	for i := range stored - 1 {
		f.wantStates(fmt.Sprint(i), "a succeeded 1/1")
	}
	f.wantStates(fmt.Sprint(stored-1), "a pending 0/0 1")
	if f.exists(fmt.Sprint(stored)) {
		f.t.Error("an event was stored in spite of the error")
	}
}
