//go:build unix

package postgrestest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// startTimeout is how long a server may take to start or to end.
const startTimeout = 60 * time.Second

// errMissing says what to install.
var errMissing = errors.New("PostgreSQL is not installed: run apt-get install postgresql")

// Server is a PostgreSQL of a test's own, on a port of the loopback interface,
// that loses nothing that was committed: fsync is on.
type Server struct {
	// Folder is where its data and its socket are.
	Folder string

	// Port is the port that it listens on.
	Port string

	programs string
	settings []string
	process  *exec.Cmd
	alive    io.Closer // closing it ends the server
}

// Start starts a server, which ends with the test. The settings are those of
// postgresql.conf: "name=value".
func Start(t testing.TB, settings ...string) *Server {
	t.Helper()
	s, err := newServer(settings)
	if errors.Is(err, errMissing) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.remove)
	return s
}

// newServer makes the data of a server, and starts it.
func newServer(settings []string) (_ *Server, err error) {
	s := &Server{settings: settings}
	if s.programs, err = programs(); err != nil {
		return nil, err
	}
	if s.Folder, err = os.MkdirTemp("", "postgrestest"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.remove()
		}
	}()
	if credential := unprivileged(); credential != nil {
		if err := os.Chown(s.Folder, int(credential.Uid), int(credential.Gid)); err != nil {
			return nil, err
		}
	}
	if s.Port, err = freePort(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	initdb := s.command(ctx, "initdb", "--pgdata", s.data(), "--username", "postgres", "--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync")
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return s, s.run()
}

// programs is the folder of the newest PostgreSQL that is installed.
func programs() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil {
		return "", err
	}
	if path, err := exec.LookPath("postgres"); err == nil && len(found) == 0 {
		found = []string{path}
	}
	if len(found) == 0 {
		return "", errMissing
	}
	return filepath.Dir(slices.Max(found)), nil
}

// unprivileged is who runs the server when the test runs as root, which
// PostgreSQL refuses; nil otherwise.
func unprivileged() *syscall.Credential {
	if os.Geteuid() != 0 {
		return nil
	}
	nobody, err := user.Lookup("nobody")
	if err != nil {
		return &syscall.Credential{Uid: 65534, Gid: 65534}
	}
	uid, _ := strconv.ParseUint(nobody.Uid, 10, 32)
	gid, _ := strconv.ParseUint(nobody.Gid, 10, 32)
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
}

// freePort is a port of the loopback interface that nobody listens on.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port), nil
}

func (s *Server) data() string { return filepath.Join(s.Folder, "data") }

// command is a program of PostgreSQL, run by an unprivileged user.
func (s *Server) command(ctx context.Context, program string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, filepath.Join(s.programs, program), args...)
	c.Dir = s.Folder
	c.SysProcAttr = &syscall.SysProcAttr{Credential: unprivileged(), Setpgid: true}
	return c
}

// Run starts the server again after Kill or Stop, with what it had.
func (s *Server) Run(t testing.TB) {
	t.Helper()
	if err := s.run(); err != nil {
		t.Fatal(err)
	}
}

// run starts the server and waits until it answers. A shell beside it ends it
// when the test's process dies.
func (s *Server) run() error {
	args := []string{"-c", `"$@" & server=$!; read -r _; kill -QUIT $server; wait $server`, "sh",
		filepath.Join(s.programs, "postgres"), "-D", s.data(), "-p", s.Port, "-k", s.Folder,
		"-c", "listen_addresses=127.0.0.1", "-c", "log_min_messages=fatal", "-c", "shared_buffers=64MB", "-c", "max_connections=200"}
	for _, setting := range s.settings {
		args = append(args, "-c", setting)
	}
	s.process = exec.Command("/bin/sh", args...)
	s.process.Dir = s.Folder
	s.process.SysProcAttr = &syscall.SysProcAttr{Credential: unprivileged(), Setpgid: true}
	log, err := os.OpenFile(filepath.Join(s.Folder, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	s.process.Stdout, s.process.Stderr = log, log
	if s.alive, err = s.process.StdinPipe(); err != nil {
		return err
	}
	if err := s.process.Start(); err != nil {
		return err
	}
	return s.wait()
}

// wait waits until the server answers.
func (s *Server) wait() error {
	for until := time.Now().Add(startTimeout); ; time.Sleep(10 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		conn, err := pgx.Connect(ctx, s.URL())
		if err == nil {
			err = conn.Close(ctx)
		}
		cancel()
		if err == nil {
			return nil
		}
		if time.Now().After(until) {
			log, _ := os.ReadFile(filepath.Join(s.Folder, "log"))
			return fmt.Errorf("PostgreSQL does not answer: %w\n%s", err, log)
		}
	}
}

// URL is the address of the server's own database.
func (s *Server) URL() string {
	return "postgres://postgres@127.0.0.1:" + s.Port + "/postgres?sslmode=disable"
}

// Database makes a database and returns its address.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	name := "test" + strconv.FormatInt(time.Now().UnixNano(), 36)
	s.Exec(t, s.URL(), "CREATE DATABASE "+name)
	return strings.Replace(s.URL(), "/postgres?", "/"+name+"?", 1)
}

// Exec runs statements on the database of an address.
func (s *Server) Exec(t testing.TB, url, statements string) {
	t.Helper()
	ctx := context.WithoutCancel(t.Context()) // also while the test is cleaned up after
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, statements); err != nil {
		t.Fatalf("%s: %v", statements, err)
	}
}

// PID is the number of the server's first process.
func (s *Server) PID() (int, error) {
	b, err := os.ReadFile(filepath.Join(s.data(), "postmaster.pid"))
	if err != nil {
		return 0, err
	}
	first, _, _ := bytes.Cut(b, []byte("\n"))
	return strconv.Atoi(string(first))
}

// Kill ends the server at once, as a crash does: what was not synced is lost,
// and it recovers when it runs again.
func (s *Server) Kill() {
	if s.process == nil {
		return
	}
	_ = s.alive.Close() // the shell sends SIGQUIT, an immediate shutdown
	_ = s.process.Wait()
	s.process = nil
}

// Stop ends the server in order.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	pid, err := s.PID()
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	for until := time.Now().Add(startTimeout); syscall.Kill(pid, 0) == nil; time.Sleep(5 * time.Millisecond) {
		if _, err := s.PID(); errors.Is(err, os.ErrNotExist) {
			break // it is a zombie of the shell
		}
		if time.Now().After(until) {
			t.Fatal("PostgreSQL does not end")
		}
	}
	s.Kill()
}

// remove ends the server and removes its data.
func (s *Server) remove() {
	s.Kill()
	_ = os.RemoveAll(s.Folder)
}
