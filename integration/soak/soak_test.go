package main

import (
	"math"
	"os"
	"testing"
	"time"
)

// TestSoak is a short run of the command: long enough for two reloads, and too
// short to see slow growth.
func TestSoak(t *testing.T) {
	o := options{duration: 20 * time.Second, every: time.Second, reload: 7 * time.Second, pause: 20 * time.Millisecond}
	if err := run(t.Context(), os.Stdout, o, false); err != nil {
		t.Error(err)
	}
}

// TestTrend guards the verdict: growth must be seen, also among noise.
func TestTrend(t *testing.T) {
	for name, tt := range map[string]struct {
		of   func(i int) int
		want float64
	}{
		"flat":          {func(int) int { return 100 }, 0},
		"up and down":   {func(i int) int { return 100 + i%2*10 }, 0},
		"growing":       {func(i int) int { return 100 + i }, 99},
		"growing noise": {func(i int) int { return 100 + i + i%2*10 }, 99},
	} {
		var samples []sample
		for i := range 100 {
			samples = append(samples, sample{after: time.Duration(i) * time.Second, goroutines: tt.of(i)})
		}
		growth, _ := trend(samples, func(s sample) float64 { return float64(s.goroutines) })
		if math.Abs(growth-tt.want) > 1 {
			t.Errorf("%s: grows by %g, want %g", name, growth, tt.want)
		}
	}
}
