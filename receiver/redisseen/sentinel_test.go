package redisseen_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/internal/redistest"
	"github.com/manysends/caddy-webhooks/receiver"
	"github.com/manysends/caddy-webhooks/receiver/redisseen"
)

// waitForReplica waits until the replica has all that the master has.
func waitForReplica(t testing.TB, w redistest.Watched) {
	t.Helper()
	c := dial(t, redisseen.Options{URL: w.Master.URL()})
	ctx := context.Background()
	if err := c.Do(ctx, c.B().Set().Key("last").Value("1").Build()).Error(); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Do(ctx, c.B().Wait().Numreplicas(1).Timeout(patience.Milliseconds()).Build()).AsInt64(); err != nil || n != 1 {
		t.Fatalf("%d replicas have everything, error %v", n, err)
	}
}

// A new master is told again what the last one took with it: here the replica
// heard nothing at all in the last moments.
func TestNewMasterIsToldWhatWasLost(t *testing.T) {
	w := redistest.StartWatched(t)
	m := open(t, redisseen.Options{URL: w.Sentinel.URL(), Name: "n"})
	other := open(t, redisseen.Options{URL: "redis://" + w.Sentinel.Addr, Sentinel: redisseen.Sentinel{MasterSet: redistest.MasterSet}, Name: "n"})
	ctx := context.Background()
	released := must(t, m, "claimed", receiver.Key{8})
	waitForReplica(t, w)
	w.Replica.Freeze(t)
	committed := must(t, m, "claimed", receiver.Key{1}, receiver.Key{2})
	if err := committed.Hold.Commit(ctx, time.Hour); err != nil {
		t.Fatal(err)
	}
	forgotten := must(t, m, "claimed", receiver.Key{3})
	if err := forgotten.Hold.Commit(ctx, time.Hour); err != nil {
		t.Fatal(err)
	}
	if known, err := m.Forget(ctx, receiver.Key{3}); !known || err != nil {
		t.Fatalf("forget tells %t, error %v", known, err)
	}
	if err := released.Hold.Release(ctx); err != nil {
		t.Fatal(err)
	}
	held := must(t, m, "claimed", receiver.Key{4})
	given := must(t, m, "claimed", receiver.Key{5})
	w.Master.Kill()
	w.Replica.Thaw(t)
	if err := given.Hold.Release(ctx); !errors.Is(err, receiver.ErrUnavailable) {
		t.Errorf("release: %v, want ErrUnavailable", err)
	}
	w.FailOver(t)
	eventually(t, "the new master", func() bool {
		found, err := m.Claim(ctx, []receiver.Key{{6}}, 0)
		return err == nil && found.Hold != nil
	})
	eventually(t, "the new master", func() bool {
		_, err := other.Claim(ctx, []receiver.Key{{7}}, 0)
		return err == nil
	})
	must(t, other, "duplicate", receiver.Key{1})
	must(t, other, "duplicate", receiver.Key{2})
	must(t, other, "claimed", receiver.Key{3})
	must(t, other, "busy", receiver.Key{4})
	must(t, other, "claimed", receiver.Key{8})
	eventually(t, "what was given up to be free", func() bool {
		found, err := other.Claim(ctx, []receiver.Key{{5}}, 0)
		return err == nil && found.Hold != nil
	})
	if err := held.Hold.Commit(ctx, time.Hour); err != nil {
		t.Error(err)
	}
	must(t, other, "duplicate", receiver.Key{4})
}

// sprayOver has a Sentinel put the replica in the place of a master that is
// killed while events are sprayed, and tells for how long a receiver went
// without. The second half comes when that is over.
func sprayOver(t testing.TB, events int) (sp *spraying, gap time.Duration) {
	w := redistest.StartWatched(t)
	sp = newSpraying(t, events, receiver.StateOptions{}, redisseen.Options{URL: w.Sentinel.URL()})
	sp.isOdd.Store(true)
	sp.run(t, 0, events/2, func() {
		killed := time.Now()
		w.FailOver(t)
		eventually(t, "the new master to be asked", func() bool { return !sp.away(t) })
		gap = time.Since(killed)
	})
	sp.isOdd.Store(false)
	sp.run(t, events/2, events, nil)
	return sp, gap
}

// No event is lost, and none that comes when the new master is known is
// processed twice. Of those before, the claim of one may have been lost with the
// master, and another receiver may ask the new one first.
func TestMasterIsKilledInTheMidst(t *testing.T) {
	sp, _ := sprayOver(t, sprayed()/5)
	twice, odd, lost := sp.outcome()
	if lost != 0 || twice != odd || sp.refused.Load() == 0 {
		t.Errorf("%d were lost, %d processed more than once of which %d before the new master was known, and %d refused: want 0, as many, some",
			lost, twice, odd, sp.refused.Load())
	}
	t.Logf("%d of %d were processed more than once", twice, len(sp.taken))
}

// BenchmarkFailover tells how many events are processed twice at a failover, and
// for how long receivers refuse: with -benchtime 10x for ten.
func BenchmarkFailover(b *testing.B) {
	twice, lost, events, away := 0, 0, 0, time.Duration(0)
	for b.Loop() {
		sp, gap := sprayOver(b, 10_000)
		more, _, gone := sp.outcome()
		twice, lost, events, away = twice+more, lost+gone, events+len(sp.taken), away+gap
	}
	b.ReportMetric(float64(twice)/float64(b.N), "twice/failover")
	b.ReportMetric(float64(lost), "lost")
	b.ReportMetric(away.Seconds()/float64(b.N), "s-away/failover")
	b.ReportMetric(float64(events), "events")
}
