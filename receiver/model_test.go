package receiver

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// seenModel is the seen-set in a few obvious lines.
type seenModel struct {
	now      time.Duration
	held     map[int]bool
	commits  []modelCommit // oldest first
	capacity int
}

type modelCommit struct {
	key         int
	at, expires time.Duration
}

func (m *seenModel) committed(k int) bool {
	return slices.ContainsFunc(m.commits, func(c modelCommit) bool { return c.key == k })
}

func (m *seenModel) try(keys []int) outcome {
	if slices.ContainsFunc(keys, m.committed) {
		return duplicate
	}
	if slices.ContainsFunc(keys, func(k int) bool { return m.held[k] }) {
		return busy
	}
	for _, k := range keys {
		m.held[k] = true
	}
	return claimed
}

func (m *seenModel) end(keys []int, ttl time.Duration) {
	for _, k := range keys {
		delete(m.held, k)
		if ttl > 0 {
			m.commits = append(m.commits, modelCommit{k, m.now, m.now + ttl})
		}
	}
}

func (m *seenModel) settle() {
	m.commits = slices.DeleteFunc(m.commits, func(c modelCommit) bool { return c.expires <= m.now })
	if over := len(m.commits) - m.capacity; over > 0 {
		m.commits = m.commits[over:]
	}
}

// TestSeenSetAgainstModel runs claims of one and two keys, commits with
// several TTLs, releases, the passing of time and settling in any order, and
// compares each outcome and all counts with the model.
func TestSeenSetAgainstModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tick := newClock()
		s := newSeenSet(tick.Now)
		s.settler.start.Do(func() { close(s.settler.done) })
		defer s.settler.closeCache()
		m := &seenModel{held: make(map[int]bool), capacity: 1 << 30}
		type open struct {
			claim *claim
			keys  []int
		}
		var inFlight []open
		anyKey := rapid.IntRange(0, 12)

		take := func(t *rapid.T) open {
			i := rapid.IntRange(0, len(inFlight)-1).Draw(t, "which claim")
			o := inFlight[i]
			inFlight = slices.Delete(inFlight, i, i+1)
			return o
		}
		t.Repeat(map[string]func(*rapid.T){
			"claim": func(t *rapid.T) {
				keys := []int{anyKey.Draw(t, "key")}
				if other := anyKey.Draw(t, "other key"); other != keys[0] && rapid.Bool().Draw(t, "two keys") {
					keys = append(keys, other)
				}
				c := new(claim)
				for _, k := range keys {
					c.add(numberedKey(uint64(k)))
				}
				got, over := s.try(c)
				if want := m.try(keys); got != want {
					t.Fatalf("claim of %v: outcome %d, the model says %d", keys, got, want)
				}
				if (got == busy) != (over != nil) {
					t.Fatalf("claim of %v: outcome %d with something to wait for: %t", keys, got, over != nil)
				}
				if got == claimed {
					inFlight = append(inFlight, open{c, keys})
				}
			},
			"commit": func(t *rapid.T) {
				if len(inFlight) == 0 {
					return
				}
				o := take(t)
				ttl := rapid.SampledFrom([]time.Duration{time.Minute, time.Hour, 5 * time.Hour}).Draw(t, "ttl")
				m.capacity = rapid.SampledFrom([]int{1 << 30, 5}).Draw(t, "capacity")
				m.end(o.keys, ttl)
				s.commit(o.claim, ttl, m.capacity)
				// Which of two commits at the same instant is older would be a
				// matter of taste.
				m.now++
				tick.advance(1)
			},
			"release": func(t *rapid.T) {
				if len(inFlight) == 0 {
					return
				}
				o := take(t)
				m.end(o.keys, 0)
				s.release(o.claim)
			},
			"wait": func(t *rapid.T) {
				d := rapid.SampledFrom([]time.Duration{time.Second, time.Minute, time.Hour}).Draw(t, "time")
				m.now += d
				tick.advance(d)
			},
			"settle": func(*rapid.T) {
				m.settle()
				s.settle()
			},
			"": func(t *rapid.T) {
				if got, want := int(s.claimed.Load()), len(m.held); got != want {
					t.Fatalf("%d keys claimed, the model has %d", got, want)
				}
				if got, want := int(s.exact.Load()+s.settled.Load()), len(m.commits); got != want {
					t.Fatalf("%d keys remembered, the model has %d", got, want)
				}
			},
		})
	})
}
