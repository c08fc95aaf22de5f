//go:build unix

package postgrestest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// PgBouncer starts a PgBouncer in transaction mode in front of the server, with
// few connections to it, which ends with the test. It returns the address of the
// same database through it.
func (s *Server) PgBouncer(t testing.TB, url string) string {
	t.Helper()
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		if program, err = exec.LookPath("/usr/sbin/pgbouncer"); err != nil {
			t.Skip("PgBouncer is not installed: run apt-get install pgbouncer")
		}
	}
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	folder, err := os.MkdirTemp("", "pgbouncer") //nolint:usetesting // only root could enter a folder of the test
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	config, users := filepath.Join(folder, "pgbouncer.ini"), filepath.Join(folder, "users.txt")
	for path, text := range map[string]string{
		config: fmt.Sprintf(`[databases]
* = host=127.0.0.1 port=%s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %s
unix_socket_dir =
auth_type = trust
auth_file = %s
pool_mode = transaction
default_pool_size = 3
logfile = %s
`, s.Port, port, users, filepath.Join(folder, "log")),
		users: `"postgres" ""` + "\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if credential := unprivileged(); credential != nil {
		for _, path := range []string{folder, config, users} {
			if err := os.Chown(path, int(credential.Uid), int(credential.Gid)); err != nil {
				t.Fatal(err)
			}
		}
	}
	bouncer := exec.Command(program, "--quiet", config)
	bouncer.Dir = folder
	bouncer.SysProcAttr = &syscall.SysProcAttr{Credential: unprivileged(), Setpgid: true}
	if err := bouncer.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = bouncer.Process.Kill()
		_ = bouncer.Wait()
	})
	url = strings.Replace(url, ":"+s.Port+"/", ":"+port+"/", 1)
	for until := time.Now().Add(startTimeout); ; time.Sleep(10 * time.Millisecond) {
		conn, err := pgx.Connect(t.Context(), url)
		if err == nil {
			_ = conn.Close(context.WithoutCancel(t.Context()))
			return url
		}
		if time.Now().After(until) {
			log, _ := os.ReadFile(filepath.Join(folder, "log"))
			t.Fatalf("PgBouncer does not answer: %v\n%s", err, log)
		}
	}
}
