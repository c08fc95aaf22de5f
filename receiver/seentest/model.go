package seentest

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/manysends/caddy-webhooks/receiver"
)

// model is a memory in a few obvious lines.
type model struct {
	now     time.Duration
	claimed map[receiver.Key]bool
	commits map[receiver.Key]modelCommit
}

type modelCommit struct {
	until time.Duration
	keys  []receiver.Key // of the event
}

func (m *model) claim(keys []receiver.Key) string {
	found := "claimed"
	for _, k := range keys {
		if c, there := m.commits[k]; there && c.until > m.now {
			return "duplicate"
		}
		if m.claimed[k] {
			found = "busy"
		}
	}
	if found == "claimed" {
		for _, k := range keys {
			m.claimed[k] = true
		}
	}
	return found
}

// againstModel claims, commits, releases, forgets and lets time pass in any
// order, by any view, and compares each outcome with the model's.
func againstModel(t *testing.T, r *Rig) {
	rapid.Check(t, func(t *rapid.T) {
		keys := make([]receiver.Key, 5)
		for i := range keys {
			keys[i] = newKey()
		}
		m := &model{claimed: map[receiver.Key]bool{}, commits: map[receiver.Key]modelCommit{}}
		type held struct {
			found receiver.Finding
			keys  []receiver.Key
		}
		var holds []held
		take := func(t *rapid.T) held {
			if len(holds) == 0 {
				t.Skip("nothing is held")
			}
			i := rapid.IntRange(0, len(holds)-1).Draw(t, "hold")
			h := holds[i]
			holds = append(holds[:i], holds[i+1:]...)
			for _, k := range h.keys {
				delete(m.claimed, k)
			}
			return h
		}
		view := func(t *rapid.T) receiver.Seen { return r.view(rapid.IntRange(0, 2).Draw(t, "view")) }
		key := rapid.SampledFrom(keys)
		t.Repeat(map[string]func(*rapid.T){
			"claim": func(t *rapid.T) {
				chosen := []receiver.Key{key.Draw(t, "key")}
				if second := key.Draw(t, "second"); second != chosen[0] && rapid.Bool().Draw(t, "two") {
					chosen = append(chosen, second)
				}
				want := m.claim(chosen)
				found := must(t, view(t), want, chosen...)
				if want == "claimed" {
					holds = append(holds, held{found, chosen})
				}
			},
			"commit": func(t *rapid.T) {
				h := take(t)
				ttl := time.Duration(rapid.IntRange(1, 3).Draw(t, "hours")) * time.Hour
				commit(t, h.found, ttl)
				for _, k := range h.keys {
					m.commits[k] = modelCommit{m.now + ttl, h.keys}
				}
			},
			"release": func(t *rapid.T) { release(t, take(t).found) },
			"pass": func(t *rapid.T) {
				d := time.Duration(rapid.IntRange(1, 4).Draw(t, "halves")) * 30 * time.Minute
				r.Pass(d)
				m.now += d
			},
			"forget": func(t *rapid.T) {
				k := key.Draw(t, "key")
				c, there := m.commits[k]
				there = there && c.until > m.now
				forget(t, view(t), there, k)
				if there {
					for _, k := range c.keys {
						delete(m.commits, k)
					}
				}
			},
		})
		for _, h := range holds {
			release(t, h.found)
		}
	})
}
