package sender_test

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// peer is a customer's site: an HTTP server on loopback that notes what it
// gets.
type peer struct {
	*httptest.Server
	answer func(w http.ResponseWriter, r *http.Request, n int)

	mu       sync.Mutex
	requests []received
	now      int // being answered
	most     int // that were being answered at once
	opened   int // connections
}

// received is a request as a peer got it.
type received struct {
	id     string // of the event
	header http.Header
	method string
	uri    string
	host   string
	body   []byte
	at     time.Time
}

// newPeer starts a peer. The answer to the nth request, from 1, is written by
// answer, or is 204 when that is nil.
func newPeer(t testing.TB, answer func(w http.ResponseWriter, r *http.Request, n int)) *peer {
	p := &peer{answer: answer}
	p.Server = httptest.NewUnstartedServer(p)
	p.Config.ErrorLog = log.New(io.Discard, "", 0)
	p.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			p.mu.Lock()
			p.opened++
			p.mu.Unlock()
		}
	}
	p.Start()
	t.Cleanup(p.Close)
	return p
}

// status answers every request with a status.
func status(code int) func(http.ResponseWriter, *http.Request, int) {
	return func(w http.ResponseWriter, _ *http.Request, _ int) { w.WriteHeader(code) }
}

// statuses answers each request with the next status; the last one stays.
func statuses(codes ...int) func(http.ResponseWriter, *http.Request, int) {
	return func(w http.ResponseWriter, _ *http.Request, n int) { w.WriteHeader(codes[min(n, len(codes))-1]) }
}

func (p *peer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the sender has left
	}
	p.mu.Lock()
	p.requests = append(p.requests, received{r.Header.Get("webhook-id"), r.Header, r.Method, r.RequestURI, r.Host, body, time.Now()})
	n := len(p.requests)
	p.now++
	p.most = max(p.most, p.now)
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		p.now--
		p.mu.Unlock()
	}()
	if p.answer == nil {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	p.answer(w, r, n)
}

// all is what the peer has got so far.
func (p *peer) all() []received {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]received(nil), p.requests...)
}

func (p *peer) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.requests)
}

// ids are the events that the peer got, in that order.
func (p *peer) ids() (ids []string) {
	for _, r := range p.all() {
		ids = append(ids, r.id)
	}
	return ids
}

// waitFor waits until the peer has got n requests, and not more.
func (p *peer) waitFor(t testing.TB, n int) {
	t.Helper()
	until(t, fmt.Sprintf("the peer has got %d requests", n), func() bool { return p.count() >= n })
	if got := p.count(); got > n {
		t.Fatalf("the peer has got %d requests, want %d: %q", got, n, p.ids())
	}
}

// hijack takes the connection over, to answer in a way that no server should.
func hijack(t testing.TB, w http.ResponseWriter, answer string) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		t.Error(err)
		return
	}
	_, _ = io.WriteString(conn, answer)
	_ = conn.Close()
}
