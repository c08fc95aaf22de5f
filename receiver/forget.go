package receiver

import "runtime"

// Forget makes the receiver take the event of that ID for a new one again, as
// is needed when its sender is asked to send it once more. It tells whether
// there was one. An event that is being processed is not forgotten. With
// providers that do not sign the ID, what was remembered of the event's content
// is forgotten with it; those that have no ID at all remember nothing by it.
func (rc *Receiver) Forget(id string) bool {
	if id == "" || !rc.state.enter() {
		return false
	}
	defer rc.state.leave()
	return rc.state.seen.forgetEvent(rc.keys.ofID(id))
}

// forgetEvent frees all the keys of the event of k, if they are committed.
func (s *seenSet) forgetEvent(k key) bool {
	t := &s.settler
	t.mu.Lock() // so that none of the keys is on its way to ristretto
	defer t.mu.Unlock()
	keys := s.history.kill(k)
	for len(keys) == 0 {
		sh := s.shard(&k)
		sh.mu.Lock()
		holder, there := sh.held[k]
		sh.mu.Unlock()
		if !there || holder != nil {
			return false
		}
		// It has just been committed, and is not in the history yet.
		runtime.Gosched()
		keys = s.history.kill(k)
	}
	cache := t.cache.Load()
	for i := range keys {
		sh := s.shard(&keys[i])
		sh.mu.Lock()
		if _, there := sh.held[keys[i]]; there {
			delete(sh.held, keys[i])
			s.exact.Add(-1)
		} else {
			s.settled.Add(-1)
		}
		if cache != nil {
			cache.Del(keys[i][:])
		}
		sh.mu.Unlock()
	}
	return true
}
