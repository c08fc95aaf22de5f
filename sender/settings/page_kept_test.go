package settings

import (
	"strconv"
	"testing"
	"time"
)

// TestKeptResultsAreBounded: whoever has much kept for him pushes out nothing of
// another tenant's, and many tenants fill no memory.
func TestKeptResultsAreBounded(t *testing.T) {
	var k kept
	now := time.Unix(1_800_000_000, 0)
	theirs := keptKey{"acme", "secret", "ep_1"}
	k.put(now, theirs, "theirs")
	key := func(tenant string, n int) keptKey { return keptKey{tenant, "secret", strconv.Itoa(n)} }
	for n := range 10 * maxKept {
		now = now.Add(time.Millisecond)
		k.put(now, key("globex", n), n)
	}
	if got, _ := k.get(now, theirs); got != "theirs" {
		t.Errorf("of the other tenant there is %v", got)
	}
	for n, want := range map[int]any{10*maxKept - 1: 10*maxKept - 1, 10*maxKept - maxKeptOfOne: 10*maxKept - maxKeptOfOne, 10*maxKept - maxKeptOfOne - 1: nil} {
		if got, _ := k.get(now, key("globex", n)); got != want {
			t.Errorf("of result %d there is %v, want %v", n, got, want)
		}
	}
	if len(k.results) != maxKeptOfOne+1 {
		t.Errorf("%d results are kept, want %d", len(k.results), maxKeptOfOne+1)
	}
	for n := range 10 * maxKept {
		now = now.Add(time.Millisecond)
		k.put(now, key(strconv.Itoa(n), 1), n)
	}
	if len(k.results) > maxKept {
		t.Errorf("%d results are kept, want %d at most", len(k.results), maxKept)
	}
	k.put(now.Add(keptFor+time.Second), theirs, "new")
	if len(k.results) != 1 {
		t.Errorf("%d results are kept when all but one are old", len(k.results))
	}
}
