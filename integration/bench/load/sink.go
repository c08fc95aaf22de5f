package load

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"

	"github.com/manysends/caddy-webhooks/webhook"
)

// SilentPath is the path of a sink that never answers.
const SilentPath = "/silent"

// Sink is a site that deliveries go to.
type Sink struct {
	address string
	serving sync.WaitGroup
	tally   atomic.Pointer[tally]
	secret  atomic.Pointer[webhook.Secret]

	mu        sync.Mutex
	listeners []net.Listener
	conns     map[net.Conn]bool
}

// Listen starts a sink on a free port of the loopback address. Close it.
func Listen(ctx context.Context) (*Sink, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &Sink{address: listener.Addr().String(), conns: make(map[net.Conn]bool)}
	s.tally.Store(newTally(Plan{}))
	s.add(listener, s.accept)
	return s, nil
}

// add has a listener served until the sink is closed.
func (s *Sink) add(listener net.Listener, serve func(net.Listener)) {
	s.mu.Lock()
	s.listeners = append(s.listeners, listener)
	s.mu.Unlock()
	s.serving.Go(func() { serve(listener) })
}

// Address is the host and port.
func (s *Sink) Address() string { return s.address }

// Begin counts from now on what belongs to a plan.
func (s *Sink) Begin(p Plan) error {
	if p.VerifyEvery > 0 {
		secret, err := webhook.ParseSecret(p.Secret)
		if err != nil {
			return err
		}
		s.secret.Store(secret)
	}
	s.tally.Store(newTally(p))
	return nil
}

// Close ends the sink and all of its connections.
func (s *Sink) Close() error {
	s.mu.Lock()
	var all []error
	for _, listener := range s.listeners {
		all = append(all, listener.Close())
	}
	for conn := range s.conns {
		_ = conn.Close()
	}
	s.mu.Unlock()
	s.serving.Wait()
	return errors.Join(all...)
}

func (s *Sink) accept(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			continue // too many files, which passes
		}
		s.mu.Lock()
		s.conns[conn] = true
		s.mu.Unlock()
		s.serving.Go(func() {
			s.serve(conn)
			s.mu.Lock()
			delete(s.conns, conn)
			s.mu.Unlock()
			_ = conn.Close()
		})
	}
}

var answerOK = []byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

// serve answers the requests of a connection until it ends.
func (s *Sink) serve(conn net.Conn) {
	in := headReader{in: bufio.NewReaderSize(conn, 16<<10)}
	var mine *share
	var body []byte
	for n := 0; ; n++ {
		h, err := in.read(true)
		if err != nil {
			return
		}
		if string(h.path) == SilentPath {
			_, _ = io.Copy(io.Discard, conn) // until the other side gives up
			return
		}
		t := s.tally.Load()
		if mine == nil || mine.tally != t {
			mine = t.newShare()
		}
		looked, right := false, false
		if every := t.plan.VerifyEvery; every > 0 && n%every == 0 && !h.chunked {
			if cap(body) < h.length {
				body = make([]byte, h.length)
			}
			if _, err := io.ReadFull(in.in, body[:h.length]); err != nil {
				return
			}
			looked = true
			right = s.secret.Load().VerifySignature(string(h.id), string(h.timestamp), body[:h.length], string(h.signature))
		} else if err := in.discardBody(); err != nil {
			return
		}
		m, ok := parseMark(h.id)
		mine.arrived(m, ok, targetOf(h.path))
		if looked {
			mine.verified(right)
		}
		if _, err := conn.Write(answerOK); err != nil {
			return
		}
	}
}

// targetOf is the number that ends a path, or 0.
func targetOf(path []byte) int {
	digits := len(path)
	for digits > 0 && path[digits-1] >= '0' && path[digits-1] <= '9' {
		digits--
	}
	n, _ := parseDecimal(path[digits:])
	return n
}
