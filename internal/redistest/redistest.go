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
	tls     bool
	process *exec.Cmd
}

// Start starts a server, which ends with the test. It keeps its data on the
// disk, each command before it is answered, so that a restart forgets nothing.
// The options are those of redis-server.
func Start(t testing.TB, options ...string) *Server {
	t.Helper()
	return start(t, &Server{options: options})
}

// StartTLS is Start for a server that talks TLS, with a certificate for name,
// and only to clients with one of the same authority.
func StartTLS(t testing.TB, a *Authority, name string, options ...string) *Server {
	t.Helper()
	certificate, key := a.Issue(t, name)
	options = append([]string{"--tls-cert-file", certificate, "--tls-key-file", key, "--tls-ca-cert-file", a.File}, options...)
	return start(t, &Server{options: options, tls: true})
}

func start(t testing.TB, s *Server) *Server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("redis-server is not installed: run apt-get install redis-server")
	}
	s.folder, s.port = t.TempDir(), FreePort(t)
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
func (s *Server) URL() string {
	if s.tls {
		return "rediss://" + s.Addr + "/0"
	}
	return "redis://" + s.Addr + "/0"
}

// Run starts the server again after Kill, with what it had.
func (s *Server) Run(t testing.TB) {
	t.Helper()
	port := "--port"
	if s.tls {
		port = "--tls-port"
	}
	args := append([]string{
		"--port", "0", port, s.port, "--bind", "127.0.0.1", "--dir", s.folder, "--save", "",
		"--appendonly", "yes", "--appendfsync", "always", "--loglevel", "warning",
	}, s.options...)
	s.process = exec.Command("redis-server", args...)
	if err := s.process.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "redis-server to listen", func() bool { return listens(s.Addr) })
}

func listens(addr string) bool {
	conn, err := net.Dial("tcp", addr)
	if err == nil {
		_ = conn.Close()
	}
	return err == nil
}

func waitFor(t testing.TB, what string, is func() bool) {
	t.Helper()
	for until := time.Now().Add(30 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// Kill ends the server at once.
func (s *Server) Kill() {
	if s.process == nil {
		return
	}
	kill(s.process)
	s.process = nil
}

func kill(process *exec.Cmd) {
	_ = process.Process.Kill()
	_ = process.Wait()
}
