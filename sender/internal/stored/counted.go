package stored

import (
	"time"

	"github.com/manysends/caddy-webhooks/sender"
)

// Steps are the steps that are counted in.
var Steps = [...]sender.Step{sender.StepMinute, sender.StepHour}

// Counted is what was counted but not written yet.
type Counted struct {
	// Entries are in the order in which they were counted first.
	Entries []CountedEntry

	index map[countedKey]int
}

// countedKey is what attempts are counted under.
type countedKey struct {
	// Minute is the one the attempts began in, in milliseconds since 1970.
	Minute int64

	// Endpoint is the store's number of the endpoint.
	Endpoint int64

	// Type is the event's.
	Type string
}

// CountedEntry is what was counted under one minute, endpoint and type.
type CountedEntry struct {
	countedKey
	sender.Counts
}

// Clear forgets what was counted.
func (c *Counted) Clear() {
	c.Entries = c.Entries[:0]
	clear(c.index)
}

// Add counts an outcome that has an attempt.
func (c *Counted) Add(endpoint int64, o *sender.Outcome) {
	c.entry(countedKey{StepStart(sender.StepMinute, o.Attempt.StartedAt), endpoint, o.Type}).
		Count(o.Status, time.Duration(o.Attempt.Duration))
}

// entry is the one of a key. Outcomes of one kind often follow each other.
func (c *Counted) entry(key countedKey) *CountedEntry {
	if n := len(c.Entries); n > 0 && c.Entries[n-1].countedKey == key {
		return &c.Entries[n-1]
	}
	if i, found := c.index[key]; found {
		return &c.Entries[i]
	}
	if c.index == nil {
		c.index = map[countedKey]int{}
	}
	c.index[key] = len(c.Entries)
	c.Entries = append(c.Entries, CountedEntry{countedKey: key})
	return &c.Entries[len(c.Entries)-1]
}

// StepStart is the beginning of the step that a time lies in, in milliseconds.
func StepStart(step sender.Step, t time.Time) int64 {
	return t.Truncate(step.Duration()).UnixMilli()
}
