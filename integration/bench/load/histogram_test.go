package load

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// exactQuantile is what Quantile comes close to.
func exactQuantile(sorted []time.Duration, q float64) time.Duration {
	i := int(q * float64(len(sorted)))
	if float64(i) < q*float64(len(sorted)) {
		i++
	}
	return sorted[min(max(i, 1), len(sorted))-1]
}

func TestHistogramQuantiles(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	tests := []struct {
		name string
		next func(i int) time.Duration
	}{
		{"small", func(i int) time.Duration { return time.Duration(i % 300) }},
		{"even", func(int) time.Duration { return time.Duration(random.Int64N(int64(time.Second))) }},
		{"over many magnitudes", func(int) time.Duration { return time.Duration(1) << random.IntN(60) }},
		{"all the same", func(int) time.Duration { return 12345678 }},
		{"one far out", func(i int) time.Duration {
			if i == 500 {
				return time.Hour
			}
			return time.Millisecond
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var h Histogram
			var all []time.Duration
			for i := range 10_000 {
				d := tt.next(i)
				h.Add(d)
				all = append(all, d)
			}
			slices.Sort(all)
			if h.N != uint64(len(all)) || h.Min != all[0] || h.Max != all[len(all)-1] {
				t.Errorf("count %d, from %v to %v; want %d, from %v to %v", h.N, h.Min, h.Max, len(all), all[0], all[len(all)-1])
			}
			for _, q := range []float64{0, 0.01, 0.5, 0.9, 0.99, 0.999, 0.9999, 1} {
				got, want := h.Quantile(q), exactQuantile(all, q)
				if got < want || got > want+want/128 {
					t.Errorf("Quantile(%v) = %d, want %d or at most one in 128 more", q, got, want)
				}
			}
		})
	}
}

func TestHistogramMerge(t *testing.T) {
	var all Histogram
	parts := make([]Histogram, 3)
	for i := range 3000 {
		d := time.Duration(i*i) * time.Microsecond
		all.Add(d)
		parts[i%3].Add(d)
	}
	merged := new(Histogram)
	for i := range parts {
		merged.Merge(&parts[i])
	}
	merged.Merge(new(Histogram))
	merged.Merge(nil)
	if diff := cmp.Diff(&all, merged); diff != "" {
		t.Error(diff)
	}
}

func TestHistogramOfNothing(t *testing.T) {
	var h Histogram
	if h.N != 0 || h.Quantile(0.5) != 0 {
		t.Errorf("an empty histogram has %d times, and half of them take %v", h.N, h.Quantile(0.5))
	}
	h.Add(-time.Second) // of a clock that was set back
	if h.Quantile(1) != 0 || h.Min != 0 || h.N != 1 {
		t.Errorf("a negative time counts as %v", h.Quantile(1))
	}
}

// TestBuckets checks that buckets follow each other without a gap.
func TestBuckets(t *testing.T) {
	next := time.Duration(0)
	for i := range 20 * bucketsPerOctave {
		top := bucketTop(i)
		if top < next || bucketOf(next) != i || bucketOf(top) != i || bucketOf(top+1) != i+1 {
			t.Fatalf("bucket %d is from %d to %d, but these are counted in %d and %d", i, next, top, bucketOf(next), bucketOf(top))
		}
		next = top + 1
	}
}
