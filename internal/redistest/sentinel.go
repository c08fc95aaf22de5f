package redistest

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// MasterSet is what a Sentinel calls the Redis that it watches.
const MasterSet = "main"

// Sentinel watches a Redis.
type Sentinel struct {
	Addr string

	process *exec.Cmd
}

// StartSentinel starts a Sentinel that alone decides, after half a second
// without an answer, that a master is gone, and has a replica take its place.
// It ends with the test. The settings are further lines of its configuration.
func StartSentinel(t testing.TB, master *Server, settings ...string) *Sentinel {
	t.Helper()
	port := FreePort(t)
	s := &Sentinel{Addr: net.JoinHostPort("127.0.0.1", port)}
	folder := t.TempDir()
	lines := fmt.Sprintf(`bind 127.0.0.1
port %s
dir %s
sentinel monitor %s 127.0.0.1 %s 1
sentinel down-after-milliseconds %[3]s 500
sentinel failover-timeout %[3]s 5000
`, port, folder, MasterSet, master.port)
	for _, setting := range settings {
		lines += setting + "\n"
	}
	file := filepath.Join(folder, "sentinel.conf") // which it writes to
	if err := os.WriteFile(file, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	s.process = exec.Command("redis-server", file, "--sentinel")
	if err := s.process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { kill(s.process) })
	waitFor(t, "redis-server to listen", func() bool { return listens(s.Addr) })
	return s
}

// URL is the address at which the Sentinel is asked for the Redis.
func (s *Sentinel) URL() string { return "redis://" + s.Addr + "?master_set=" + MasterSet }

// Watched is a master with a replica, which a Sentinel watches.
type Watched struct {
	Master, Replica *Server
	*Sentinel
}

// StartWatched starts the three, which end with the test, and waits until the
// replica could take the master's place.
func StartWatched(t testing.TB) Watched {
	t.Helper()
	w := Watched{Master: Start(t)}
	w.Replica = Start(t, "--replicaof", "127.0.0.1 "+w.Master.port)
	waitFor(t, "the replica to have a copy", func() bool {
		return says(w.Replica.Addr, "master_link_status:up") && says(w.Master.Addr, "state=online")
	})
	w.Sentinel = StartSentinel(t, w.Master)
	waitFor(t, "the Sentinel to know the replica", func() bool { return says(w.Sentinel.Addr, "slaves=1") })
	return w
}

// FailOver kills the master, and waits until the replica has taken its place.
func (w Watched) FailOver(t testing.TB) {
	t.Helper()
	w.Master.Kill()
	waitFor(t, "the replica to be the master", func() bool { return says(w.Replica.Addr, "role:master") })
}

// says tells whether a server or a Sentinel says so of itself.
func says(addr, what string) bool {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return false
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := conn.Write([]byte("INFO\r\n")); err != nil {
		return false
	}
	var length int
	r := bufio.NewReader(conn)
	if _, err := fmt.Fscanf(r, "$%d\r\n", &length); err != nil {
		return false // it has not started yet
	}
	text := make([]byte, length)
	_, err = io.ReadFull(r, text)
	return err == nil && bytes.Contains(text, []byte(what))
}
