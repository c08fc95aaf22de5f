package sender

import "time"

// A lane's breaker pauses it after this many failures in a row, for a time
// that doubles from the first to the longest, with one probe in between.
const (
	breakerFailures = 5
	breakerFirst    = 30 * time.Second
	breakerLongest  = 10 * time.Minute
)

// breaker counts failures in a row. The zero value is closed. The lane's lock
// guards it.
type breaker struct {
	failures int
	pause    time.Duration
	until    time.Time
}

// open tells that the lane must not start an attempt now.
func (b *breaker) open(now time.Time) bool { return now.Before(b.until) }

// probing tells that only one attempt at a time may find out whether the
// endpoint is back.
func (b *breaker) probing() bool { return b.failures >= breakerFailures }

// succeeded closes the breaker.
func (b *breaker) succeeded() { *b = breaker{} }

// failed counts the failure of an attempt that began at started, and tells
// whether it opened the breaker. Attempts that were under way when it opened
// do not count again, even when they fail after the pause.
func (b *breaker) failed(started, now time.Time) (opened bool) {
	if started.Before(b.until) {
		return false
	}
	b.failures++
	if b.failures < breakerFailures {
		return false
	}
	b.pause = min(max(2*b.pause, breakerFirst), breakerLongest)
	b.until = now.Add(b.pause)
	return true
}
