package sender

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// failures counts n failures, each of an attempt that began just before.
func (b *breaker) failTimes(n int, at time.Time) (opened bool) {
	for range n {
		opened = b.failed(at, at, Unchanged)
	}
	return opened
}

func TestBreakerOpensAtTheFifthFailure(t *testing.T) {
	var b breaker
	for n := 1; n <= 4; n++ {
		if b.failed(judgedAt, judgedAt, Unchanged) || b.open(judgedAt) || b.probing() {
			t.Fatalf("after %d failures: open=%t probing=%t", n, b.open(judgedAt), b.probing())
		}
	}
	if !b.failed(judgedAt, judgedAt, Unchanged) {
		t.Error("the fifth failure did not open it")
	}
	if !b.open(judgedAt) || !b.open(judgedAt.Add(30*time.Second-1)) {
		t.Error("it is not open for 30 s")
	}
	if b.open(judgedAt.Add(30 * time.Second)) {
		t.Error("it is open for longer than 30 s")
	}
	if !b.probing() {
		t.Error("after the pause it does not probe")
	}
}

func TestBreakerSuccessResetsTheCount(t *testing.T) {
	var b breaker
	for range 20 {
		b.failTimes(4, judgedAt)
		b.succeeded()
	}
	if b.failTimes(4, judgedAt) || b.open(judgedAt) {
		t.Error("failures that were not in a row opened it")
	}
}

func TestBreakerDoublesItsPause(t *testing.T) {
	var b breaker
	now := judgedAt
	b.failTimes(4, now)
	pauses := []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 5 * time.Minute, 5 * time.Minute}
	for i, want := range pauses {
		if !b.failed(now, now, Unchanged) {
			t.Fatalf("probe %d: its failure did not open it again", i)
		}
		if got := b.until.Sub(now); got != want {
			t.Errorf("pause %d is %s, want %s", i, got, want)
		}
		now = b.until
		if b.open(now) || !b.probing() {
			t.Errorf("after pause %d: open=%t probing=%t", i, b.open(now), b.probing())
		}
	}
	b.succeeded()
	if b.open(now) || b.probing() {
		t.Error("a success did not close it")
	}
	b.failTimes(5, now)
	if got := b.until.Sub(now); got != 30*time.Second {
		t.Errorf("after a success the first pause is %s, want 30s", got)
	}
}

// TestBreakerVariesItsPause: by up to a fifth either way, and by chance; what
// one pause was varied by does not add to the next.
func TestBreakerVariesItsPause(t *testing.T) {
	for _, test := range []struct {
		draw Draw
		want []time.Duration
	}{
		{Shortest, []time.Duration{24 * time.Second, 48 * time.Second, 96 * time.Second, 192 * time.Second, 4 * time.Minute, 4 * time.Minute}},
		{Longest, []time.Duration{36 * time.Second, 72 * time.Second, 144 * time.Second, 288 * time.Second, 6 * time.Minute, 6 * time.Minute}},
	} {
		var b breaker
		now := judgedAt
		b.failTimes(4, now)
		for i, want := range test.want {
			b.failed(now, now, test.draw)
			if got := b.until.Sub(now); got != want {
				t.Errorf("draw %d: pause %d is %s, want %s", test.draw, i, got, want)
			}
			now = b.until
		}
	}
	// A thousand endpoints behind one host that dies are not all probed at once.
	random := rand.NewChaCha8([32]byte{1})
	inSecond := make(map[time.Duration]int)
	for range 1000 {
		var b breaker
		b.failTimes(4, judgedAt)
		b.failed(judgedAt, judgedAt, random)
		inSecond[b.until.Sub(judgedAt).Truncate(time.Second)]++
	}
	if most := slices.Max(slices.Collect(maps.Values(inSecond))); len(inSecond) < 12 || most > 150 {
		t.Errorf("1000 probes fall into %d seconds, %d of them into one, want 12 seconds and some 80 in each", len(inSecond), most)
	}
}

// TestBreakerEndPause: an attempt may be made at once, and when it fails, the
// pauses go on from where they were.
func TestBreakerEndPause(t *testing.T) {
	var b breaker
	b.endPause(judgedAt)
	if b != (breaker{}) {
		t.Errorf("a closed breaker became %+v", b)
	}
	b.failTimes(6, judgedAt)
	b.failed(b.until, b.until, Unchanged) // the second pause begins
	now := b.until.Add(-time.Second)
	b.endPause(now)
	if b.open(now) || !b.probing() {
		t.Errorf("open=%t probing=%t, want a probe", b.open(now), b.probing())
	}
	if b.failed(now.Add(-time.Minute), now, Unchanged) {
		t.Error("an attempt that began before it opened counted")
	}
	if b.failed(now, now, Unchanged); b.until.Sub(now) != 2*time.Minute {
		t.Errorf("the pause after the probe is %s, want 2m", b.until.Sub(now))
	}
}

// TestBreakerPassesOverAttemptsUnderWay: sixteen attempts that all began
// before the breaker opened are one outage, whether they fail during the pause
// or, being slow, after it.
func TestBreakerPassesOverAttemptsUnderWay(t *testing.T) {
	for _, after := range []time.Duration{0, time.Second, 29 * time.Second, 30 * time.Second, 5 * time.Minute} {
		var b breaker
		b.failTimes(5, judgedAt)
		for range 11 {
			if b.failed(judgedAt.Add(-time.Second), judgedAt.Add(after), Unchanged) {
				t.Errorf("an attempt under way that failed %s later opened it again", after)
			}
		}
		if got := b.until.Sub(judgedAt); got != 30*time.Second {
			t.Errorf("attempts under way made the pause %s long, want 30s", got)
		}
	}
}
