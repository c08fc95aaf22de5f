package sender_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// TestOverview: it counts the endpoints of all tenants in each state, what is
// pending, and how long what is due has waited.
func TestOverview(t *testing.T) {
	good, gone := newPeer(t, nil), newPeer(t, status(410))
	c := toPeers(good, gone)
	r := newRig(t, c)
	if _, _, err := r.CreateEndpoint(t.Context(), sender.NewEndpoint{Endpoint: sender.Endpoint{Tenant: "acme", URL: good.URL}}); err != nil {
		t.Fatal(err)
	}
	r.publish("1")
	r.delivered("a", "1")
	r.settled("1", "b", 1)
	until(t, "the endpoint is given up", func() bool {
		e, err := r.Endpoint(t.Context(), "", "b")
		return err == nil && e.State == sender.StateDisabled
	})
	r.clock.advance(time.Minute)
	got, err := r.Overview(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got.StoreSize <= 0 {
		t.Errorf("the store takes up %d bytes", got.StoreSize)
	}
	got.StoreSize = 0
	want := sender.Overview{Pending: 1, Oldest: time.Minute, Endpoints: map[sender.State]int{
		sender.StateInactive: 1, sender.StateTested: 0, sender.StateActive: 1, sender.StatePaused: 0, sender.StateDisabled: 1,
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the overview (-want +got):\n%s", diff)
	}
}

// TestOverviewOfWhatIsAstray: what waits for an endpoint that was taken out of the
// configuration is still told of, and goes out when the endpoint is there again.
func TestOverviewOfWhatIsAstray(t *testing.T) {
	c := toPeers(newPeer(t, nil), newPeer(t, status(500)))
	r := newRig(t, c)
	r.publish("1")
	r.delivered("a", "1")
	r.settled("1", "b", 1)
	both := r.config.Endpoints
	r.config.Endpoints = both[:1]
	r.apply()
	got, err := r.Overview(t.Context())
	if err != nil || got.Pending != 1 || got.Astray != 1 {
		t.Errorf("without the endpoint: %+v, %v, want 1 pending, and that astray", got, err)
	}
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(r.Collector())
	const counted = `
# HELP caddy_webhooks_backlog_deliveries Deliveries that wait or are under way.
# TYPE caddy_webhooks_backlog_deliveries gauge
caddy_webhooks_backlog_deliveries{endpoint="*"} 1
`
	if err := testutil.GatherAndCompare(nonZero{registry}, strings.NewReader(counted), namesIn(counted)...); err != nil {
		t.Error(err)
	}
	r.config.Endpoints = both
	r.apply()
	if got, err = r.Overview(t.Context()); err != nil || got.Pending != 1 || got.Astray != 0 {
		t.Errorf("with the endpoint again: %+v, %v, want 1 pending, and none astray", got, err)
	}
}

// TestEndpointPagesWhileEndpointsComeAndGo: nothing stands on two pages, and
// nothing that is there all the time is left out.
func TestEndpointPagesWhileEndpointsComeAndGo(t *testing.T) {
	p := newPeer(t, nil)
	c := toPeers(p, p)
	r := newRig(t, c)
	create := func() string {
		t.Helper()
		e, _, err := r.CreateEndpoint(t.Context(), sender.NewEndpoint{Endpoint: sender.Endpoint{URL: p.URL, Events: []string{"label.*"}}})
		if err != nil {
			t.Fatal(err)
		}
		r.clock.advance(time.Millisecond)
		return e.ID
	}
	stays, goes := create(), create()
	later := create()
	var got []string
	q := sender.PageQuery{Limit: 1}
	for page := 0; ; page++ {
		list, err := r.EndpointPage(t.Context(), sender.AnyTenant, q)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list.Endpoints {
			got = append(got, e.ID)
		}
		if q.Cursor = list.Next; q.Cursor == "" {
			break
		}
		if page == 3 { // the one that the cursor stands at
			if err := r.DeleteEndpoint(t.Context(), "", goes); err != nil {
				t.Fatal(err)
			}
		}
	}
	if diff := cmp.Diff([]string{"a", "b", stays, goes, later}, got); diff != "" {
		t.Errorf("the pages (-want +got):\n%s", diff)
	}
	first, err := r.EndpointPage(t.Context(), "", sender.PageQuery{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	r.config.Endpoints = r.config.Endpoints[1:]
	r.config.Retry = []webhook.Duration{webhook.Duration(time.Second)}
	r.apply()
	if _, err := r.EndpointPage(t.Context(), "", sender.PageQuery{Cursor: first.Next}); !errors.Is(err, sender.ErrCursor) {
		t.Errorf("after the endpoint at the cursor has left the configuration: %v, want ErrCursor", err)
	}
}
