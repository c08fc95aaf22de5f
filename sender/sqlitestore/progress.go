package sqlitestore

import (
	"math"
	"sync"
)

// purgeProgress lets one Purge go on where the one before has stopped, so that
// old events that have to stay are not looked at again and again. What happens
// behind its back is noted and sends it back to the beginning.
type purgeProgress struct {
	mu   sync.Mutex
	at   position // every event up to here has to stay
	kept int64    // the greatest number of one of these

	// Since the last Purge began: the lowest number of an event that had a
	// delivery come to an end, and the earliest time an event was stored at.
	ended, stored int64
}

func newPurgeProgress() purgeProgress {
	return purgeProgress{at: beginning, ended: math.MaxInt64, stored: math.MaxInt64}
}

// begin says from where to search.
func (p *purgeProgress) begin() position {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended <= p.kept || p.stored <= p.at.due {
		p.at, p.kept = beginning, 0
	}
	p.ended, p.stored = math.MaxInt64, math.MaxInt64
	return p.at
}

// end says how far a search came, and the greatest number of an event that it
// found has to stay.
func (p *purgeProgress) end(at position, kept int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at, p.kept = at, max(p.kept, kept)
}

// noteEnded notes the lowest number of an event with a delivery that ended.
func (p *purgeProgress) noteEnded(seq int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = min(p.ended, seq)
}

// noteStored notes the earliest time that an event was stored at.
func (p *purgeProgress) noteStored(at int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.stored = min(p.stored, at)
}
