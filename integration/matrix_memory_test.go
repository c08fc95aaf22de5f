package integration

import (
	"context"
	"net/http"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/manysends/caddy-webhooks/webhook"
)

// memory is what a Caddy must not forget over a reload: an event of the past,
// limits that are used up, and what its metrics have counted.
type memory struct {
	scene  *scene
	secret *webhook.Secret
	serial int
	copies float64 // of the event of the past that have been sent
}

// pastEvent has been processed before the first reload.
const pastEvent = "evt_past"

// newMemory has an event processed and uses the limits up.
func newMemory(s *scene) *memory {
	s.t.Helper()
	secret, err := webhook.ParseSecret(testSecret)
	if err != nil {
		s.t.Fatal(err)
	}
	m := &memory{scene: s, secret: secret}
	for _, url := range []string{s.site + "/hooks", s.other + "/alone"} {
		if status, duplicate := m.send(url, pastEvent); status != http.StatusOK || duplicate {
			s.t.Fatalf("the first event at %s was answered %d, duplicate %t", url, status, duplicate)
		}
	}
	for range 3 {
		for _, path := range []string{"/limited", "/throttled"} {
			if status := m.limited(path); status != http.StatusOK {
				s.t.Fatalf("within its limit %s answered %d", path, status)
			}
		}
	}
	return m
}

// send sends a signed event and tells the answer.
func (m *memory) send(url, id string) (status int, duplicate bool) {
	m.scene.t.Helper()
	ctx, cancel := context.WithTimeout(m.scene.t.Context(), 30*time.Second)
	defer cancel()
	req, err := signedRequest(m.secret, "http://"+url, id)(ctx)
	if err != nil {
		m.scene.t.Fatal(err)
	}
	resp, _ := exchange(m.scene.t, req)
	return resp.StatusCode, resp.Header.Get("Webhook-Duplicate") == "true"
}

// limited sends a new event to a receiver with a limit.
func (m *memory) limited(path string) (status int) {
	m.scene.t.Helper()
	m.serial++
	header, body := githubEvent(m.serial)
	return send(m.scene.t, "http://"+m.scene.site+path, header, body).status
}

// check finds everything remembered, when there is no traffic.
func (m *memory) check(when string, tr *traffic) {
	t := m.scene.t
	t.Helper()
	for _, url := range []string{m.scene.site + "/hooks", m.scene.other + "/hooks", m.scene.other + "/alone"} {
		if status, duplicate := m.send(url, pastEvent); status != http.StatusOK || !duplicate {
			t.Errorf("%s: the first event at %s was answered %d, duplicate %t", when, url, status, duplicate)
		}
	}
	m.copies += 2
	for _, path := range []string{"/limited", "/throttled"} {
		if status := m.limited(path); status != http.StatusTooManyRequests {
			t.Errorf("%s: over its limit %s answered %d", when, path, status)
		}
	}
	published, received := float64(len(tr.accepted)), float64(len(tr.received)+1)
	// Of these there are more when a connection was closed without an answer.
	const duplicates = `caddy_webhooks_received_total{provider="standard",receiver="hooks",verdict="duplicate"}`
	want := map[string]float64{
		duplicates:                             received - 1 + m.copies,
		"caddy_webhooks_events_accepted_total": published,
		`caddy_webhooks_deliveries_total{endpoint="crm",outcome="succeeded"}`:                     published,
		`caddy_webhooks_attempts_total{class="2xx",endpoint="crm"}`:                               published,
		`caddy_webhooks_publish_to_delivered_seconds_count{endpoint="crm"}`:                       published,
		`caddy_webhooks_received_total{provider="standard",receiver="hooks",verdict="accepted"}`:  received,
		`caddy_webhooks_received_total{provider="standard",receiver="alone",verdict="accepted"}`:  1,
		`caddy_webhooks_received_total{provider="standard",receiver="alone",verdict="duplicate"}`: m.copies / 2,
		`caddy_webhooks_received_total{provider="github",receiver="limited",verdict="limited"}`:   m.copies / 2,
		`caddy_webhooks_received_total{provider="github",receiver="throttled",verdict="limited"}`: m.copies / 2,
		`caddy_webhooks_claims_in_flight{receiver="hooks"}`:                                       0,
		`caddy_webhooks_persist_errors_total{receiver="hooks"}`:                                   0,
		`caddy_webhooks_endpoint_state{endpoint="crm",state="active"}`:                            1,
	}
	var got map[string]float64
	// An outcome is counted a moment after the request has been answered. More
	// than there was is never right.
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		all := m.scene.metrics()
		got = make(map[string]float64)
		less := false
		for name, n := range want {
			if value, there := all[name]; there {
				got[name] = value
			}
			less = less || got[name] < n
		}
		got[duplicates] = min(all[duplicates], want[duplicates])
		if !less && len(got) == len(want) {
			break
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: wanted (-) and present metrics (+) differ:\n%s", when, diff)
	}
}
