package integration

import (
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// delivery is a request as a customer's site gets it.
type delivery struct {
	Headers http.Header `json:"headers"`
	Body    string      `json:"body_base64"`
	Secret  string      `json:"secret"`
}

// bytes is the body as it came.
func (d delivery) bytes() []byte {
	b, _ := base64.StdEncoding.DecodeString(d.Body)
	return b
}

// sink is a customer's site: it keeps what it is sent.
type sink struct {
	*httptest.Server

	mu     sync.Mutex
	got    []delivery
	answer func(n int) int // the status for the nth request; nil: 200
}

// newSink starts a site on an address, or on any if it is empty.
func newSink(t *testing.T, address string) *sink {
	t.Helper()
	s := new(sink)
	s.Server = httptest.NewUnstartedServer(s)
	if address != "" {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		s.Listener.Close()
		s.Listener = l
	}
	s.Start()
	t.Cleanup(s.Close)
	return s
}

func (s *sink) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // broken off: not received
	}
	s.mu.Lock()
	s.got = append(s.got, delivery{Headers: r.Header.Clone(), Body: base64.StdEncoding.EncodeToString(body)})
	n := len(s.got)
	answer := s.answer
	s.mu.Unlock()
	if answer != nil {
		w.WriteHeader(answer(n))
	}
}

// setAnswer changes the status that is answered from now on.
func (s *sink) setAnswer(status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = func(int) int { return status }
}

// deliveries is what has arrived so far.
func (s *sink) deliveries() []delivery {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]delivery(nil), s.got...)
}

// ids counts the arrivals of each event ID.
func (s *sink) ids() map[string]int {
	count := make(map[string]int)
	for _, d := range s.deliveries() {
		count[d.Headers.Get("Webhook-Id")]++
	}
	return count
}
