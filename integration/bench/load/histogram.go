package load

import (
	"math/bits"
	"time"
)

const (
	// histogramBits sets how fine a histogram is: each power of two is split
	// into this many bits' worth of buckets, so that a value is off by less than
	// one in 128.
	histogramBits    = 7
	bucketsPerOctave = 1 << histogramBits
)

// Histogram counts times in buckets whose width grows with the time. The zero
// value is empty. It is not safe for concurrent use.
type Histogram struct {
	// Counts holds how many times fell into each bucket, up to the last one
	// that is not empty.
	Counts []uint64 `json:"counts,omitempty"`

	// N is how many times have been counted.
	N uint64 `json:"n"`

	// Max and Min are the longest and the shortest time, exactly.
	Max time.Duration `json:"max_ns"`
	Min time.Duration `json:"min_ns"`
}

// bucketOf is where a time is counted. Short times have a bucket for each
// nanosecond; of longer ones the first bits matter.
func bucketOf(d time.Duration) int {
	v := uint64(max(d, 0))
	shift := max(bits.Len64(v)-histogramBits-1, 0)
	return shift*bucketsPerOctave + int(v>>shift)
}

// bucketTop is the longest time that is counted in a bucket.
func bucketTop(i int) time.Duration {
	shift := max(i/bucketsPerOctave-1, 0)
	return time.Duration((uint64(i-shift*bucketsPerOctave)+1)<<shift - 1)
}

// Add counts a time. One that is negative counts as none.
func (h *Histogram) Add(d time.Duration) {
	d = max(d, 0)
	i := bucketOf(d)
	if i >= len(h.Counts) {
		h.Counts = append(h.Counts, make([]uint64, i+1-len(h.Counts))...)
	}
	if h.N == 0 {
		h.Min = d
	}
	h.Counts[i]++
	h.N++
	h.Max, h.Min = max(h.Max, d), min(h.Min, d)
}

// Merge adds what another one has counted.
func (h *Histogram) Merge(other *Histogram) {
	if other == nil || other.N == 0 {
		return
	}
	if h.N == 0 {
		h.Min = other.Min
	}
	if missing := len(other.Counts) - len(h.Counts); missing > 0 {
		h.Counts = append(h.Counts, make([]uint64, missing)...)
	}
	h.N += other.N
	for i, n := range other.Counts {
		h.Counts[i] += n
	}
	h.Max, h.Min = max(h.Max, other.Max), min(h.Min, other.Min)
}

// Quantile is the time that the share q of all times, from 0 to 1, does not
// exceed; the longest one for 1, and 0 when there are none.
func (h *Histogram) Quantile(q float64) time.Duration {
	n := h.N
	if n == 0 {
		return 0
	}
	rank := uint64(q * float64(n))
	if float64(rank) < q*float64(n) {
		rank++
	}
	rank = min(max(rank, 1), n)
	var seen uint64
	for i, c := range h.Counts {
		if seen += c; seen >= rank {
			return max(min(bucketTop(i), h.Max), h.Min)
		}
	}
	return h.Max
}
