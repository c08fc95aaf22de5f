package caddyproc

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// client makes a connection for each request: at a reload Caddy may close a
// kept one just when a request is sent on it.
var client = &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}

// Load loads another Caddyfile into the running Caddy.
func (p *Process) Load(ctx context.Context, caddyfile string) error {
	_, err := p.ask(ctx, http.MethodPost, "/load", "text/caddyfile", []byte(caddyfile))
	return err
}

// Status is how the webhooks are.
type Status struct {
	Running bool
	Store   struct {
		Size int64 `json:"size_bytes"`
	}
	Backlog struct{ Pending int64 }
}

// Status asks the running Caddy how its webhooks are.
func (p *Process) Status(ctx context.Context) (Status, error) {
	var s Status
	answer, err := p.ask(ctx, http.MethodGet, "/webhooks/status", "", nil)
	if err == nil {
		err = json.Unmarshal(answer, &s)
	}
	return s, err
}

// Goroutines is how many the running Caddy has.
func (p *Process) Goroutines(ctx context.Context) (n int, err error) {
	profile, err := p.ask(ctx, http.MethodGet, "/debug/pprof/goroutine?debug=1", "", nil)
	if err != nil {
		return 0, err
	}
	_, err = fmt.Sscanf(string(profile), "goroutine profile: total %d", &n)
	return n, err
}

// ask makes a request to the admin API, which must succeed.
func (p *Process) ask(ctx context.Context, method, path, contentType string, body []byte) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+p.Admin+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode >= 300 {
		err = fmt.Errorf("%s %s is answered with %s: %s", method, path, resp.Status, answer)
	}
	return answer, err
}

// Resident is how much memory the process has in RAM, in bytes. It is known on
// Linux alone.
func (p *Process) Resident() (int64, error) {
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.PID()), "status"))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(status)) {
		if rest, found := strings.CutPrefix(line, "VmRSS:"); found {
			kib, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("process %d has no resident memory", p.PID())
}

// Descriptors is how many files and connections the process has open. It is
// known on Linux alone.
func (p *Process) Descriptors() (int, error) {
	entries, err := os.ReadDir(filepath.Join("/proc", strconv.Itoa(p.PID()), "fd"))
	return len(entries), err
}
