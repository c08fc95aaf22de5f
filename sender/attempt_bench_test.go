package sender

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

// bareSender makes attempts, and has neither a store nor lanes.
func bareSender(t testing.TB, clock Clock, e Egress) *Sender {
	t.Helper()
	current, err := compile(&Config{Egress: e})
	if err != nil {
		t.Fatal(err)
	}
	s := &Sender{clock: clock, random: rand.Reader}
	s.period.Store(newPeriod(nil))
	s.background, s.stopBackground = context.WithCancel(t.Context())
	current.transport = newTransport(current.guard)
	s.current.Store(current)
	t.Cleanup(func() {
		s.period.Load().end()
		s.stopBackground()
		current.transport.CloseIdleConnections()
	})
	return s
}

// compileTarget makes an endpoint ready under the sender's rules.
func (s *Sender) compileTarget(t testing.TB, e Endpoint) *target {
	t.Helper()
	made, err := s.current.Load().compileConfigured(&e)
	if err != nil {
		t.Fatal(err)
	}
	return made
}

// BenchmarkAttempt is one attempt over a kept connection to the least HTTP
// server.
func BenchmarkAttempt(b *testing.B) {
	url := answerAll(b) // which closes after the sender has
	s := bareSender(b, systemClock{}, Egress{Allow: []string{"127.0.0.1"}, AllowHTTP: true})
	target := s.compileTarget(b, Endpoint{ID: "a", URL: url, Secrets: []string{"whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="}})
	d := &Delivery{EndpointID: "a", Event: &webhook.Event{
		ID: "evt_0192f0c1a2b37c4d8e5f60718293a4b5", Type: "message.created", Timestamp: time.Now(),
		Data: []byte(`{"text":"` + strings.Repeat("x", 1000) + `"}`),
	}}
	b.ReportAllocs()
	for b.Loop() {
		if r := s.attempt(target, d); r.attempt.Verdict != VerdictSucceeded {
			b.Fatal(r.attempt.Error)
		}
	}
}

// answerAll serves 204 to every request, without allocating, and returns where.
func answerAll(b testing.TB) string {
	listener, err := (&net.ListenConfig{}).Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { answerConn(conn) })
		}
	})
	b.Cleanup(func() {
		listener.Close()
		serving.Wait()
	})
	return "http://" + listener.Addr().String() + "/"
}

func answerConn(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReaderSize(conn, 8<<10)
	answer := []byte("HTTP/1.1 204 No Content\r\nDate: Tue, 05 Mar 2024 10:30:00 GMT\r\nServer: peer\r\n\r\n")
	for {
		length := 0
		for {
			line, err := in.ReadSlice('\n')
			if err != nil {
				return
			}
			if len(line) <= 2 {
				break
			}
			if value, found := bytes.CutPrefix(line, []byte("Content-Length: ")); found {
				for _, digit := range bytes.TrimSpace(value) {
					length = 10*length + int(digit-'0')
				}
			}
		}
		if _, err := in.Discard(length); err != nil {
			return
		}
		if _, err := conn.Write(answer); err != nil {
			return
		}
	}
}

// BenchmarkWatch is what the details of an attempt over a kept connection cost:
// the timings and both sides' headers.
func BenchmarkWatch(b *testing.B) {
	conn, other := net.Pipe()
	defer conn.Close()
	defer other.Close()
	named := newNamedConn(conn)
	request := http.Header{
		"User-Agent": userAgentHeader, "Content-Type": jsonHeader, repeatable: nil,
		"Webhook-Id": {"evt_1"}, "Webhook-Timestamp": {"1709634600"}, "Webhook-Signature": {"v1,x"},
	}
	answer := http.Header{"Date": {"Tue, 05 Mar 2024 10:30:00 GMT"}, "Server": {"peer"}, "Content-Length": {"0"}}
	t := &target{}
	parent := b.Context()
	var clock systemClock
	b.ReportAllocs()
	for b.Loop() {
		x := watch(parent, clock, clock.Now())
		x.GotConn(named, true)
		x.GotFirstByte()
		x.seen(clock.Now())
		x.over()
		if len(keptHeaders(answer)) != 3 || len(t.shownHeaders(request, false)) != 5 {
			b.Fatal("headers are lost")
		}
	}
}
