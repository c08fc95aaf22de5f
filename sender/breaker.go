package sender

import (
	"io"
	"time"
)

// A lane's breaker pauses it after this many failures in a row, for a time
// that doubles from the first to the longest, with one probe in between. The
// longest is the second wait of [DefaultRetry]: who is back after a long outage
// gets new events no later than a retry would have come.
const (
	breakerFailures = 5
	breakerFirst    = 30 * time.Second
	breakerLongest  = 5 * time.Minute
)

// breaker counts failures in a row. The zero value is closed. The lane's lock
// guards it.
type breaker struct {
	failures int
	pause    time.Duration // before it was varied
	until    time.Time
}

// open tells that the lane must not start an attempt now.
func (b *breaker) open(now time.Time) bool { return now.Before(b.until) }

// probing tells that only one attempt at a time may find out whether the
// endpoint is back.
func (b *breaker) probing() bool { return b.failures >= breakerFailures }

// succeeded closes the breaker.
func (b *breaker) succeeded() { *b = breaker{} }

// endPause lets the next attempt be made now. When that fails, the pause after
// it is as long as it would have been.
func (b *breaker) endPause(now time.Time) {
	if b.open(now) {
		b.until = now
	}
}

// failed counts the failure of an attempt that began at started, and tells
// whether it opened the breaker. Attempts that were under way when it opened
// do not count again, even when they fail after the pause. Each pause is varied
// as retries are: what goes to the same dead host, from here or from elsewhere,
// must not be tried at the same moment.
func (b *breaker) failed(started, now time.Time, random io.Reader) (opened bool) {
	if started.Before(b.until) {
		return false
	}
	b.failures++
	if b.failures < breakerFailures {
		return false
	}
	b.pause = min(max(2*b.pause, breakerFirst), breakerLongest)
	b.until = now.Add(jitter(b.pause, random))
	return true
}
