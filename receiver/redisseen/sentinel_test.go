package redisseen_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/manysends/caddy-webhooks/internal/redistest"
	"github.com/manysends/caddy-webhooks/receiver"
	"github.com/manysends/caddy-webhooks/receiver/redisseen"
)

// watched is a master with a replica, which a Sentinel watches.
type watched struct {
	master, replica *redistest.Server
	sentinel        *redistest.Sentinel
}

func startWatched(t testing.TB) watched {
	t.Helper()
	w := watched{master: redistest.Start(t, "--appendonly", "no")}
	w.replica = redistest.StartReplica(t, w.master, "--appendonly", "no")
	eventually(t, "the replica to have a copy", func() bool {
		return says(t, w.replica, "master_link_status:up") && says(t, w.master, "connected_slaves:1")
	})
	w.sentinel = redistest.StartSentinel(t, w.master)
	eventually(t, "the Sentinel to know the replica", func() bool {
		c := dialAddr(t, w.sentinel.Addr)
		defer c.Close()
		text, err := c.Do(context.Background(), c.B().Info().Build()).ToString()
		return err == nil && strings.Contains(text, "slaves=1")
	})
	return w
}

// says tells whether a server says so of its replication.
func says(t testing.TB, s *redistest.Server, what string) bool {
	t.Helper()
	c := dialAddr(t, s.Addr)
	defer c.Close()
	text, err := c.Do(context.Background(), c.B().Info().Section("replication").Build()).ToString()
	return err == nil && strings.Contains(text, what)
}

func dialAddr(t testing.TB, addr string) rueidis.Client {
	t.Helper()
	c, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{addr}, DisableCache: true, ForceSingleClient: true})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// failOver kills the master, and waits until the replica has taken its place.
func (w watched) failOver(t testing.TB) {
	t.Helper()
	w.master.Kill()
	eventually(t, "the replica to be the master", func() bool { return says(t, w.replica, "role:master") })
}

// A new master is told again what the last one took with it: here the replica
// heard nothing at all in the last moments.
func TestNewMasterIsToldWhatWasLost(t *testing.T) {
	w := startWatched(t)
	m := open(t, redisseen.Options{URL: w.sentinel.URL(), Name: "n"})
	other := open(t, redisseen.Options{URL: "redis://" + w.sentinel.Addr, Sentinel: redisseen.Sentinel{MasterSet: redistest.MasterSet}, Name: "n"})
	ctx := context.Background()
	w.replica.Freeze(t)
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
	held := must(t, m, "claimed", receiver.Key{4})
	given := must(t, m, "claimed", receiver.Key{5})
	w.master.Kill()
	w.replica.Thaw(t)
	if err := given.Hold.Release(ctx); !errors.Is(err, receiver.ErrUnavailable) {
		t.Errorf("release: %v, want ErrUnavailable", err)
	}
	w.failOver(t)
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
	eventually(t, "what was given up to be free", func() bool {
		found, err := other.Claim(ctx, []receiver.Key{{5}}, 0)
		return err == nil && found.Hold != nil
	})
	if err := held.Hold.Commit(ctx, time.Hour); err != nil {
		t.Error(err)
	}
	must(t, other, "duplicate", receiver.Key{4})
}
