package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	caddymain "github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
)

// host is a Caddy that the rows of the reload matrix are gone through with: one
// inside the test, where the race detector and the leak detector see all of
// it, or the real program.
type host interface {
	// load starts Caddy with a Caddyfile, or reloads it, also when nothing has
	// changed. The output holds the reason of an error.
	load(caddyfile string) (output string, err error)

	// validate does what `caddy validate` does, while Caddy runs.
	validate(caddyfile string) (output string, err error)

	// settings are the global options that the host needs.
	settings() string

	// folder is where its files go.
	folder() string

	// pid is the process.
	pid() int

	// adminAddress is where its admin endpoint listens.
	adminAddress() string

	metric(name string) (value float64, ok bool)
	metrics() map[string]float64
	goroutines() []string
}

// mustLoad loads a Caddyfile that must be accepted.
func mustLoad(t *testing.T, h host, caddyfile string) {
	t.Helper()
	if out, err := h.load(caddyfile); err != nil {
		t.Fatalf("%v\n%s\n%s", err, out, caddyfile)
	}
}

// inside is a Caddy inside the test.
type inside struct{ *caddy }

func newInside(t *testing.T) host {
	t.Helper()
	h := inside{newCaddy(t)}
	t.Cleanup(h.end)
	return h
}

func (inside) load(caddyfile string) (string, error) {
	return adapted(caddyfile, func(config []byte) error { return caddymain.Load(config, true) })
}

func (inside) validate(caddyfile string) (string, error) {
	return adapted(caddyfile, func(config []byte) error {
		c := new(caddymain.Config)
		if err := json.Unmarshal(config, c); err != nil {
			return err
		}
		return caddymain.Validate(c)
	})
}

// adapted does something with the JSON of a Caddyfile.
func adapted(caddyfile string, do func(config []byte) error) (output string, err error) {
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(caddyfile), map[string]any{"filename": "Caddyfile"})
	if err == nil {
		err = do(config)
	}
	if err != nil {
		return err.Error(), err
	}
	return "", nil
}

// end stops Caddy, and its admin endpoint, which only another configuration
// ends.
func (h inside) end() {
	h.t.Helper()
	if err := caddymain.Load([]byte(`{"admin": {"disabled": true, "config": {"persist": false}}, `+quiet+`}`), true); err != nil {
		h.t.Error(err)
	}
	if err := caddymain.Stop(); err != nil {
		h.t.Error(err)
	}
}

// quiet is the member of a configuration that has nothing logged.
const quiet = `"logging": {"logs": {"default": {"writer": {"output": "discard"}}}}`

func (h inside) settings() string {
	return "admin " + h.admin + "\n\tpersist_config off\n\tauto_https off\n\tstorage file_system " + filepath.Join(h.home, "storage") +
		"\n\tlog default {\n\t\toutput discard\n\t}"
}

func (h inside) folder() string { return h.home }

func (inside) pid() int { return os.Getpid() }

// outside is the real program.
type outside struct{ *caddy }

func newOutside(t *testing.T) host {
	t.Helper()
	return outside{newCaddy(t)}
}

func (h outside) load(caddyfile string) (string, error) {
	h.t.Helper()
	if h.cmd == nil {
		h.start(caddyfile)
		return "", nil
	}
	return h.reload(caddyfile, "--force")
}

func (h outside) settings() string { return "admin " + h.admin }

func (h outside) folder() string { return h.home }

func (h outside) pid() int { return h.cmd.Process.Pid }

func (c *caddy) adminAddress() string { return c.admin }

// goroutines are the stacks of those that run code of this module. Those that
// wait for the next attempt to make are not among them: they come and go, and
// are bounded.
func (c *caddy) goroutines() (list []string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.admin+"/debug/pprof/goroutine?debug=2", nil)
	if err != nil {
		c.t.Fatal(err)
	}
	resp, err := oneOff.Do(req)
	for ; err != nil && ctx.Err() == nil; resp, err = oneOff.Do(req) {
		// At a reload the old admin endpoint may close a connection when it is made.
	}
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	stacks, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	for stack := range strings.SplitSeq(string(stacks), "\n\n") {
		if strings.Contains(stack, "sender.(*Sender).await(") {
			continue
		}
		for _, part := range []string{"sender", "receiver", "caddymodule"} {
			if strings.Contains(stack, "manysends/caddy-webhooks/"+part) {
				list = append(list, stack)
				break
			}
		}
	}
	return list
}

// openFiles are the files in a host's folder that its process has open.
func openFiles(t *testing.T, h host) (list []string) {
	t.Helper()
	fds := filepath.Join("/proc", strconv.Itoa(h.pid()), "fd")
	entries, err := os.ReadDir(fds)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if path, err := os.Readlink(filepath.Join(fds, entry.Name())); err == nil && strings.HasPrefix(path, h.folder()+"/") {
			list = append(list, path)
		}
	}
	return list
}

// onEachHost runs a test with a Caddy inside and with the real program.
func onEachHost(t *testing.T, test func(*testing.T, host)) {
	t.Helper()
	for name, newHost := range map[string]func(*testing.T) host{"inside": newInside, "outside": newOutside} {
		t.Run(name, func(t *testing.T) { test(t, newHost(t)) })
	}
}

// plan is what a configuration of the matrix has of its own.
type plan struct {
	customer string // the endpoint's URL
	store    string // its path
	seen     string // the path of the receiver's file
	sender   string // further settings of the sender
	secret   string // the endpoint's
	receive  string // further settings of the receiver
	further  string // further sites
}

// scene is what the matrix is played on: a sender with a customer, and sites
// with receivers in front of an application.
type scene struct {
	host
	t           *testing.T
	site, other string // addresses
	customer    *tally
	application *tally
	plan        plan // in force
}

func newScene(t *testing.T, h host) *scene {
	t.Helper()
	s := &scene{host: h, t: t, site: freeAddress(t), other: freeAddress(t), customer: newTally(t), application: newTally(t)}
	s.plan = plan{
		customer: s.customer.URL, store: filepath.Join(h.folder(), "first.db"), seen: filepath.Join(h.folder(), "hooks.seen"),
		sender: "timeout 20s", secret: testSecret,
	}
	return s
}

// caddyfile is a configuration of the scene.
func (s *scene) caddyfile(p plan) string {
	return fmt.Sprintf(`{
	%s
	webhooks {
		store sqlite %s
		egress {
			allow 127.0.0.1
			allow_http
		}
		%s
		endpoint crm %s {
			secret %s
		}
	}
}

(hooks) {
	webhook_receive standard {
		name hooks
		secret %s
		dedupe {
			persist %s
		}
		%s
	}
	reverse_proxy %s
}

http://%s {
	handle /events {
		webhook_publish
	}
	handle /hooks {
		import hooks
	}
	handle /limited {
		webhook_receive github {
			name limited
			secret %s
			rate 1/h burst 3
		}
		respond 200
	}
	handle /throttled {
		webhook_receive github {
			name throttled
			secret %s
			ip_rate 1/h burst 3
		}
		respond 200
	}
}

http://%s {
	handle /hooks {
		import hooks
	}
	handle /alone {
		webhook_receive standard {
			name alone
			secret %s
		}
		respond 200
	}
}
%s`, s.settings(), p.store, p.sender, p.customer, p.secret, testSecret, p.seen, p.receive, strings.TrimPrefix(s.application.URL, "http://"),
		s.site, githubSecret, githubSecret, s.other, testSecret, p.further)
}

// start loads the plan that the scene begins with.
func (s *scene) start() {
	s.t.Helper()
	mustLoad(s.t, s.host, s.caddyfile(s.plan))
}
