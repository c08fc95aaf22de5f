package caddyproc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// served is what Caddy logs when its configuration runs as a whole.
const served = "serving initial configuration"

// patience bounds what only a broken program takes long for.
const patience = 90 * time.Second

// Process is one Caddy with a home of its own, which survives its ends: Start
// may be called again after Kill or Stop. It is used from one goroutine; only
// Load, Status and what looks into the process may be called beside others.
type Process struct {
	Binary string   // the program
	Home   string   // its data go there
	Admin  string   // the address that its Caddyfiles give with `admin`
	Wrap   []string // a program that runs it, with arguments; empty: none

	cmd   *exec.Cmd
	out   *Output
	ended chan struct{}
}

// Launch runs Caddy with a Caddyfile and does not wait for anything.
func (p *Process) Launch(caddyfile string) error {
	if p.Running() {
		return errors.New("caddy runs already: end it first, or it would be forgotten")
	}
	path := filepath.Join(p.Home, "Caddyfile")
	if err := os.WriteFile(path, []byte(caddyfile), 0o600); err != nil {
		return err
	}
	args := append(append([]string{}, p.Wrap...), p.Binary, "run", "--config", path, "--adapter", "caddyfile")
	cmd := exec.Command(args[0], args[1:]...) //nolint:noctx,gosec // it is ended by Kill or Stop, and the caller says what is run
	cmd.Dir = p.Home
	cmd.Env = p.Environ()
	p.out = new(Output)
	cmd.Stdout, cmd.Stderr = p.out, p.out
	if err := cmd.Start(); err != nil {
		return err
	}
	p.cmd, p.ended = cmd, make(chan struct{})
	go func(ended chan struct{}) {
		_ = cmd.Wait()
		close(ended)
	}(p.ended)
	return nil
}

// Environ is the environment of this Caddy and of its commands.
func (p *Process) Environ() []string {
	return append(os.Environ(), "HOME="+p.Home,
		"XDG_DATA_HOME="+filepath.Join(p.Home, "data"), "XDG_CONFIG_HOME="+filepath.Join(p.Home, "config"),
		logRaces(p.Home))
}

// Start runs Caddy with a Caddyfile and waits until it serves. The error holds
// what Caddy printed when it ended instead.
func (p *Process) Start(caddyfile string) error {
	if err := p.Launch(caddyfile); err != nil {
		return err
	}
	return p.AwaitServing()
}

// AwaitServing waits until a Caddy that was launched serves.
func (p *Process) AwaitServing() error {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(2 * time.Millisecond) {
		if p.out.Has(served) {
			return nil
		}
		if !p.Running() {
			return fmt.Errorf("caddy ended instead of serving:\n%s", p.out)
		}
	}
	return fmt.Errorf("caddy does not serve after %s:\n%s", patience, p.out)
}

// Running tells that the process has not ended.
func (p *Process) Running() bool {
	if p.cmd == nil {
		return false
	}
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// Kill ends Caddy without a chance to tidy up, and waits for its end.
func (p *Process) Kill() error {
	if !p.Running() {
		return nil
	}
	if err := p.cmd.Process.Signal(syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-p.ended
	return nil
}

// Stop asks Caddy to end and waits for it. One that does not is killed, which
// is an error.
func (p *Process) Stop() error {
	if !p.Running() {
		return nil
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.ended:
		return nil
	case <-time.After(patience):
		return errors.Join(fmt.Errorf("caddy did not stop within %s:\n%s", patience, p.out), p.Kill())
	}
}

// Output is what Caddy has printed since it was started, or the end of that.
func (p *Process) Output() string { return p.out.String() }

// PID is the number of the process: of the wrapping program, if there is one.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Command runs a command of the same program, such as `webhooks status`, and
// returns what it printed.
func (p *Process) Command(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, p.Binary, args...) //nolint:gosec // the caller says what is run
	cmd.Dir = p.Home
	cmd.Env = p.Environ()
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}
