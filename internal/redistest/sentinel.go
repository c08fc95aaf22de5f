package redistest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
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
	waitForListener(t, s.Addr)
	return s
}

// URL is the address at which the Sentinel is asked for the Redis.
func (s *Sentinel) URL() string { return "redis://" + s.Addr + "?master_set=" + MasterSet }

// StartReplica is Start for a replica of another server.
func StartReplica(t testing.TB, master *Server, options ...string) *Server {
	t.Helper()
	return Start(t, append([]string{"--replicaof", "127.0.0.1 " + master.port}, options...)...)
}
