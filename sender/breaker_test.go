package sender

import (
	"testing"
	"time"
)

// failures counts n failures, each of an attempt that began just before.
func (b *breaker) failTimes(n int, at time.Time) (opened bool) {
	for range n {
		opened = b.failed(at, at)
	}
	return opened
}

func TestBreakerOpensAtTheFifthFailure(t *testing.T) {
	var b breaker
	for n := 1; n <= 4; n++ {
		if b.failed(judgedAt, judgedAt) || b.open(judgedAt) || b.probing() {
			t.Fatalf("after %d failures: open=%t probing=%t", n, b.open(judgedAt), b.probing())
		}
	}
	if !b.failed(judgedAt, judgedAt) {
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
	pauses := []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 10 * time.Minute, 10 * time.Minute}
	for i, want := range pauses {
		if !b.failed(now, now) {
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

// TestBreakerPassesOverAttemptsUnderWay: sixteen attempts that all began
// before the breaker opened are one outage, whether they fail during the pause
// or, being slow, after it.
func TestBreakerPassesOverAttemptsUnderWay(t *testing.T) {
	for _, after := range []time.Duration{0, time.Second, 29 * time.Second, 30 * time.Second, 5 * time.Minute} {
		var b breaker
		b.failTimes(5, judgedAt)
		for range 11 {
			if b.failed(judgedAt.Add(-time.Second), judgedAt.Add(after)) {
				t.Errorf("an attempt under way that failed %s later opened it again", after)
			}
		}
		if got := b.until.Sub(judgedAt); got != 30*time.Second {
			t.Errorf("attempts under way made the pause %s long, want 30s", got)
		}
	}
}
