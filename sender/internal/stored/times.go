package stored

import (
	"math"
	"time"
)

// CeilMilli is the first whole millisecond, since 1970, that is not before a
// time: what is kept in milliseconds is before the one as it is before the
// other.
func CeilMilli(t time.Time) int64 {
	return t.Add(time.Millisecond - 1).UnixMilli()
}

// Bounds are two times as bounds of what is kept in milliseconds: at the first
// or later, and before the second. Zero times are no bounds.
func Bounds(from, to time.Time) (first, end int64) {
	first, end = math.MinInt64, math.MaxInt64
	if !from.IsZero() {
		first = CeilMilli(from)
	}
	if !to.IsZero() {
		end = CeilMilli(to)
	}
	return first, end
}
