package integration

import (
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/manysends/caddy-webhooks/internal/postgrestest"
)

// missedRig is a Caddy to which events were published, and an endpoint that was
// made afterwards.
type missedRig struct {
	*caddy
	late     *sink
	settings account
	endpoint string
	want     []string // the events that it has missed, oldest first
}

// newMissedRig starts a Caddy with a Caddyfile, publishes 50 events, of which
// every other one is of a type and has data that the endpoint asks for, and then
// makes the endpoint, tries it and activates it.
func newMissedRig(t *testing.T, c *caddy, caddyfile func(admin, site, options string) string, options string) *missedRig {
	t.Helper()
	early := newSink(t, "")
	site := freeAddress(t)
	c.start(caddyfile(c.admin, site, fmt.Sprintf("endpoint early %s {\n\t\t\tsecret %s\n\t\t}", early.URL, testSecret)))
	r := &missedRig{caddy: c, late: newSink(t, ""), settings: account{t, site + "/settings/webhooks", ""}}
	for n := range 50 {
		eventType, priority := "message.created", "high"
		switch n % 4 {
		case 1:
			eventType = "label.created"
		case 3:
			priority = "low"
		}
		id := publish(t, site, fmt.Sprintf(`{"event":%q,"data":{"n":%d,"priority":%q}}`, eventType, n, priority))
		if n%2 == 0 {
			r.want = append(r.want, id)
		}
	}
	waitFor(t, "the first endpoint to have all", func() bool { return len(early.ids()) == 50 })
	var made endpoint
	r.settings.want(http.StatusCreated, "POST", "/api/endpoints",
		fmt.Sprintf(`{"url":%q,"events":["message.*"],"filter":"data.priority == \"high\""%s}`, r.late.URL, options), &made)
	r.endpoint = made.ID
	r.settings.want(http.StatusOK, "POST", "/api/endpoints/"+made.ID+"/activate", "", nil)
	return r
}

// deliveries are the events that the store knows the late endpoint to have had,
// sorted.
func (r *missedRig) deliveries() (ids []string) {
	r.t.Helper()
	var list struct {
		Deliveries []struct {
			EventID string `json:"event_id"`
		}
	}
	r.mustJSON(&list, "deliveries", "--endpoint", r.endpoint, "--status", "succeeded", "--limit", "100")
	for _, d := range list.Deliveries {
		ids = append(ids, d.EventID)
	}
	slices.Sort(ids)
	return ids
}

// sqliteCaddyfile is a sender on its own store, with the settings of everybody.
func sqliteCaddyfile(admin, site, options string) string {
	return strings.Replace(senderCaddyfile(admin, site, options),
		"\thandle /events {", "\thandle_path /settings/webhooks/* {\n\t\twebhook_settings\n\t}\n\thandle /events {", 1)
}

// TestReplayMissing delivers to a new endpoint what it has missed: what it
// subscribes to of the events before, in order, each once. A second time nothing
// is missing.
func TestReplayMissing(t *testing.T) {
	r := newMissedRig(t, newCaddy(t), sqliteCaddyfile, `,"ordering":"strict"`)
	args := []string{"replay", "--endpoint", r.endpoint, "--missing"}
	if out := r.must(append(args, "--dry-run")...); out != "25\n" {
		t.Errorf("a dry run counted:\n%s", out)
	}
	if got := r.late.ids(); len(got) != 0 {
		t.Errorf("the dry run has delivered %v", got)
	}
	if out := r.must(args...); !strings.Contains(out, " is done: 25 of 25 replayed\n") {
		t.Errorf("the replay ended as:\n%s", out)
	}
	waitFor(t, "25 events to arrive", func() bool { return len(r.late.ids()) == 25 })
	if out := r.must(args...); !strings.Contains(out, " is done: 0 replayed\n") {
		t.Errorf("the second replay ended as:\n%s", out)
	}
	var got []string
	for _, d := range r.late.deliveries() {
		got = append(got, d.Headers.Get("Webhook-Id"))
	}
	if !slices.Equal(got, r.want) {
		t.Errorf("arrived are\n%q, want\n%q", got, r.want)
	}
}

// TestReplayMissingSurvivesKill kills Caddy in the midst of such a replay. It
// goes on when Caddy is back: every event arrives, by one delivery, and what
// arrives once more was under way.
func TestReplayMissingSurvivesKill(t *testing.T) {
	for name, start := range map[string]func(t *testing.T) (*caddy, func(admin, site, options string) string){
		"SQLite": func(t *testing.T) (*caddy, func(admin, site, options string) string) {
			return newCaddy(t), sqliteCaddyfile
		},
		"PostgreSQL": func(t *testing.T) (*caddy, func(admin, site, options string) string) {
			return newPostgresCaddy(t, postgrestest.Start(t).Database(t)), postgresCaddyfile
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, caddyfile := start(t)
			r := newMissedRig(t, c, caddyfile, "")
			id := strings.TrimSpace(r.must("replay", "--tenant", "", "--endpoint", r.endpoint, "--missing", "--rate", "20/s", "--detach"))
			waitFor(t, "some events to arrive", func() bool { return len(r.late.ids()) >= 5 })
			r.kill()
			if n := len(r.late.ids()); n == len(r.want) {
				t.Fatalf("all %d had arrived before the kill", n)
			}
			r.start(readFile(t, filepath.Join(r.home, "Caddyfile")))
			waitFor(t, "the replay to be done", func() bool {
				var replay struct{ State string }
				r.settings.want(http.StatusOK, "GET", "/api/replays/"+id, "", &replay)
				return replay.State == "done"
			})
			want := slices.Sorted(slices.Values(r.want))
			waitFor(t, "the deliveries", func() bool { return len(r.deliveries()) == len(want) })
			if got := r.deliveries(); !slices.Equal(got, want) {
				t.Errorf("delivered are\n%q, want\n%q", got, want)
			}
			for id, n := range r.late.ids() {
				if !slices.Contains(r.want, id) {
					t.Errorf("%s has arrived, which the endpoint does not ask for", id)
				}
				if n > 2 { // before the kill, without an outcome in the store, and after it
					t.Errorf("%s has arrived %d times after one kill", id, n)
				}
			}
			if out := r.must("replay", "--endpoint", r.endpoint, "--missing", "--dry-run"); out != "0\n" {
				t.Errorf("afterwards are missing:\n%s", out)
			}
		})
	}
}
