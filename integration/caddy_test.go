package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/integration/internal/caddyproc"
)

// buildTags are those that users build Caddy with.
const buildTags = caddyproc.BuildTags

// raceEnv is the environment variable that, when set, has the real program
// built with the race detector. A race that it sees fails the test.
const raceEnv = "CADDY_WEBHOOKS_RACE"

// binary builds the ready-made Caddy once and returns its path, redisBinary and
// postgresBinary those with the module for Redis or PostgreSQL.
var (
	binary         = sync.OnceValues(func() (string, error) { return buildCaddy("caddy", caddyproc.Package) })
	redisBinary    = sync.OnceValues(func() (string, error) { return buildCaddy("rediscaddy", "./rediscaddy") })
	postgresBinary = sync.OnceValues(func() (string, error) { return buildCaddy("postgrescaddy", "./postgrescaddy") })
)

// buildCaddy builds a main package.
func buildCaddy(name, pkg string) (string, error) {
	path := filepath.Join(scratch, name)
	return path, caddyproc.Build(context.Background(), path, pkg, os.Getenv(raceEnv) != "")
}

// scratch is where the binary goes.
var scratch string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "caddy-webhooks-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		scratch = dir
		return m.Run()
	}())
}

// caddy is a Caddy process with a home of its own.
type caddy struct {
	t     *testing.T
	home  string
	admin string
	env   []string
	build func() (string, error) // the program
	cmd   *exec.Cmd
	out   *output
	ended chan struct{}
}

// output gathers what a process prints.
type output = caddyproc.Output

// newCaddy prepares a Caddy. Its Caddyfiles need `admin` with the address
// admin.
func newCaddy(t *testing.T) *caddy {
	t.Helper()
	return &caddy{t: t, home: t.TempDir(), admin: freeAddress(t), build: binary}
}

// newCaddyOf prepares a Caddy of another build, with variables in its
// environment.
func newCaddyOf(t *testing.T, build func() (string, error), env ...string) *caddy {
	t.Helper()
	c := newCaddy(t)
	c.build, c.env = build, env
	return c
}

// localWebhooks are the global options of a Caddy that delivers to this machine,
// with further ones for webhooks.
func localWebhooks(admin, options string) string {
	return fmt.Sprintf(`{
	admin %s
	webhooks {
		egress {
			allow 127.0.0.1
			allow_http
		}
		%s
	}
}
`, admin, options)
}

// command prepares a run of the binary with the home of this Caddy.
func (c *caddy) command(args ...string) *exec.Cmd {
	c.t.Helper()
	path, err := c.build()
	if err != nil {
		c.t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Dir = c.home
	cmd.Env = append(os.Environ(),
		"HOME="+c.home,
		"XDG_DATA_HOME="+filepath.Join(c.home, "data"),
		"XDG_CONFIG_HOME="+filepath.Join(c.home, "config"),
	)
	cmd.Env = append(cmd.Env, c.env...)
	return cmd
}

// write puts a Caddyfile into the home and returns its path.
func (c *caddy) write(caddyfile string) string {
	c.t.Helper()
	path := filepath.Join(c.home, "Caddyfile")
	if err := os.WriteFile(path, []byte(caddyfile), 0o600); err != nil {
		c.t.Fatal(err)
	}
	return path
}

// start runs Caddy with a Caddyfile and waits until it serves.
func (c *caddy) start(caddyfile string) {
	c.t.Helper()
	c.cmd = c.command("run", "--config", c.write(caddyfile), "--adapter", "caddyfile")
	c.out = new(output)
	c.cmd.Stdout, c.cmd.Stderr = c.out, c.out
	if err := c.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	cmd, out, ended := c.cmd, c.out, make(chan struct{})
	c.ended = ended
	go func() {
		_ = cmd.Wait()
		close(ended)
	}()
	c.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		if strings.Contains(out.String(), "WARNING: DATA RACE") {
			c.t.Error("the race detector has seen a race")
		}
		if c.t.Failed() {
			c.t.Logf("Caddy printed:\n%s", out)
		}
	})
	waitFor(c.t, "Caddy to serve", func() bool {
		select {
		case <-ended:
			c.t.Fatalf("Caddy ended:\n%s", c.out)
		default:
		}
		return strings.Contains(c.out.String(), "serving initial configuration")
	})
}

// kill ends Caddy the hard way, without a chance to tidy up.
func (c *caddy) kill() {
	c.t.Helper()
	if err := c.cmd.Process.Signal(syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
		c.t.Fatal(err)
	}
	<-c.ended
}

// stop asks Caddy to end and waits for it.
func (c *caddy) stop() {
	c.t.Helper()
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		c.t.Fatal(err)
	}
	select {
	case <-c.ended:
	case <-time.After(30 * time.Second):
		c.t.Fatal("Caddy did not stop within 30 s")
	}
}

// reload loads another Caddyfile into the running Caddy and returns what the
// command printed with its error.
func (c *caddy) reload(caddyfile string, flags ...string) (string, error) {
	c.t.Helper()
	cmd := c.command(append([]string{"reload", "--config", c.write(caddyfile), "--adapter", "caddyfile", "--address", c.admin}, flags...)...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// validate runs `caddy validate` on a Caddyfile.
func (c *caddy) validate(caddyfile string) (string, error) {
	c.t.Helper()
	out, err := c.command("validate", "--config", c.write(caddyfile), "--adapter", "caddyfile").CombinedOutput()
	return string(out), err
}

// freeAddress is a loopback address that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	address, err := caddyproc.FreeAddress()
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// waitFor waits for a condition, for a time that only a broken program needs.
func waitFor(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if condition() {
			return
		}
	}
	t.Fatalf("gave up waiting for %s", what)
}

// oneOff makes a connection for each request: at a reload Caddy may close a
// kept one just when a request is sent on it.
var oneOff = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// post sends a body and returns the status and the answer's body.
func post(t *testing.T, url, contentType string, body []byte) (int, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	resp, answer := exchange(t, req)
	return resp.StatusCode, string(answer)
}

// exchange makes a request over a connection of its own and reads the answer.
func exchange(t *testing.T, req *http.Request) (*http.Response, []byte) {
	t.Helper()
	resp, err := oneOff.Do(req)
	// A few connections are closed when Caddy has just reloaded, before their
	// requests were taken.
	for range 2 {
		if !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) || req.GetBody == nil {
			break
		}
		t.Logf("sent again: %v", err)
		req.Body, _ = req.GetBody() // of what is in memory: it cannot fail
		resp, err = oneOff.Do(req)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, answer
}

// publish publishes an event, which must be accepted, and returns its ID.
func publish(t *testing.T, site, event string) (id string) {
	t.Helper()
	status, answer := post(t, "http://"+site+"/events", "application/json", []byte(event))
	var receipt struct{ ID string }
	if err := json.Unmarshal([]byte(answer), &receipt); err != nil || status != http.StatusAccepted || !strings.HasPrefix(receipt.ID, "evt_") {
		t.Fatalf("publishing %s: %d %s", event, status, answer)
	}
	return receipt.ID
}
