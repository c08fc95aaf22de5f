package storetest

import (
	"errors"
	"fmt"
	"sync"

	"github.com/manysends/caddy-webhooks/sender"
)

// lapse has the lease of an instance end, and waits until it is told so.
func (f *sharedFixture) lapse(x *fixture) {
	f.t.Helper()
	w := f.watch(x, nil)
	if err := f.harness.Lapse(x.shared()); err != nil {
		f.t.Fatalf("Lapse: %v", err)
	}
	f.eventually("ChangeLost is told", func() bool { return w.told(sender.Change{Kind: sender.ChangeLost}) })
	w.stop()
	<-w.ended
	f.eventually("it is an instance again", func() bool {
		_, count := x.shared().Instances()
		return count > 0
	})
}

func testLostTold(f *sharedFixture) {
	a := f.open()
	f.open()
	var mu sync.Mutex
	told := 0
	w := f.watch(a, func(c sender.Change) {
		if c.Kind != sender.ChangeLost {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		told++
		if _, count := a.shared().Instances(); count != 0 {
			f.t.Errorf("before ChangeLost was dealt with there are %d instances", count)
		}
	})
	f.eventually("there are two", func() bool {
		_, count := a.shared().Instances()
		return count == 2
	})
	if err := f.harness.Lapse(a.shared()); err != nil {
		f.t.Fatalf("Lapse: %v", err)
	}
	f.eventually("ChangeLost is told", func() bool { return w.told(sender.Change{Kind: sender.ChangeLost}) })
	f.eventually("there are two again", func() bool {
		_, count := a.shared().Instances()
		return count == 2
	})
	mu.Lock()
	defer mu.Unlock()
	if told != 1 {
		f.t.Errorf("ChangeLost was told %d times", told)
	}
}

func testLostFrees(f *sharedFixture) {
	a, b := f.open(), f.open()
	holdMuch(a)
	if held, err := a.shared().Hold(f.t.Context(), "name"); !held || err != nil {
		f.t.Fatalf("Hold = %t, %v", held, err)
	}
	f.lapse(a)
	f.wantFreed(b)
	a.wantClaim("a", false)
	if held, err := b.shared().Hold(f.t.Context(), "name"); !held || err != nil {
		f.t.Errorf("Hold = %t, %v, although the one that had it has lost its lease", held, err)
	}
}

func testLostPutBack(f *sharedFixture) {
	a, b := f.open(), f.open()
	seqs := holdMuch(a)
	f.lapse(a)
	f.wantFreed(b)
	for _, o := range []sender.Outcome{putBack(seqs[0], "a", at(1)), putBack(seqs[1], "a", at(1)), putBack(seqs[2], "a", at(1))} {
		held := o
		held.Held = true
		a.settle(o, held)
	}
	for _, x := range []*fixture{a, b} { // b still holds them all
		x.wantClaim("a", false)
		x.wantClaim("a", true)
	}
	b.settle(putBack(seqs[0], "a", at(1)))
	kept := putBack(seqs[0], "a", at(1))
	kept.Held = true
	a.settle(kept) // nobody has it: it stays so
	b.wantClaim("a", false, "1")
}

func testLostOutcome(f *sharedFixture) {
	a, b := f.open(), f.open()
	seqs := holdMuch(a)
	f.lapse(a)
	f.wantFreed(b)
	second := succeeded(seqs[2], "a")
	second.Attempt = attempt(2, sender.VerdictSucceeded)
	a.settle(succeeded(seqs[0], "a"), retry(seqs[1], "a", 1, at(40)), second)
	b.wantStates("1", "a succeeded 1/1", "b succeeded 1/1")
	b.wantStates("2", "a pending 1/1 40")
	b.wantStates("3", "a succeeded 2/2")
	b.wantPending(map[string]int64{"a": 1})
	a.wantClaim("a", true) // it is still b's
	b.settle(succeeded(seqs[0], "a"), putBack(seqs[1], "a", at(40)))
	b.wantStates("1", "a succeeded 1/1", "b succeeded 1/1")
	a.wantClaim("a", true, "2")
}

func testLostRepeated(f *sharedFixture) {
	a, b := f.open(), f.open()
	seqs := holdMuch(a)
	f.lapse(a)
	f.wantFreed(b)
	// Both have made the first attempt at 1 and 2, and the second at 3.
	a.settle(retry(seqs[0], "a", 1, at(40)), retry(seqs[1], "a", 1, at(50)), retry(seqs[2], "a", 2, at(60)))
	failed := retry(seqs[1], "a", 1, at(70))
	failed.Held = true
	second := succeeded(seqs[2], "a")
	second.Attempt = attempt(2, sender.VerdictSucceeded)
	b.settle(succeeded(seqs[0], "a"), failed, second)
	b.wantStates("1", "a succeeded 1/1", "b succeeded 1/1")
	b.wantStates("2", "a pending 1/1 50")
	b.wantStates("3", "a succeeded 2/2")
	b.wantPending(map[string]int64{"a": 1})
	a.wantClaim("a", true, "2") // the hold of the caller has ended
}

// hold takes a name and compares whether it is had.
func (f *sharedFixture) hold(x *fixture, name string, want bool) {
	f.t.Helper()
	if held, err := x.shared().Hold(f.t.Context(), name); held != want || err != nil {
		f.t.Errorf("Hold(%q) = %t, %v, want %t", name, held, err, want)
	}
}

func testHold(f *sharedFixture) {
	a, b := f.open(), f.open()
	w := f.watch(b, nil)
	for range 2 {
		f.hold(a, "lane x y", true)
		f.hold(b, "lane x y", false)
		f.hold(b, "other", true)
	}
	w.clear()
	for _, name := range []string{"lane x y", "lane x y", "other", "nothing"} { // those that it has not got do no harm
		if err := a.shared().Release(f.t.Context(), name); err != nil {
			f.t.Fatalf("Release(%q): %v", name, err)
		}
	}
	w.wants(f, sender.Change{Kind: sender.ChangeHold, ID: "lane x y"})
	f.hold(a, "other", false)
	f.hold(b, "lane x y", true)
	f.hold(a, "lane x y", false)
	if _, err := a.shared().Hold(ended(), "new"); err == nil {
		f.t.Error("Hold returned no error although its context has ended")
	}
	f.hold(b, "new", true)
}

func testHoldRace(f *sharedFixture) {
	instances := []*fixture{f.open(), f.open(), f.open()}
	for round := range 20 {
		name := fmt.Sprint("name", round)
		var mu sync.Mutex
		have := 0
		var wg sync.WaitGroup
		for _, x := range instances {
			wg.Go(func() {
				held, err := x.shared().Hold(f.t.Context(), name)
				if err != nil {
					f.t.Errorf("Hold: %v", err)
				}
				if held {
					mu.Lock()
					have++
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		if have != 1 {
			f.t.Errorf("%d instances have %q", have, name)
		}
	}
}

func testHoldEnds(f *sharedFixture) {
	a, b, c := f.open(), f.open(), f.open()
	w := f.watch(c, nil)
	f.hold(a, "a", true)
	f.hold(b, "b", true)
	w.clear()
	f.gone(a)
	a.close()
	w.wants(f, sender.Change{Kind: sender.ChangeHold, ID: "a"})
	f.hold(c, "a", true)
	f.hold(c, "b", false)
	w.clear()
	f.die(b)
	w.wants(f, sender.Change{Kind: sender.ChangeHold, ID: "b"})
	f.hold(c, "b", true)
	if held, err := a.shared().Hold(f.t.Context(), "new"); held || !errors.Is(err, sender.ErrStoreClosed) {
		f.t.Errorf("Hold after Close = %t, %v", held, err)
	}
}

func testWatch(f *sharedFixture) {
	a, b := f.open(), f.open()
	w := f.watch(b, nil)
	seqs := a.put(event("1", at(1), "x"), event("2", at(2), "y"))
	for _, step := range []struct {
		do   func()
		want sender.Change
	}{
		{func() { a.putDocuments(document("a b", 0, "1")) }, sender.Change{Kind: sender.ChangeDocument, DocumentKind: "k", ID: "a b"}},
		{func() {
			if err := a.store.DeleteDocument(f.t.Context(), "k", "a b"); err != nil {
				f.t.Fatal(err)
			}
		}, sender.Change{Kind: sender.ChangeDocument, DocumentKind: "k", ID: "a b"}},
		{func() { a.settle(putBack(seqs[0], "x", at(1))) }, sender.Change{Kind: sender.ChangeBacklog, ID: "x"}},
		{func() {
			a.settle(sender.Outcome{Seq: seqs[1], EndpointID: "y", Status: sender.Blocked})
			a.unblock("y", at(1), 1)
		},
			sender.Change{Kind: sender.ChangeBacklog, ID: "y"}},
		{func() {
			a.override([]sender.Override{{Seq: seqs[0], EndpointID: "x", Status: sender.Pending, Due: at(1)}}, "new")
		},
			sender.Change{Kind: sender.ChangeBacklog, ID: "x"}},
		{func() { f.open() }, sender.Change{Kind: sender.ChangeInstances}},
	} {
		w.clear()
		step.do()
		w.wants(f, step.want)
	}
}

func testWatchEnds(f *sharedFixture) {
	a := f.open()
	w := f.watch(a, nil)
	if err := a.shared().Watch(f.t.Context(), func(sender.Change) {}); err == nil {
		f.t.Error("a second Watch at once returned no error")
	}
	w.stop()
	if err := <-w.ended; err == nil {
		f.t.Error("Watch returned no error although its context has ended")
	}
	w = f.watch(a, nil)
	f.gone(a)
	a.close()
	if err := <-w.ended; !errors.Is(err, sender.ErrStoreClosed) {
		f.t.Errorf("Watch of a closed store = %v, want ErrStoreClosed", err)
	}
}
