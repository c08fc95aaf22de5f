package sqlitestore

import (
	"math"
	"sync"
)

// maxScopes is for how many tenants progress is remembered.
const maxScopes = 1024

// purgeScope is whose events are purged: everybody's, or one tenant's.
type purgeScope struct {
	all    bool
	tenant string
}

// purgeProgress lets one Purge go on where the one before has stopped, so that
// old events that have to stay are not looked at again and again. What happens
// behind its back is noted and sends it back to the beginning.
type purgeProgress struct {
	mu     sync.Mutex
	scopes map[purgeScope]*purgeMark
}

// purgeMark is how far the purges of one scope have come.
type purgeMark struct {
	at   position // every event up to here has to stay
	kept int64    // the greatest number of one of these

	// Since the last Purge began: the lowest number of an event that had a
	// delivery come to an end, and the earliest time an event was stored at.
	ended, stored int64
}

func newPurgeProgress() purgeProgress {
	return purgeProgress{scopes: map[purgeScope]*purgeMark{}}
}

// begin says from where to search.
func (p *purgeProgress) begin(scope purgeScope) position {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := p.scopes[scope]
	if m == nil {
		if len(p.scopes) >= maxScopes {
			clear(p.scopes)
		}
		m = &purgeMark{at: beginning}
		p.scopes[scope] = m
	} else if m.ended <= m.kept || m.stored <= m.at.due {
		m.at, m.kept = beginning, 0
	}
	m.ended, m.stored = math.MaxInt64, math.MaxInt64
	return m.at
}

// end says how far the search that has begun last came, and the greatest number
// of an event that it found has to stay.
func (p *purgeProgress) end(scope purgeScope, at position, kept int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := p.scopes[scope]
	m.at, m.kept = at, max(m.kept, kept)
}

// noteEnded notes the lowest number of an event with a delivery that ended.
func (p *purgeProgress) noteEnded(seq int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.scopes {
		m.ended = min(m.ended, seq)
	}
}

// noteStored notes the earliest time that an event was stored at.
func (p *purgeProgress) noteStored(at int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.scopes {
		m.stored = min(m.stored, at)
	}
}
