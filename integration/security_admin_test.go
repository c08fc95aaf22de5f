package integration

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestAdminAPIIsNotForPages: a page in the browser of somebody who can reach the
// admin endpoint cannot use it, whatever it sends and whatever name it gives the
// address: Caddy's own rules hold for what is below /webhooks/.
func TestAdminAPIIsNotForPages(t *testing.T) {
	customer := newSink(t, "")
	c := newCaddy(t)
	site := freeAddress(t)
	c.start(adminCaddyfile(c.admin, site, customer.URL, "endpoint crm "+customer.URL))
	id := publish(t, site, exampleEvent)
	waitFor(t, "the delivery", func() bool { return len(customer.deliveries()) == 1 })
	ask := func(method, path, host string, header ...string) (status int) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, method, "http://"+c.admin+path, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		if host != "" {
			req.Host = host
		}
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		resp, err := oneOff.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		for name := range resp.Header {
			if strings.HasPrefix(name, "Access-Control-") {
				t.Errorf("%s %s: pages of other origins are allowed by %s: %s", method, path, name, resp.Header.Get(name))
			}
		}
		return resp.StatusCode
	}
	paths := []struct{ method, path string }{
		{"GET", "/webhooks/status"}, {"GET", "/webhooks/endpoints"}, {"GET", "/webhooks/events/" + id}, {"GET", "/webhooks/deliveries/stream"},
		{"POST", "/webhooks/deliveries/dlv_1_crm/retry"}, {"POST", "/webhooks/endpoints/crm/test"}, {"POST", "/webhooks/replays"}, {"DELETE", "/webhooks/received/hooks/evt_1"},
	}
	pages := map[string][]string{
		"another origin":           {"Origin", "https://elsewhere.example"},
		"another origin, plainly":  {"Origin", "https://elsewhere.example", "Content-Type", "text/plain"},
		"no origin":                {"Origin", "null"},
		"told by the browser":      {"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors"},
		"told by the browser, too": {"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "cors", "Origin", "https://elsewhere.example"},
	}
	for name, header := range pages {
		for _, p := range paths {
			if got := ask(p.method, p.path, "", header...); got != http.StatusForbidden && got != http.StatusBadRequest {
				t.Errorf("%s: %s %s is answered %d", name, p.method, p.path, got)
			}
		}
	}
	for _, p := range paths {
		if got := ask(p.method, p.path, "rebound.example:2019"); got != http.StatusForbidden {
			t.Errorf("under another name: %s %s is answered %d", p.method, p.path, got)
		}
	}
	if n := len(customer.deliveries()); n != 1 {
		t.Errorf("%d requests have arrived, want 1", n)
	}
	if got := ask("POST", "/webhooks/endpoints/crm/test", ""); got != http.StatusOK {
		t.Errorf("a program is answered %d", got)
	}
}
