package loadtest

import (
	"maps"
	"slices"
	"sync"
	"time"
)

// Ledger is the account of what was promised to endpoints and what came. The
// lives of the process under test are counted from 0. The zero value is ready;
// all methods are safe for concurrent use.
type Ledger struct {
	mu    sync.Mutex
	life  int
	kills map[int]time.Time // when each life was ended, unless it ended in peace
	sides map[string]*side
}

// side is the account of one endpoint.
type side struct {
	promised map[string]struct{}
	arrived  map[string]arrival // the last one of each event
	inHand   map[int]int        // events that had come shortly before a kill, by life
	repeats  []Repeat
}

type arrival struct {
	life int
	at   time.Time
}

// Repeat is an event that came again.
type Repeat struct {
	ID string

	// Life is that in which it had come before, and Again the one in which it
	// came again. If they are the same, no kill was the reason.
	Life, Again int

	// Age is how long before the kill it had come before.
	Age time.Duration
}

// Account is what became of the events that an endpoint was promised.
type Account struct {
	Promised int
	Lost     []string // promised, and never came
	Once     int      // of those that came, promised or not
	Repeats  []Repeat
	InHand   map[int]int // by life: events that had come within Recent before its kill
}

// Recent is how long before a kill a delivery may have been answered and yet be
// made again: its outcome may not have been on the disk. The sender commits
// outcomes every few milliseconds, but a disk that others use can be slow.
const Recent = 2 * time.Second

// of returns the account of an endpoint. The ledger is locked.
func (l *Ledger) of(endpoint string) *side {
	s := l.sides[endpoint]
	if s == nil {
		s = &side{promised: map[string]struct{}{}, arrived: map[string]arrival{}, inHand: map[int]int{}}
		if l.sides == nil {
			l.sides = map[string]*side{}
		}
		l.sides[endpoint] = s
	}
	return s
}

// Promise says that an event was acknowledged, so that it must come to each of
// these endpoints.
func (l *Ledger) Promise(id string, endpoints ...string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, endpoint := range endpoints {
		l.of(endpoint).promised[id] = struct{}{}
	}
}

// Arrive says that an endpoint has got an event and takes it for delivered. It
// tells whether it is the first time.
func (l *Ledger) Arrive(endpoint, id string) (first bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.of(endpoint)
	before, again := s.arrived[id]
	if again {
		r := Repeat{ID: id, Life: before.life, Again: l.life}
		if killed, ok := l.kills[before.life]; ok {
			r.Age = max(killed.Sub(before.at), 0)
		}
		s.repeats = append(s.repeats, r)
	}
	s.arrived[id] = arrival{life: l.life, at: time.Now()}
	return !again
}

// Kill says that the process is killed now. What comes until Begin was still
// sent by it.
func (l *Ledger) Kill() {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if l.kills == nil {
		l.kills = map[int]time.Time{}
	}
	l.kills[l.life] = now
	for _, s := range l.sides {
		for _, a := range s.arrived {
			if a.life == l.life && now.Sub(a.at) <= Recent {
				s.inHand[l.life]++
			}
		}
	}
}

// Begin says that all that the killed process has sent has come, and that
// another one is about to start.
func (l *Ledger) Begin() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.life++
}

// Missing is how many promised events have not come yet, over all endpoints.
func (l *Ledger) Missing() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.sides {
		for id := range s.promised {
			if _, came := s.arrived[id]; !came {
				n++
			}
		}
	}
	return n
}

// Promised are the events that an endpoint was promised so far, sorted.
func (l *Ledger) Promised(endpoint string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(maps.Keys(l.of(endpoint).promised))
}

// Endpoints are the names of those that have an account, sorted.
func (l *Ledger) Endpoints() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(maps.Keys(l.sides))
}

// Account closes the account of an endpoint.
func (l *Ledger) Account(endpoint string) Account {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.of(endpoint)
	a := Account{Promised: len(s.promised), Repeats: slices.Clone(s.repeats), InHand: maps.Clone(s.inHand)}
	repeated := map[string]bool{}
	for _, r := range s.repeats {
		repeated[r.ID] = true
	}
	a.Once = len(s.arrived) - len(repeated)
	for id := range s.promised {
		if _, came := s.arrived[id]; !came {
			a.Lost = append(a.Lost, id)
		}
	}
	slices.Sort(a.Lost)
	return a
}
