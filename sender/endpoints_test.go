package sender_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// create makes an active endpoint for a peer and returns its ID.
func (r *rig) create(p *peer, change ...func(*sender.NewEndpoint)) string {
	r.t.Helper()
	e := sender.NewEndpoint{Endpoint: sender.Endpoint{URL: p.URL + "/hooks"}, Active: true}
	for _, f := range change {
		f(&e)
	}
	info, _, err := r.CreateEndpoint(r.t.Context(), e)
	if err != nil {
		r.t.Fatal(err)
	}
	return info.ID
}

// info is what the sender knows of an endpoint.
func (r *rig) info(id string) sender.EndpointInfo {
	r.t.Helper()
	info, err := r.Endpoint(r.t.Context(), sender.AnyTenant, id)
	if err != nil {
		r.t.Fatal(err)
	}
	return info
}

// wantState waits until an endpoint is in a state.
func (r *rig) wantState(id string, want sender.State) {
	r.t.Helper()
	until(r.t, "endpoint "+id+" is "+want.String(), func() bool { return r.info(id).State == want })
}

// verified tells whether a request carries a signature by a secret.
func verified(t *testing.T, got received, secret string, now time.Time) bool {
	t.Helper()
	key, err := webhook.ParseVerifier(secret)
	if err != nil {
		t.Fatal(err)
	}
	_, err = webhook.Verify([]webhook.Verifier{key}, got.header, got.body, now, time.Hour)
	return err == nil
}

// TestEndpointLife is the way of an endpoint from its making to its end.
func TestEndpointLife(t *testing.T) {
	p, moved := newPeer(t, nil), newPeer(t, nil)
	r := newRig(t, toPeers())
	info, secret, err := r.CreateEndpoint(t.Context(), sender.NewEndpoint{Endpoint: sender.Endpoint{URL: p.URL, Description: "the CRM"}})
	if err != nil {
		t.Fatal(err)
	}
	id := info.ID
	if info.State != sender.StateInactive || info.ReadOnly || !info.Signed || info.Secrets != nil || info.CreatedAt.IsZero() || !strings.HasPrefix(secret, "whsec_") {
		t.Errorf("made: %+v, secret of %d characters", info, len(secret))
	}
	r.publish("before") // not for an inactive endpoint
	if _, err := r.Activate(t.Context(), "", id); err != nil {
		t.Fatal(err)
	}
	r.wantState(id, sender.StateActive)
	r.publish("active")
	r.delivered(id, "active")
	if got := p.all(); len(got) != 1 || got[0].id != "active" || !verified(t, got[0], secret, r.clock.Now()) {
		t.Errorf("the peer got %q, or the signature is not by the secret that was returned", p.ids())
	}
	r.clock.advance(time.Minute)
	info, err = r.UpdateEndpoint(t.Context(), "", id, func(e *sender.Endpoint) error {
		e.URL, e.ID, e.Tenant, e.Secrets = moved.URL, "other", "other", nil
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if info.URL != moved.URL || info.ID != id || info.Tenant != "" || !info.Signed || !info.UpdatedAt.Equal(r.clock.Now()) || info.Description != "the CRM" {
		t.Errorf("updated: %+v", info)
	}
	r.publish("moved")
	moved.waitFor(t, 1)
	r.delivered(id, "moved")
	if info, err = r.Deactivate(t.Context(), "", id); err != nil || info.State != sender.StateInactive {
		t.Errorf("deactivated: %s, %v", info.State, err)
	}
	r.publish("after")
	r.idle(id)
	if err := r.DeleteEndpoint(t.Context(), "", id); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Endpoint(t.Context(), "", id); !errors.Is(err, sender.ErrNotFound) {
		t.Errorf("after its deletion: %v, want ErrNotFound", err)
	}
	p.waitFor(t, 1)
	moved.waitFor(t, 1)
}

// TestEndpointsSurvive: what was made at run time is there after a restart,
// with all that belongs to it.
func TestEndpointsSurvive(t *testing.T) {
	p := newPeer(t, nil)
	r := newRig(t, toPeers(newPeer(t, nil)))
	active := r.create(p, func(e *sender.NewEndpoint) {
		e.Events, e.Headers, e.Filter = []string{"message.*"}, map[string]string{"X-Key": "1"}, `data.name == "kept"`
		e.Rate, e.Retry = &webhook.Rate{Events: 1000}, []webhook.Duration{webhook.Duration(time.Hour)}
		e.Secrets = []string{secretText}
	})
	inactive := r.create(p, func(e *sender.NewEndpoint) { e.Active, e.Signing = false, sender.SigningNone })
	want, err := r.Endpoints(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	r.restart()
	got, err := r.Endpoints(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("before (-) and after (+) the restart:\n%s", diff)
	}
	if ids := []string{got[0].ID, got[1].ID, got[2].ID}; ids[0] != "a" || !slices.Contains(ids, active) || !slices.Contains(ids, inactive) {
		t.Errorf("the endpoints are %q", ids)
	}
	secrets, err := r.Secrets(t.Context(), "", active)
	if err != nil || len(secrets) != 1 || secrets[0].Secret != secretText {
		t.Errorf("the secret is another one: %v", err)
	}
	r.publish("kept", "other")
	r.delivered(active, "kept")
	r.idle(active)
	if got := p.all(); len(got) != 1 || got[0].id != "kept" || got[0].header.Get("X-Key") != "1" || !verified(t, got[0], secretText, r.clock.Now()) {
		t.Errorf("the peer got %q", p.ids())
	}
}

// TestEndpointRefused: what cannot be is refused with the field's name and a
// remedy, and changes nothing.
func TestEndpointRefused(t *testing.T) {
	r := newRig(t, sender.Config{Egress: sender.Egress{Allow: []string{"127.0.0.1"}}})
	const good = "https://example.com/hooks"
	info, _, err := r.CreateEndpoint(t.Context(), sender.NewEndpoint{Endpoint: sender.Endpoint{URL: good}})
	if err != nil {
		t.Fatal(err)
	}
	many := make([]string, 101)
	for i := range many {
		many[i] = "message.created"
	}
	tests := []struct {
		name, field, want string
		change            func(*sender.Endpoint)
	}{
		{"no URL", "url", "it does not begin with https://", func(e *sender.Endpoint) { e.URL = "" }},
		{"http", "url", "http:// is not encrypted", func(e *sender.Endpoint) { e.URL = "http://example.com" }},
		{"private", "url", "10.0.0.1 is private", func(e *sender.Endpoint) { e.URL = "https://10.0.0.1/" }},
		{"metadata", "url", "169.254.169.254, which is link-local and metadata", func(e *sender.Endpoint) { e.URL = "https://[::ffff:169.254.169.254]/" }},
		{"long URL", "url", "use at most 2048", func(e *sender.Endpoint) { e.URL = good + strings.Repeat("x", 2048) }},
		{"description", "description", "use at most 1024", func(e *sender.Endpoint) { e.Description = strings.Repeat("x", 1025) }},
		{"pattern", "events", "malformed", func(e *sender.Endpoint) { e.Events = []string{"Message"} }},
		{"patterns", "events", "name at most 100", func(e *sender.Endpoint) { e.Events = many }},
		{"filter", "filter", "", func(e *sender.Endpoint) { e.Filter = "data.x ==" }},
		{"format", "format", "is unknown", func(e *sender.Endpoint) { e.Format = "xml" }},
		{"rate", "rate", "", func(e *sender.Endpoint) { e.Rate = &webhook.Rate{Events: -1} }},
		{"concurrency", "concurrency", "use at most 128", func(e *sender.Endpoint) { e.Concurrency = 129 }},
		{"ordering", "ordering", "write strict", func(e *sender.Endpoint) { e.Ordering = "loose" }},
		{"header", "headers", "set by the delivery itself", func(e *sender.Endpoint) { e.Headers = map[string]string{"Webhook-Id": "1"} }},
		{"headers", "headers", "use at most 32", func(e *sender.Endpoint) { e.Headers = map[string]string{"X": strings.Repeat("x", 8192)} }},
		{"retry", "retry", "longer than zero", func(e *sender.Endpoint) { e.Retry = []webhook.Duration{0} }},
		{"waits", "retry", "use at most 30", func(e *sender.Endpoint) { e.Retry = make([]webhook.Duration, 31) }},
		{"wait", "retry", "longer than 720h", func(e *sender.Endpoint) { e.Retry = []webhook.Duration{webhook.Duration(31 * 24 * time.Hour)} }},
		{"timeout", "timeout", "use at most 5m", func(e *sender.Endpoint) { e.Timeout = webhook.Duration(time.Hour) }},
	}
	check := func(t *testing.T, err error, field, want string) {
		t.Helper()
		var wrong *sender.FieldError
		if !errors.Is(err, sender.ErrEndpoint) || !errors.As(err, &wrong) || wrong.Field != field || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want ErrEndpoint, field %s, %q", err, field, want)
		}
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := r.UpdateEndpoint(t.Context(), "", info.ID, func(e *sender.Endpoint) error { test.change(e); return nil })
			check(t, err, test.field, test.want)
			e := sender.NewEndpoint{Endpoint: sender.Endpoint{URL: good}}
			test.change(&e.Endpoint)
			_, _, err = r.CreateEndpoint(t.Context(), e)
			check(t, err, test.field, test.want)
		})
	}
	for _, test := range []struct {
		name, field, want string
		e                 sender.NewEndpoint
	}{
		{"ID", "id", "leave it out", sender.NewEndpoint{Endpoint: sender.Endpoint{URL: good, ID: "mine"}}},
		{"any tenant", "tenant", "name one", sender.NewEndpoint{Endpoint: sender.Endpoint{URL: good, Tenant: "*"}}},
		{"long tenant", "tenant", "use at most 256", sender.NewEndpoint{Endpoint: sender.Endpoint{URL: good, Tenant: strings.Repeat("x", 257)}}},
		{"secrets", "secrets", "give one", sender.NewEndpoint{Endpoint: sender.Endpoint{URL: good, Secrets: []string{secretText, otherSecretText}}}},
		{"short secret", "secrets", "too short", sender.NewEndpoint{Endpoint: sender.Endpoint{URL: good, Secrets: []string{"whsec_YWJj"}}}},
		{"signing", "signing", "use hmac, ed25519 or none", sender.NewEndpoint{Endpoint: sender.Endpoint{URL: good}, Signing: "rsa"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, _, err := r.CreateEndpoint(t.Context(), test.e)
			check(t, err, test.field, test.want)
		})
	}
	all, err := r.Endpoints(t.Context(), sender.AnyTenant)
	if err != nil || len(all) != 1 || all[0].URL != good || !all[0].UpdatedAt.Equal(info.UpdatedAt) {
		t.Errorf("what was refused has left something: %+v, %v", all, err)
	}
}

// TestConfiguredEndpointsAreReadOnly: those of the configuration are listed and
// can be tested, and nothing else.
func TestConfiguredEndpointsAreReadOnly(t *testing.T) {
	r := newRig(t, toPeers(newPeer(t, nil)))
	if info := r.info("a"); !info.ReadOnly || info.State != sender.StateActive || !info.Signed || info.Secrets != nil {
		t.Errorf("%+v", info)
	}
	ctx := t.Context()
	calls := map[string]func() error{
		"update": func() error {
			_, err := r.UpdateEndpoint(ctx, "", "a", func(*sender.Endpoint) error { return nil })
			return err
		},
		"delete":     func() error { return r.DeleteEndpoint(ctx, "", "a") },
		"deactivate": func() error { _, err := r.Deactivate(ctx, "", "a"); return err },
		"rotate":     func() error { _, _, err := r.RotateSecret(ctx, "", "a", sender.Rotation{}); return err },
	}
	for name, call := range calls {
		if err := call(); !errors.Is(err, sender.ErrReadOnly) {
			t.Errorf("%s: %v, want ErrReadOnly", name, err)
		}
	}
	if secrets, err := r.Secrets(ctx, "", "a"); err != nil || len(secrets) != 1 || secrets[0].Secret != secretText {
		t.Errorf("the secret: %v", err)
	}
}

// TestTenantsAreApart: nobody finds, changes or gets anything of another
// tenant.
func TestTenantsAreApart(t *testing.T) {
	mine, yours := newPeer(t, nil), newPeer(t, nil)
	r := newRig(t, toPeers())
	id := r.create(yours, func(e *sender.NewEndpoint) { e.Tenant = "you" })
	own := r.create(mine, func(e *sender.NewEndpoint) { e.Tenant = "me" })
	for _, tenant := range []string{"me", "you", ""} {
		e := event("e")
		e.Tenant = tenant
		if _, err := r.Publish(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	mine.waitFor(t, 1)
	yours.waitFor(t, 1)
	ctx := t.Context()
	page, err := r.Deliveries(ctx, "you", sender.DeliveryQuery{Limit: 10})
	if err != nil || len(page.Deliveries) != 1 || page.Deliveries[0].EndpointID != id {
		t.Fatalf("the deliveries of you: %+v, %v", page, err)
	}
	delivery := page.Deliveries[0].ID()
	replay, err := r.StartReplay(ctx, "you", sender.ReplayRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for _, tenant := range []string{"me", "", "You"} {
		calls := map[string]func() error{
			"endpoint": func() error { _, err := r.Endpoint(ctx, tenant, id); return err },
			"update": func() error {
				_, err := r.UpdateEndpoint(ctx, tenant, id, func(*sender.Endpoint) error { return nil })
				return err
			},
			"delete":          func() error { return r.DeleteEndpoint(ctx, tenant, id) },
			"activate":        func() error { _, err := r.Activate(ctx, tenant, id); return err },
			"deactivate":      func() error { _, err := r.Deactivate(ctx, tenant, id); return err },
			"rotate":          func() error { _, _, err := r.RotateSecret(ctx, tenant, id, sender.Rotation{}); return err },
			"secrets":         func() error { _, err := r.Secrets(ctx, tenant, id); return err },
			"test":            func() error { _, err := r.TestEndpoint(ctx, tenant, id, ""); return err },
			"delivery":        func() error { _, err := r.Delivery(ctx, tenant, delivery); return err },
			"retry":           func() error { return r.RetryDelivery(ctx, tenant, delivery) },
			"cancel":          func() error { return r.CancelDelivery(ctx, tenant, delivery) },
			"replay":          func() error { _, err := r.Sender.Replay(ctx, tenant, replay.ID); return err },
			"cancel a replay": func() error { _, err := r.CancelReplay(ctx, tenant, replay.ID); return err },
		}
		for name, call := range calls {
			if err := call(); !errors.Is(err, sender.ErrNotFound) {
				t.Errorf("tenant %q: %s: %v, want ErrNotFound", tenant, name, err)
			}
		}
		if _, err := r.StartReplay(ctx, tenant, sender.ReplayRequest{EndpointIDs: []string{id}}); !errors.Is(err, sender.ErrReplay) {
			t.Errorf("tenant %q replays for another's endpoint: %v", tenant, err)
		}
		stats, err := r.Stats(ctx, tenant, sender.StatsQuery{EndpointIDs: []string{id}})
		if err != nil || stats.Total.Attempts != 0 {
			t.Errorf("tenant %q sees the counts of another: %+v, %v", tenant, stats, err)
		}
	}
	infos, err := r.Endpoints(ctx, "me")
	if err != nil || len(infos) != 1 || infos[0].ID != own {
		t.Errorf("the endpoints of me: %+v, %v", infos, err)
	}
	page, err = r.Deliveries(ctx, "me", sender.DeliveryQuery{Limit: 10, EndpointIDs: []string{id, own}})
	if err != nil || len(page.Deliveries) != 1 || page.Deliveries[0].EndpointID != own {
		t.Errorf("the deliveries of me: %+v, %v", page, err)
	}
	if all, err := r.Endpoints(ctx, sender.AnyTenant); err != nil || len(all) != 2 {
		t.Errorf("all endpoints: %+v, %v", all, err)
	}
}

// TestPurgeTenant: everything of a tenant goes, and nothing of another.
func TestPurgeTenant(t *testing.T) {
	ok, failing := newPeer(t, nil), newPeer(t, status(500))
	r := newRig(t, toPeers())
	var ids []string
	for _, p := range []*peer{ok, failing} {
		ids = append(ids, r.create(p, func(e *sender.NewEndpoint) { e.Tenant = "you" }))
	}
	r.create(ok, func(e *sender.NewEndpoint) { e.Tenant = "me" })
	for _, tenant := range []string{"me", "you"} {
		e := event("e")
		e.Tenant = tenant
		if _, err := r.Publish(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	ok.waitFor(t, 2)
	failing.waitFor(t, 1)
	r.idle(ids...)
	if n, err := r.PurgeTenant(t.Context(), "you"); n != 1 || err != nil {
		t.Errorf("PurgeTenant = %d, %v, want 1", n, err)
	}
	if _, err := r.Sender.Event(t.Context(), "you", "e"); !errors.Is(err, sender.ErrNotFound) {
		t.Errorf("the event is still there: %v", err)
	}
	if _, err := r.Sender.Event(t.Context(), "me", "e"); err != nil {
		t.Errorf("the event of another tenant: %v", err)
	}
	if all, err := r.Endpoints(t.Context(), "you"); err != nil || len(all) != 0 {
		t.Errorf("endpoints are left: %+v, %v", all, err)
	}
	if _, err := r.PurgeTenant(t.Context(), sender.AnyTenant); err == nil {
		t.Error("all tenants were purged at once")
	}
}

// TestDeleteCancels: the deliveries of an endpoint that is deleted are
// cancelled wherever they are: waiting in memory or in the store, blocked, or
// under way.
func TestDeleteCancels(t *testing.T) {
	sender.SetLaneLength(t, 2, 2)
	h := newHanging(t)
	p := newPeer(t, func(w http.ResponseWriter, req *http.Request, n int) {
		h.answer(w, req, n)
		w.WriteHeader(500)
	})
	r := newRig(t, toPeers())
	id := r.create(p, func(e *sender.NewEndpoint) { e.Concurrency = 1 })
	ids := numbered(10)
	r.publish(ids...)
	<-h.entered
	deleted := make(chan error)
	go func() { deleted <- r.DeleteEndpoint(context.Background(), "", id) }()
	if err := <-deleted; err != nil {
		t.Fatal(err)
	}
	h.letGo()
	for _, e := range ids {
		until(t, e+" is cancelled", func() bool { return r.record(e, id).Status == sender.Cancelled })
	}
	p.waitFor(t, 1)
	r.idle(id)
	r.restart()
	r.publish("after")
	p.waitFor(t, 1)
}

// TestDeleteIsFinished: a deletion that the store's failure has cut short is
// made up for at the next start.
func TestDeleteIsFinished(t *testing.T) {
	p := newPeer(t, status(500))
	r, faulty := newFaultyRig(t, toPeers())
	id := r.create(p)
	r.publish("e")
	r.settled("e", id, 1)
	faulty.fail(faultCancelAll)
	if err := r.DeleteEndpoint(t.Context(), "", id); !errors.Is(err, errFaulty) {
		t.Errorf("DeleteEndpoint = %v, want the store's error", err)
	}
	if _, err := r.Endpoint(t.Context(), "", id); !errors.Is(err, sender.ErrNotFound) {
		t.Errorf("the endpoint is still there: %v", err)
	}
	faulty.fail(0)
	r.restart()
	if d := r.record("e", id); d.Status != sender.Cancelled {
		t.Errorf("the delivery is %s, want cancelled", d.Status)
	}
	if _, err := r.Endpoint(t.Context(), "", id); !errors.Is(err, sender.ErrNotFound) {
		t.Errorf("the endpoint is back: %v", err)
	}
}

// TestStoreCannotKeepEndpoint: an endpoint that could not be stored is not
// there, and a change that could not be is not in force.
func TestStoreCannotKeepEndpoint(t *testing.T) {
	p, moved := newPeer(t, nil), newPeer(t, nil)
	r, faulty := newFaultyRig(t, toPeers())
	id := r.create(p)
	faulty.fail(faultDocuments)
	if _, _, err := r.CreateEndpoint(t.Context(), sender.NewEndpoint{Endpoint: sender.Endpoint{URL: moved.URL}, Active: true}); !errors.Is(err, errFaulty) {
		t.Errorf("CreateEndpoint = %v, want the store's error", err)
	}
	if _, err := r.UpdateEndpoint(t.Context(), "", id, func(e *sender.Endpoint) error { e.URL = moved.URL; return nil }); !errors.Is(err, errFaulty) {
		t.Errorf("UpdateEndpoint = %v, want the store's error", err)
	}
	if err := r.DeleteEndpoint(t.Context(), "", id); !errors.Is(err, errFaulty) {
		t.Errorf("DeleteEndpoint = %v, want the store's error", err)
	}
	faulty.fail(0)
	r.publish("e")
	r.delivered(id, "e")
	if all, err := r.Endpoints(t.Context(), ""); err != nil || len(all) != 1 || all[0].URL != p.URL+"/hooks" {
		t.Errorf("the endpoints are %+v, %v", all, err)
	}
	moved.waitFor(t, 0)
}

// TestRulesBecomeNarrower: an endpoint made at run time stays when the rules do
// not allow its URL any more: its deliveries are blocked, and go on when they
// do again. It cannot be activated meanwhile, but deactivated and changed.
func TestRulesBecomeNarrower(t *testing.T) {
	p := newPeer(t, nil)
	r := newRig(t, toPeers())
	id := r.create(p)
	allowed := r.config.Egress
	for _, narrower := range []sender.Egress{{}, {AllowHTTP: true}, {Allow: []string{"127.0.0.1"}}} {
		r.config.Egress = narrower
		r.apply()
		r.restart()
		name := "e" + strings.Join(narrower.Allow, "") + map[bool]string{true: "h"}[narrower.AllowHTTP]
		name = strings.ReplaceAll(name, ".", "-")
		r.publish(name)
		d := r.settled(name, id, 1)
		if d.Status != sender.Blocked || !strings.Contains(d.History[0].Error, "blocked by the egress rules") {
			t.Errorf("%+v: %s, %q", narrower, d.Status, d.History[0].Error)
		}
		if _, err := r.Deactivate(t.Context(), "", id); err != nil {
			t.Errorf("%+v: Deactivate: %v", narrower, err)
		}
		if _, err := r.Activate(t.Context(), "", id); !errors.Is(err, sender.ErrEndpoint) {
			t.Errorf("%+v: Activate: %v, want ErrEndpoint", narrower, err)
		}
		r.config.Egress = allowed
		r.apply()
		if _, err := r.Activate(t.Context(), "", id); err != nil {
			t.Fatal(err)
		}
		r.delivered(id, name)
	}
	p.waitFor(t, 3)
}
