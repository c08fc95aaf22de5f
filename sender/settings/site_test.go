package settings_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// site is a customer's site. It answers what it is told to.
type site struct {
	*httptest.Server
	mu       sync.Mutex
	answer   http.HandlerFunc
	received []*http.Request
}

func newSite(t testing.TB) *site {
	s := new(site)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the sender has left
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		s.mu.Lock()
		s.received = append(s.received, r)
		answer := s.answer
		s.mu.Unlock()
		if answer != nil {
			answer(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// answers sets the status and the body of what is answered from now on.
func (s *site) answers(status int, body string) {
	s.does(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	})
}

// does sets what is answered from now on.
func (s *site) does(answer http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

// first is the first request that was received.
func (s *site) first() *http.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.received[0]
}

// ids are the events that were received at a path, in that order.
func (s *site) ids(path string) (ids []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.received {
		if r.URL.Path == path {
			ids = append(ids, r.Header.Get("webhook-id"))
		}
	}
	return ids
}
