package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// caddy is a Caddy process with a home of its own.
type caddy struct {
	program string
	home    string
	admin   string // host and port
	site    string // host and port
	env     []string

	cmd   *exec.Cmd
	ended chan struct{}
}

// startPatience is how long a Caddy may take to serve: one with a hundred
// thousand endpoints reads a large Caddyfile first.
const startPatience = 3 * time.Minute

// built is the program that is measured.
func (b *bench) built(ctx context.Context) (string, error) {
	if b.options.caddy != "" {
		return b.options.caddy, nil
	}
	return b.build(ctx, b.measured(withModule))
}

// measured is a program as it is to be measured.
func (b *bench) measured(p program) program {
	if b.options.profile != "" {
		return p.profiled()
	}
	return p
}

// newCaddy prepares a Caddy that runs a program. Remove it.
func (b *bench) newCaddy(ctx context.Context, path, name string, env ...string) (*caddy, error) {
	home, err := os.MkdirTemp(b.scratch, name+"-")
	if err != nil {
		return nil, err
	}
	c := &caddy{program: path, home: home, env: env}
	for _, address := range []*string{&c.admin, &c.site} {
		if *address, err = freeAddress(ctx); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// freeAddress is a loopback address that nobody listens on.
func freeAddress(ctx context.Context) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// command prepares a run of the program with the home of this Caddy.
func (c *caddy) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, c.program, args...) //nolint:gosec // the program that is measured
	cmd.Dir = c.home
	cmd.Env = append(os.Environ(), "HOME="+c.home, "XDG_DATA_HOME="+filepath.Join(c.home, "data"), "XDG_CONFIG_HOME="+filepath.Join(c.home, "config"))
	cmd.Env = append(cmd.Env, c.env...)
	return cmd
}

func (c *caddy) write(caddyfile string) (string, error) {
	path := filepath.Join(c.home, "Caddyfile")
	return path, os.WriteFile(path, []byte(caddyfile), 0o600)
}

// start runs Caddy with a Caddyfile and waits until it serves.
func (c *caddy) start(ctx context.Context, caddyfile string) error {
	config, err := c.write(caddyfile)
	if err != nil {
		return err
	}
	log, err := os.OpenFile(c.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	before, err := log.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	c.cmd = c.command(ctx, "run", "--config", config, "--adapter", "caddyfile")
	c.cmd.Stdout, c.cmd.Stderr = log, log
	if err := c.cmd.Start(); err != nil {
		return err
	}
	ended := make(chan struct{})
	c.ended = ended
	go func() {
		_ = c.cmd.Wait()
		close(ended)
	}()
	for deadline := time.Now().Add(startPatience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if c.serves(before) {
			return nil
		}
		select {
		case <-ended:
			return fmt.Errorf("the Caddy has ended: %s", c.lastLines())
		case <-ctx.Done():
			return ctx.Err()
		default:
		}
	}
	return fmt.Errorf("the Caddy does not serve after %v: %s", startPatience, c.lastLines())
}

// serves tells whether Caddy has said so after that much of its log. It takes
// connections earlier, when its apps need not all run.
func (c *caddy) serves(before int64) bool {
	text, err := os.ReadFile(c.log())
	return err == nil && bytes.Contains(text[min(before, int64(len(text))):], []byte("serving initial configuration"))
}

// takesConnections tells whether somebody listens.
func takesConnections(ctx context.Context, address string) bool {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return false
	}
	return conn.Close() == nil
}

// reload loads another Caddyfile.
func (c *caddy) reload(ctx context.Context, caddyfile string) error {
	config, err := c.write(caddyfile)
	if err != nil {
		return err
	}
	out, err := c.command(ctx, "reload", "--config", config, "--adapter", "caddyfile", "--address", c.admin).CombinedOutput()
	if err != nil {
		return fmt.Errorf("reloading Caddy: %w\n%s", err, out)
	}
	return nil
}

// stop ends Caddy, by force if it takes longer than a minute.
func (c *caddy) stop() error {
	if c.cmd == nil || c.cmd.Process == nil {
		return nil
	}
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-c.ended:
		return nil
	case <-time.After(time.Minute):
	}
	if err := c.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-c.ended
	return errors.New("the Caddy did not stop within a minute")
}

// remove stops Caddy and deletes its home.
func (c *caddy) remove() error { return errors.Join(c.stop(), os.RemoveAll(c.home)) }

func (c *caddy) pid() int { return c.cmd.Process.Pid }

func (c *caddy) log() string { return filepath.Join(c.home, "log") }

// lastLines are the last of what Caddy has printed.
func (c *caddy) lastLines() string {
	text, err := os.ReadFile(c.log())
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(len(lines)-5, 0):], "\n")
}
