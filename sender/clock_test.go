package sender

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"testing"
	"testing/iotest"
	"time"
)

func TestJitterBounds(t *testing.T) {
	const resolution = 1 << 16
	at := func(n uint64) *bytes.Reader {
		return bytes.NewReader(binary.LittleEndian.AppendUint64(nil, n))
	}
	tests := []struct {
		name   string
		random uint64
		want   time.Duration
	}{
		{"shortest", 0, 80 * time.Second},
		{"a quarter", resolution / 2, 90 * time.Second},
		{"unchanged", resolution, 100 * time.Second},
		{"longest", 2 * resolution, 120 * time.Second},
		{"around the end", 2*resolution + 1, 80 * time.Second},
	}
	for _, test := range tests {
		if got := jitter(100*time.Second, at(test.random)); got != test.want {
			t.Errorf("%s: jitter(100s) = %s, want %s", test.name, got, test.want)
		}
	}
	for _, d := range []time.Duration{1, time.Millisecond, 5 * time.Second, 24 * time.Hour, 365 * 24 * time.Hour} {
		lowest, highest := d, d
		for range 5000 {
			got := jitter(d, rand.Reader)
			if got < d-d/5 || got > d+d/5 {
				t.Fatalf("jitter(%s) = %s is more than 20 %% away", d, got)
			}
			lowest, highest = min(lowest, got), max(highest, got)
		}
		if d > time.Second && (lowest > d-d/6 || highest < d+d/6) {
			t.Errorf("jitter(%s) in 5000 draws is only within %s and %s", d, lowest, highest)
		}
	}
}

// TestJitterWithoutRandomness: a wait must not get lost because the random
// source fails.
func TestJitterWithoutRandomness(t *testing.T) {
	if got := jitter(time.Hour, iotest.ErrReader(errors.New("no randomness"))); got != time.Hour {
		t.Errorf("jitter(1h) = %s, want 1h", got)
	}
}

func TestSystemClock(t *testing.T) {
	var c systemClock
	woken := make(chan struct{})
	c.AfterFunc(time.Millisecond, func() { close(woken) })
	<-woken
	stop := c.AfterFunc(time.Hour, func() { t.Error("a stopped function was called") })
	stop()
	stop() // twice is fine
	if d := time.Since(c.Now()); d < 0 || d > time.Minute {
		t.Errorf("Now is %s away from the time", d)
	}
}
