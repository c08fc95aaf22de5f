package postgresstore

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/internal/postgrestest"
)

// TestWhoSeemsDead: what others have is taken over when their leases have ended,
// and not when that only seems so, or could not be helped.
func TestWhoSeemsDead(t *testing.T) {
	const lease = 15 * time.Second
	now := time.Now()
	for name, test := range map[string]struct {
		renewed, server time.Time
		passed          time.Duration // at the server
		want            bool
	}{
		"all is well":                     {now.Add(-5 * time.Second), start, 5 * time.Second, true},
		"a clock that is a little faster": {now.Add(-5 * time.Second), start, 7 * time.Second, true},
		"a clock that was set back":       {now.Add(-5 * time.Second), start, -time.Hour, true},
		"a clock that was set ahead":      {now.Add(-5 * time.Second), start, time.Hour, false},
		"an outage":                       {now.Add(-time.Minute), start, time.Minute, false},
		"it has just joined":              {now, time.Time{}, 0, false},
	} {
		s := &Store{lease: lease}
		s.keeper.init()
		s.watch.init()
		s.keeper.current, s.keeper.renewed, s.keeper.server = 1, test.renewed, test.server
		s.sawInstances(1, now, test.server.Add(test.passed), 7, 0, 1, true)
		if got := len(s.keeper.dead) == 1; got != test.want {
			t.Errorf("%s: it is taken over: %t", name, got)
		}
	}
}

// TestRejoinedLeavesOthersTime guards that an instance that joins anew, as after an
// outage in the middle of a change, does not take over at once from all those whose
// leases have ended in the meantime as well.
func TestRejoinedLeavesOthersTime(t *testing.T) {
	o := options(t, postgrestest.Shared(t).URL())
	o.Lease = time.Minute // so that nothing is renewed by itself
	a, b := open(t, o), open(t, o)
	other := b.keeper.number()
	a.keeper.joining.Lock()
	a.keeper.lose(a.keeper.number())
	_, err := a.pool.Exec(background, a.in(`UPDATE {s}.instances SET lease_until = clock_timestamp() - interval '1 second' WHERE number = $1`), other)
	a.keeper.joining.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	for until := time.Now().Add(60 * time.Second); a.keeper.number() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal("it has not joined anew")
		}
	}
	time.Sleep(100 * time.Millisecond) // in which it would be done
	if err := b.renew(context.Background(), other); err != nil || b.keeper.number() != other {
		t.Errorf("the other one has no time to renew its lease: %v", err)
	}
}

// TestLostLeaseIsLoggedOnce guards the log during an outage, in which every call
// tries to join anew.
func TestLostLeaseIsLoggedOnce(t *testing.T) {
	o := options(t, postgrestest.Shared(t).URL())
	log, text := recorder()
	o.Logger = log
	s := open(t, o)
	rename := func(from, to string) {
		t.Helper()
		if _, err := s.pool.Exec(background, s.in("ALTER TABLE {s}."+from+" RENAME TO "+to)); err != nil {
			t.Fatal(err)
		}
	}
	rename("instances", "away")
	s.keeper.lose(s.keeper.number())
	for range 10 {
		if _, err := s.instance(background); err == nil {
			t.Error("it has joined without the table")
		}
	}
	rename("away", "instances")
	for until := time.Now().Add(60 * time.Second); s.keeper.number() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal("it has not joined anew")
		}
	}
	if n := strings.Count(text(), "it joins anew"); n != 1 {
		t.Errorf("it was logged %d times:\n%s", n, text())
	}
}
