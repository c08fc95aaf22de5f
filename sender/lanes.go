package sender

import (
	"maps"
	"slices"
)

// allLanes are the lanes of all endpoints that have had something to do.
func (s *Sender) allLanes() []*lane {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Collect(maps.Values(s.lanes))
}

// existingLane returns the lane of an endpoint; nil when there is none yet.
func (s *Sender) existingLane(id string) *lane {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lanes[id]
}

// lane returns the lane of an endpoint, making it when there is none.
func (s *Sender) lane(id string) *lane {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.laneLocked(id)
}

func (s *Sender) laneLocked(id string) *lane {
	l := s.lanes[id]
	if l == nil {
		l = newLane(s, id, s.directory.get(id), s.delivering)
		s.lanes[id] = l
	}
	return l
}
