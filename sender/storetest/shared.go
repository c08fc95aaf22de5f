package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/sender"
)

// patience is how long something may take that happens by itself.
const patience = 30 * time.Second

// SharedHarness opens instances of one store.
type SharedHarness struct {
	// Open opens another instance.
	Open func() (sender.SharedStore, error)

	// Die ends an instance as the death of its process would: its lease ends by
	// itself. RunShared does not use the instance afterwards.
	Die func(sender.SharedStore) error

	// Lapse has the lease of an instance end although its process lives.
	Lapse func(sender.SharedStore) error
}

// RunShared runs the part of the suite that is about several instances of one
// store. For each test open makes a harness with a store of its own, whose leases
// are short, and cleans up after it with t.
func RunShared(t *testing.T, open func(t *testing.T) SharedHarness) {
	for _, test := range []struct {
		name string
		run  func(*sharedFixture)
	}{
		{"Instances/all agree", testInstances},
		{"PutEvents/the same ID at once", testPutRace},
		{"PutEvents/publications with the same IDs at once", testPutRaceWhole},
		{"Store/what one does the others see", testSeen},
		{"AddDeliveries/the same at once", testAddRace},
		{"AddDeliveries/others see it", testAddSeen},
		{"Claim/no delivery is held twice", testClaimRace},
		{"Claim/what another one holds is passed over", testHeldByOther},
		{"Life/what a closed one held is free", testCloseFrees},
		{"Life/what a dead one held is free", testDeathFrees},
		{"Lost/it is told, and counts for none before", testLostTold},
		{"Lost/what it held is free", testLostFrees},
		{"Lost/an outcome without an attempt changes nothing", testLostPutBack},
		{"Lost/an outcome with an attempt is taken", testLostOutcome},
		{"Lost/an attempt that another one has settled", testLostRepeated},
		{"Hold/one has it", testHold},
		{"Hold/one of many that want it has it", testHoldRace},
		{"Hold/it ends with the instance", testHoldEnds},
		{"Watch/what others change", testWatch},
		{"Watch/one at a time, until the context ends", testWatchEnds},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := &sharedFixture{t: t, harness: open(t)}
			defer f.close()
			test.run(f)
		})
	}
}

// sharedFixture are instances of one store and their test.
type sharedFixture struct {
	t       *testing.T
	harness SharedHarness
	opened  []sender.SharedStore
}

// open opens an instance. Its fixture has the calls of a store that is not
// shared.
func (f *sharedFixture) open() *fixture {
	f.t.Helper()
	store, err := f.harness.Open()
	if err != nil {
		f.t.Fatalf("Open: %v", err)
	}
	f.opened = append(f.opened, store)
	return &fixture{t: f.t, store: store}
}

// close closes all instances that are left.
func (f *sharedFixture) close() {
	for _, store := range f.opened {
		if err := store.Close(); err != nil {
			f.t.Errorf("Close: %v", err)
		}
	}
}

// gone forgets an instance that has ended.
func (f *sharedFixture) gone(x *fixture) {
	f.opened = slices.DeleteFunc(f.opened, func(s sender.SharedStore) bool { return s == x.store })
}

// die ends an instance.
func (f *sharedFixture) die(x *fixture) {
	f.t.Helper()
	f.gone(x)
	if err := f.harness.Die(x.shared()); err != nil {
		f.t.Fatalf("Die: %v", err)
	}
}

// shared is the store of a fixture.
func (f *fixture) shared() sender.SharedStore { return f.store.(sender.SharedStore) }

// eventually waits until something is so.
func (f *sharedFixture) eventually(what string, is func() bool) {
	f.t.Helper()
	for until := time.Now().Add(patience); !is(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(until) {
			f.t.Fatalf("after %v it is not so: %s", patience, what)
		}
	}
}

// watching is a Watch under way.
type watching struct {
	mu      sync.Mutex
	changes []sender.Change
	stop    context.CancelFunc
	ended   chan error
}

// watch watches until the test ends, or stop. When f is not nil, it is called
// with each change.
func (f *sharedFixture) watch(x *fixture, each func(sender.Change)) *watching {
	f.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	w := &watching{stop: stop, ended: make(chan error, 1)}
	go func() {
		w.ended <- x.shared().Watch(ctx, func(c sender.Change) {
			if each != nil {
				each(c)
			}
			w.mu.Lock()
			w.changes = append(w.changes, c)
			w.mu.Unlock()
		})
	}()
	f.t.Cleanup(stop)
	f.eventually("ChangeAll is told when watching begins", func() bool { return w.told(sender.Change{}) })
	return w
}

// told tells whether a change was told.
func (w *watching) told(c sender.Change) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Contains(w.changes, c)
}

// clear forgets what was told.
func (w *watching) clear() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.changes = nil
}

// wants waits until a change is told, or one that says that anything may have
// changed.
func (w *watching) wants(f *sharedFixture, c sender.Change) {
	f.t.Helper()
	f.eventually(fmt.Sprintf("%+v is told", c), func() bool { return w.told(c) || w.told(sender.Change{}) })
}

func testInstances(f *sharedFixture) {
	a, b, c := f.open(), f.open(), f.open()
	agree := func(all ...*fixture) {
		f.t.Helper()
		f.eventually("each has a rank of its own", func() bool {
			ranks := map[int]bool{}
			for _, x := range all {
				rank, count := x.shared().Instances()
				if count != len(all) || rank < 0 || rank >= count {
					return false
				}
				ranks[rank] = true
			}
			return len(ranks) == len(all)
		})
	}
	agree(a, b, c)
	f.gone(b)
	b.close()
	agree(a, c)
	f.die(a)
	agree(c)
	agree(c, f.open())
}

// testPutRace: of instances that store the same event at once, one stores it.
func testPutRace(f *sharedFixture) {
	instances := []*fixture{f.open(), f.open(), f.open()}
	const rounds, perRound = 20, 5
	for round := range rounds {
		batches := make([][]*sender.Publication, len(instances))
		var wg sync.WaitGroup
		for i, x := range instances {
			for n := range perRound {
				e := event(fmt.Sprintf("%d-%d", round, (n+i)%perRound), at(i), "a") // in another order each
				if i == 2 && round%2 == 1 {
					e = conflicting(e.Event.ID)
				}
				batches[i] = append(batches[i], &sender.Publication{Events: []sender.PutEvent{e}})
			}
			wg.Go(func() {
				if err := x.store.PutEvents(f.t.Context(), batches[i]); err != nil {
					f.t.Errorf("PutEvents: %v", err)
				}
			})
		}
		wg.Wait()
		seqs := map[string]int64{}
		stored := 0
		for _, batch := range batches {
			for _, p := range batch {
				e := p.Events[0]
				switch {
				case p.Err != nil && !errors.Is(p.Err, sender.ErrConflict):
					f.t.Errorf("Err = %v", p.Err)
				case p.Err != nil:
					continue
				case !e.Duplicate:
					stored++
				}
				if seq, known := seqs[e.Event.ID]; known && seq != e.Seq {
					f.t.Errorf("event %s has the numbers %d and %d", e.Event.ID, seq, e.Seq)
				}
				seqs[e.Event.ID] = e.Seq
			}
		}
		if stored != perRound {
			f.t.Errorf("%d events of %d were stored", stored, perRound)
		}
	}
	f.wantPendingOf(instances[0], "a", rounds*perRound)
}

// wantPendingOf compares how many deliveries of an endpoint are pending.
func (f *sharedFixture) wantPendingOf(x *fixture, endpoint string, want int64) {
	f.t.Helper()
	counts, err := pendingOf(f.t.Context(), x.store)
	if err != nil || counts[endpoint] != want {
		f.t.Errorf("%d are pending, want %d, %v", counts[endpoint], want, err)
	}
}

// testPutRaceWhole: a publication is stored as a whole or not at all, whatever
// others store at the same time.
func testPutRaceWhole(f *sharedFixture) {
	instances := []*fixture{f.open(), f.open()}
	const rounds = 20
	want := int64(0)
	for round := range rounds {
		name := func(n int) string { return fmt.Sprintf("%d-%d", round, n) }
		// The two have 1 and 2 in common, in the other order and with other data.
		first := &sender.Publication{Events: []sender.PutEvent{event(name(0), at(1), "a"), event(name(1), at(1), "a"), event(name(2), at(1), "a")}}
		second := &sender.Publication{Events: []sender.PutEvent{conflicting(name(2)), conflicting(name(1)), event(name(3), at(1), "a")}}
		var wg sync.WaitGroup
		for i, p := range []*sender.Publication{first, second} {
			wg.Go(func() {
				if err := instances[i].store.PutEvents(f.t.Context(), []*sender.Publication{p}); err != nil {
					f.t.Errorf("PutEvents: %v", err)
				}
			})
		}
		wg.Wait()
		if (first.Err == nil) == (second.Err == nil) {
			f.t.Fatalf("round %d: the errors are %v and %v, want one", round, first.Err, second.Err)
		}
		for i, kept := range map[int]bool{0: first.Err == nil, 3: second.Err == nil} {
			if instances[0].exists(name(i)) != kept {
				f.t.Errorf("event %s exists: %t, want %t", name(i), !kept, kept)
			}
		}
		want += 3
	}
	f.wantPendingOf(instances[1], "a", want)
}

func testSeen(f *sharedFixture) {
	a, b := f.open(), f.open()
	seqs := a.put(event("1", at(1), "x", "y"), event("2", at(2), "x"))
	b.wantStates("1", "x pending 0/0 1", "y pending 0/0 1")
	b.wantPending(map[string]int64{"x": 2, "y": 1})
	a.settle(succeeded(seqs[0], "x"), retry(seqs[1], "x", 1, at(9)))
	b.wantStates("1", "x succeeded 1/1", "y pending 0/0 1")
	b.wantPending(map[string]int64{"x": 1, "y": 1})
	if got := namesOf(b.list(sender.DeliveryQuery{Statuses: []sender.Status{sender.Pending}, Limit: 10})); !slices.Equal(got, []string{"2/x", "1/y"}) {
		f.t.Errorf("pending are %v", got)
	}
	b.wantClaim("x", true, "2")
	second := succeeded(seqs[1], "x")
	second.Attempt = attempt(2, sender.VerdictSucceeded)
	b.settle(second)
	a.wantStates("2", "x succeeded 2/2")
	a.wantPending(map[string]int64{"y": 1})
	for _, x := range []*fixture{a, b} { // each has counted a part
		total := int64(0)
		for _, c := range x.counters(sender.CounterQuery{Step: sender.StepMinute}) {
			total += c.Attempts
		}
		if total != 3 {
			f.t.Errorf("%d attempts were counted, want 3", total)
		}
	}
	d := document("1", 0, "a")
	a.putDocuments(d)
	if err := b.store.PutDocuments(f.t.Context(), []*sender.Document{document("1", 0, "b")}); !errors.Is(err, sender.ErrStale) {
		f.t.Errorf("PutDocuments of another instance = %v, want ErrStale", err)
	}
	b.wantDocuments("k", document("1", 1, "a"))
	b.purge(always, 10, 1)
	if a.exists("2") {
		f.t.Error("the other instance has purged an event, and it is there")
	}
}
