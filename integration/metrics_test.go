package integration

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// metric returns the value of a metric, as it is named with its labels, that
// Caddy's admin endpoint shows; ok tells that it does.
func (c *caddy) metric(name string) (value float64, ok bool) {
	c.t.Helper()
	value, ok = c.metrics()[name]
	return value, ok
}

// metrics are all metrics of this module that Caddy's admin endpoint shows.
func (c *caddy) metrics() map[string]float64 {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.admin+"/metrics", nil)
	if err != nil {
		c.t.Fatal(err)
	}
	resp, text := exchange(c.t, req)
	if resp.StatusCode != http.StatusOK {
		c.t.Fatalf("the metrics are answered with %d:\n%s", resp.StatusCode, text)
	}
	all := make(map[string]float64)
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "caddy_webhooks_") {
			continue
		}
		i := strings.LastIndexByte(line, ' ')
		value, err := strconv.ParseFloat(strings.TrimSpace(line[i:]), 64)
		if err != nil {
			c.t.Fatalf("%q: %v", line, err)
		}
		all[line[:i]] = value
	}
	return all
}

// TestMetricsCountOverReloads scrapes Caddy's admin endpoint: the metrics are
// there, are right, and count on after a reload and after configurations that
// were rejected, also when such a one names another store.
func TestMetricsCountOverReloads(t *testing.T) {
	customer := newSink(t, "")
	c := newCaddy(t)
	site := freeAddress(t)
	ann := account{t, site + "/settings/webhooks", "ann"}
	with := func(options string) string {
		return settingsCaddyfile(c.admin, site, fmt.Sprintf("%s\n\t\tendpoint crm %s {\n\t\t\ttenant ann\n\t\t}", options, customer.URL))
	}
	c.start(with("timeout 20s"))
	ann.newEndpoint(customer.URL)
	published := 0
	counts := func(when string) {
		t.Helper()
		for range 3 {
			ann.publish(exampleEvent)
			published++
		}
		for _, name := range []string{
			"caddy_webhooks_events_accepted_total",
			`caddy_webhooks_deliveries_total{endpoint="crm",outcome="succeeded"}`,
			`caddy_webhooks_deliveries_total{endpoint="*",outcome="succeeded"}`,
			`caddy_webhooks_attempts_total{class="2xx",endpoint="crm"}`,
			`caddy_webhooks_publish_to_delivered_seconds_count{endpoint="crm"}`,
		} {
			var got float64
			// An outcome is counted a moment after the request has been
			// answered. More than there was is never right.
			waitFor(t, fmt.Sprintf("%s: %s to be %d", when, name, published), func() bool {
				got, _ = c.metric(name)
				return got >= float64(published)
			})
			if got > float64(published) {
				t.Errorf("%s: %s is %v, want %d", when, name, got, published)
			}
		}
		if got, ok := c.metric(`caddy_webhooks_endpoint_state{endpoint="crm",state="active"}`); !ok || got != 1 {
			t.Errorf("%s: the endpoint's state is not told: %v, %t", when, got, ok)
		}
	}
	counts("at first")
	for _, tt := range []struct {
		name, caddyfile string
		accepted        bool
	}{
		{"after a reload", with("timeout 21s"), true},
		{"after another app could not start", with("timeout 22s") + cannotStart, false},
		{"after the app refused its settings", with("retry 0s"), false},
		{"after a store could not be opened", with("store sqlite /proc/no/such.db"), false},
		{"after another reload", with("timeout 23s"), true},
	} {
		if out, err := c.reload(tt.caddyfile); (err == nil) != tt.accepted {
			t.Fatalf("%s: %v\n%s", tt.name, err, out)
		}
		counts(tt.name)
	}
}
