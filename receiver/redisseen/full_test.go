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

// A Redis that is full is one that is away: nothing is taken for new, and what was
// committed meanwhile it is told when there is room again.
func TestFull(t *testing.T) {
	server := redistest.Start(t, "--appendonly", "no", "--maxmemory-policy", "noeviction")
	o := redisseen.Options{URL: server.URL(), Name: "n"}
	c, m, other := dial(t, o), open(t, o), open(t, o)
	ctx := context.Background()
	held := must(t, m, "claimed", receiver.Key{1}).Hold
	released := must(t, m, "claimed", receiver.Key{2}).Hold
	limit := func(memory string) {
		t.Helper()
		if err := c.Do(ctx, c.B().ConfigSet().ParameterValue().ParameterValue("maxmemory", memory).Build()).Error(); err != nil {
			t.Fatal(err)
		}
	}
	limit("1")
	if _, err := other.Claim(ctx, []receiver.Key{{3}}, 0); !errors.Is(err, receiver.ErrUnavailable) {
		t.Errorf("a claim: %v, want ErrUnavailable", err)
	}
	if err := held.Commit(ctx, time.Hour); !errors.Is(err, receiver.ErrUnavailable) {
		t.Errorf("a commit: %v, want ErrUnavailable", err)
	}
	if err := released.Release(ctx); err != nil && !errors.Is(err, receiver.ErrUnavailable) {
		t.Errorf("a release: %v", err)
	}
	limit("0")
	eventually(t, "it is committed", func() bool {
		found, err := other.Claim(ctx, []receiver.Key{{1}}, 0)
		return err == nil && found.Duplicate
	})
	eventually(t, "it is free", func() bool {
		found, err := other.Claim(ctx, []receiver.Key{{2}}, 0)
		return err == nil && found.Hold != nil
	})
}
