package receiver

import (
	"runtime"
	"slices"
	"sync"
)

// Forget makes the receiver take the event of that ID for a new one again, as
// is needed when its sender is asked to send it once more. It tells whether
// there was one. An event that is being processed is not forgotten. Where the
// provider does not sign the ID, the event is remembered by its content, and
// found by its ID among the last 10,000 since the State was made. With a [Shared]
// memory, all who share it take the event for a new one, and the content is found
// by those who have processed it. An error, which wraps [ErrUnavailable], says
// that the shared memory is away: nothing is forgotten then.
func (rc *Receiver) Forget(id string) (known bool, err error) {
	if id == "" || !rc.state.enter() {
		return false, nil
	}
	defer rc.state.leave()
	k := rc.keys.ofID(id)
	if known, err := rc.state.forget(k); known || err != nil {
		return known, err
	}
	content, named := rc.state.seen.names.get(k)
	if !named {
		return false, nil
	}
	return rc.state.forget(content)
}

// forget makes the State, and those who share it, forget an event.
func (s *State) forget(k Key) (known bool, err error) {
	if s.shared != nil {
		return s.shared.forget(k)
	}
	return s.seen.forgetEvent(k), nil
}

// maxNames is how many events of providers that do not sign the ID can be found
// by it.
const maxNames = 10_000

// names lead from IDs that nobody has signed to the keys that were claimed in
// their place. They serve to forget an event, and decide nothing: a stranger who
// sends another ID with what somebody else has signed is still a duplicate.
type names struct {
	mu    sync.Mutex
	of    map[key]key
	order []key // a ring, once it is full
	next  int
}

// add notes what was claimed for an ID, in place of the oldest when there are
// many.
func (n *names) add(id, content key) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.of == nil {
		n.of = make(map[key]key)
	}
	_, known := n.of[id]
	n.of[id] = content
	switch {
	case known:
	case len(n.order) < maxNames:
		n.order = append(n.order, id)
	default:
		delete(n.of, n.order[n.next])
		n.order[n.next] = id
		n.next = (n.next + 1) % maxNames
	}
}

// get is what was claimed for an ID.
func (n *names) get(id key) (content key, known bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	content, known = n.of[id]
	return content, known
}

// nameOf is the key of an event's ID where the ID is not claimed.
func (rc *Receiver) nameOf(id string) (name key, ok bool) {
	if id == "" || slices.Contains(rc.provider.claims, claimID) {
		return key{}, false
	}
	return rc.keys.ofID(id), true
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
