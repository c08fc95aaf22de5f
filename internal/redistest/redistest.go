// Package redistest runs Redis servers for tests.
package redistest

import (
	"net"
	"os/exec"
	"strconv"
	"testing"
	"time"
)

// Server is a Redis of a test's own, on a port of the loopback interface.
type Server struct {
	Addr string

	port    string
	folder  string
	options []string
	process *exec.Cmd
}

// Start starts a server, which ends with the test. It keeps its data on the
// disk, each command before it is answered, so that a restart forgets nothing.
// The options are those of redis-server.
func Start(t testing.TB, options ...string) *Server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("redis-server is not installed: run apt-get install redis-server")
	}
	s := &Server{folder: t.TempDir(), options: options}
	s.port = FreePort(t)
	s.Addr = net.JoinHostPort("127.0.0.1", s.port)
	s.Run(t)
	t.Cleanup(s.Kill)
	return s
}

// FreePort is a port of the loopback interface that nobody listens on.
func FreePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
}

// URL is the address of the server for one that has no password.
func (s *Server) URL() string { return "redis://" + s.Addr + "/0" }

// Run starts the server again after Kill, with what it had.
func (s *Server) Run(t testing.TB) {
	t.Helper()
	args := append([]string{
		"--bind", "127.0.0.1", "--port", s.port, "--dir", s.folder, "--save", "",
		"--appendonly", "yes", "--appendfsync", "always", "--loglevel", "warning",
	}, s.options...)
	s.process = exec.Command("redis-server", args...)
	if err := s.process.Start(); err != nil {
		t.Fatal(err)
	}
	for until := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		conn, err := net.Dial("tcp", s.Addr)
		if err == nil {
			_ = conn.Close()
			return
		}
		if time.Now().After(until) {
			t.Fatalf("redis-server does not listen: %v", err)
		}
	}
}

// Kill ends the server at once.
func (s *Server) Kill() {
	if s.process == nil {
		return
	}
	_ = s.process.Process.Kill()
	_ = s.process.Wait()
	s.process = nil
}
