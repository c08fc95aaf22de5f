package integration

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"
)

// liveStream is an open stream of deliveries.
type liveStream struct {
	t      *testing.T
	events chan string // the data of each delivery; closed at the end
}

// openStream follows deliveries and waits until the stream has begun.
func openStream(t *testing.T, a *adminClient, path string) *liveStream {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.base+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := a.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = resp.Body.Close()
	})
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("%s: answered %d %v", path, resp.StatusCode, resp.Header)
	}
	s := &liveStream{t, make(chan string, 100)}
	go func() {
		defer close(s.events)
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				s.events <- data
			}
		}
	}()
	return s
}

// wait waits for a delivery that says something.
func (s *liveStream) wait(what string) {
	s.t.Helper()
	for deadline := time.After(time.Minute); ; {
		select {
		case data, ok := <-s.events:
			if !ok {
				s.t.Fatalf("the stream has ended before %s came", what)
			}
			if strings.Contains(data, what) {
				return
			}
		case <-deadline:
			s.t.Fatalf("waited a minute in vain for %s", what)
		}
	}
}

// ends waits for the end.
func (s *liveStream) ends(why string) {
	s.t.Helper()
	for deadline := time.After(20 * time.Second); ; {
		select {
		case _, ok := <-s.events:
			if !ok {
				return
			}
		case <-deadline:
			s.t.Fatalf("the stream goes on for 20 s after %s", why)
		}
	}
}

// TestStreamsHoldNothingUp follows deliveries through the settings of a site
// and through the admin endpoint. Streams end when another configuration is
// loaded, and can be opened again at once; one that is rejected leaves those of
// the site alone; and Caddy stops although there are some.
func TestStreamsHoldNothingUp(t *testing.T) {
	customer := newSink(t, "")
	c := newCaddy(t)
	site := freeAddress(t)
	with := func(options string) string {
		return adminCaddyfile(c.admin, site, customer.URL, options+"\n\t\tendpoint crm "+customer.URL+" {\n\t\t\ttenant acme\n\t\t}")
	}
	c.start(with("timeout 20s"))
	admin, public := over(t, "tcp", c.admin), over(t, "tcp", site)
	open := func() (theirs, ours *liveStream) {
		return openStream(t, public, "/operator/api/deliveries/stream"), openStream(t, admin, "/webhooks/deliveries/stream?status=succeeded&tenant=acme")
	}
	told := func(streams ...*liveStream) {
		t.Helper()
		id := publish(t, site, `{"event":"message.created","tenant":"acme","data":{}}`)
		for _, s := range streams {
			s.wait(`"event_id":"` + id + `"`)
		}
	}
	theirs, ours := open()
	told(theirs, ours)
	if out, err := c.reload(with("timeout 21s")); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	theirs.ends("a reload")
	ours.ends("a reload")
	theirs, ours = open()
	told(theirs, ours)
	if out, err := c.reload(with("timeout 22s") + cannotStart); err == nil {
		t.Fatalf("a configuration that cannot start was accepted:\n%s", out)
	}
	told(theirs)
	_, ours = open()
	told(theirs, ours)
	c.stop()
	theirs.ends("Caddy has stopped")
	ours.ends("Caddy has stopped")
}
