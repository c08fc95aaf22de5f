//go:build unix

package http1

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
)

// script says what a server does with a request: it answers with these bytes,
// and then may end the connection.
type script struct {
	answer string
	end    ending
}

type ending int

const (
	keeps  ending = iota // goes on with the next request
	closes               // in order
	resets
)

// server does what its script says, from the first request on whichever
// connection it comes over; after the script it answers 200 "end".
type server struct {
	listener net.Listener
	serving  sync.WaitGroup

	mu          sync.Mutex
	scripts     []script
	requests    int
	connections int
	open        map[net.Conn]bool
	bodies      []string
}

func newServer(t testing.TB, scripts ...script) *server {
	t.Helper()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &server{listener: listener, scripts: scripts, open: make(map[net.Conn]bool)}
	s.serving.Go(s.accept)
	t.Cleanup(func() {
		listener.Close()
		s.mu.Lock()
		for conn := range s.open {
			conn.Close()
		}
		s.mu.Unlock()
		s.serving.Wait()
	})
	return s
}

func (s *server) url() string { return "http://" + s.listener.Addr().String() + "/hooks?a=b" }

func (s *server) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.connections++
		s.open[conn] = true
		s.mu.Unlock()
		s.serving.Go(func() { s.serve(conn) })
	}
}

func (s *server) serve(conn net.Conn) {
	defer func() {
		s.mu.Lock()
		delete(s.open, conn)
		s.mu.Unlock()
		conn.Close()
	}()
	in := bufio.NewReader(conn)
	for {
		req, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return
		}
		next := s.next(string(body))
		if _, err := io.WriteString(conn, next.answer); err != nil {
			return
		}
		switch next.end {
		case resets:
			_ = conn.(*net.TCPConn).SetLinger(0)
			return
		case closes:
			return
		}
	}
}

// next counts a request, and says what to do with it.
func (s *server) next(body string) script {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests++
	s.bodies = append(s.bodies, body)
	if s.requests > len(s.scripts) {
		return script{answer: "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nend"}
	}
	return s.scripts[s.requests-1]
}

// seen is how many requests have been read, over how many connections.
func (s *server) seen() (requests, connections int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests, s.connections
}
