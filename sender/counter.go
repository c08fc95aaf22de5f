package sender

import (
	"fmt"
	"time"
)

// Step is how much time one counter covers.
type Step uint8

// The steps that are counted in.
const (
	StepMinute Step = iota + 1
	StepHour
)

// Duration is how long the step is; 0 for an unknown one.
func (s Step) Duration() time.Duration {
	switch s {
	case StepMinute:
		return time.Minute
	case StepHour:
		return time.Hour
	}
	return 0
}

// String is the step as it is written everywhere.
func (s Step) String() string {
	switch s {
	case StepMinute:
		return "minute"
	case StepHour:
		return "hour"
	}
	return fmt.Sprintf("step(%d)", uint8(s))
}

// Counter says what became of the attempts that began within one step of time,
// for one endpoint and one event type.
//
// A store counts each settled outcome that has an attempt and was not passed
// over, in the transaction that settles it, for every step: by the attempt's
// StartedAt, and under the outcome's endpoint and type.
type Counter struct {
	// Start is the beginning of the step, in UTC: a whole minute or hour.
	Start      time.Time
	EndpointID string
	Type       string
	Counts
}

// Counts are numbers of attempts.
type Counts struct {
	// Attempts is how many were made.
	Attempts int64 `json:"attempts"`

	// Succeeded is how many of them delivered the event: the delivery's status
	// became Succeeded.
	Succeeded int64 `json:"succeeded"`

	// Failed is how many were the last ones of deliveries that have failed:
	// the status became Failed.
	Failed int64 `json:"failed"`

	// Blocked is how many the egress guard refused: the status became Blocked.
	Blocked int64 `json:"blocked"`

	// Durations counts the attempts by how long they took; see
	// [DurationBounds].
	Durations [DurationBuckets]int64 `json:"durations"`
}

// DurationBuckets is how many classes attempts are counted in by duration.
const DurationBuckets = 16

// DurationBounds are the upper bounds of the classes of [Counts.Durations],
// inclusive. The last class has none.
func DurationBounds() [DurationBuckets - 1]time.Duration { return durationBounds }

var durationBounds = [DurationBuckets - 1]time.Duration{
	1 * time.Millisecond, 2 * time.Millisecond, 5 * time.Millisecond,
	10 * time.Millisecond, 20 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond,
	1 * time.Second, 2 * time.Second, 5 * time.Second,
	10 * time.Second, 20 * time.Second, 30 * time.Second,
}

// Count adds one attempt and what became of its delivery.
func (c *Counts) Count(status Status, duration time.Duration) {
	c.Attempts++
	switch status {
	case Succeeded:
		c.Succeeded++
	case Failed:
		c.Failed++
	case Blocked:
		c.Blocked++
	}
	class := 0
	for class < len(durationBounds) && duration > durationBounds[class] {
		class++
	}
	c.Durations[class]++
}

// Add adds other counts.
func (c *Counts) Add(other *Counts) {
	c.Attempts += other.Attempts
	c.Succeeded += other.Succeeded
	c.Failed += other.Failed
	c.Blocked += other.Blocked
	for i, n := range other.Durations {
		c.Durations[i] += n
	}
}

// CounterQuery says which counters to return.
type CounterQuery struct {
	// Step is that of the counters.
	Step Step

	// EndpointIDs are the endpoints; empty means all.
	EndpointIDs []string

	// From and To bound Start: at From or later, and before To. Zero means no
	// bound.
	From, To time.Time
}
