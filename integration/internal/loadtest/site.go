package loadtest

import (
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Behaviour is how an endpoint answers.
type Behaviour struct {
	Delay     time.Duration // before it answers
	FailEvery int           // each so many-th request is answered with 503; 0: none
	Ordered   bool          // its events must come in the order of their publishers

	// Down is how long the endpoint answers 503 to everything, once in each
	// Period; zero: never.
	Down, Period time.Duration
}

// Site is a customer's: it has endpoints by their paths, and keeps the ledger
// of what they get.
type Site struct {
	Ledger *Ledger

	// Answered is told when a delivery is answered with success, if somebody
	// listens.
	Answered chan struct{}

	server    *http.Server
	address   string
	open      atomic.Int64 // connections
	endpoints map[string]*endpoint
}

type endpoint struct {
	Behaviour
	requests   atomic.Int64
	mu         sync.Mutex
	serials    map[int]int // by publisher, of the last event that came first
	misordered []string
}

// NewSite starts a site with endpoints on a free port.
func NewSite(ledger *Ledger, endpoints map[string]Behaviour) (*Site, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it ends with Close
	if err != nil {
		return nil, err
	}
	s := &Site{Ledger: ledger, Answered: make(chan struct{}, 1), address: l.Addr().String(), endpoints: map[string]*endpoint{}}
	for name, b := range endpoints {
		s.endpoints[name] = &endpoint{Behaviour: b, serials: map[int]int{}}
	}
	s.server = &http.Server{Handler: s, ReadHeaderTimeout: time.Minute, ConnState: s.count}
	go func() { _ = s.server.Serve(l) }()
	return s, nil
}

// count counts the open connections.
func (s *Site) count(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.open.Add(1)
	case http.StateClosed, http.StateHijacked:
		s.open.Add(-1)
	}
}

// AwaitQuiet waits until nothing is left of the requests of a process that has
// ended.
func (s *Site) AwaitQuiet() {
	for s.open.Load() > 0 {
		time.Sleep(time.Millisecond)
	}
}

// Address is the host and port.
func (s *Site) Address() string { return s.address }

// Close ends the site.
func (s *Site) Close() { _ = s.server.Close() }

// ServeHTTP takes a delivery.
func (s *Site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return // broken off: not received
	}
	name := r.URL.Path[1:]
	e := s.endpoints[name]
	if e == nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if n := e.requests.Add(1); e.FailEvery > 0 && n%int64(e.FailEvery) == 0 || e.isDown(time.Now()) {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	if e.Delay > 0 {
		time.Sleep(e.Delay)
	}
	id := r.Header.Get("Webhook-Id")
	if s.Ledger.Arrive(name, id) && e.Ordered {
		e.order(id)
	}
	w.Header().Set("Webhook-Id", id) // for who looks at the answers alone
	signal(s.Answered)
}

// isDown tells whether this is a time at which everything fails.
func (b Behaviour) isDown(now time.Time) bool {
	return b.Period > 0 && time.Duration(now.UnixNano())%b.Period < b.Down
}

// order notes an event that has come before an earlier one of its publisher.
func (e *endpoint) order(id string) {
	publisher, serial, ok := serialOf(id)
	if !ok {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if serial < e.serials[publisher] {
		e.misordered = append(e.misordered, id)
	}
	e.serials[publisher] = max(serial, e.serials[publisher])
}

// Misordered are the events that came to an ordered endpoint for the first time
// after a later event of the same publisher.
func (s *Site) Misordered(name string) []string {
	e := s.endpoints[name]
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]string(nil), e.misordered...)
}

// signal tells whoever listens; a signal that waits already is enough.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
