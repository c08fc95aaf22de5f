package settings_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/sender/settings"
)

// path fills in an ID that nothing has.
func (o *operation) somePath() string { return strings.ReplaceAll(o.path, "{id}", "nobody") }

// private are the operations on somebody's settings: all but the description
// of the API.
func private() (list []*operation) {
	for _, o := range openAPI().operations {
		if o.id != "getOpenAPI" {
			list = append(list, o)
		}
	}
	return list
}

func TestWithoutATenantEverythingIsForbidden(t *testing.T) {
	h := &settings.Handler{Sender: func(context.Context) (*sender.Sender, error) { return nil, errors.New("it was asked for") }}
	for name, tenant := range map[string]func(*http.Request) (string, bool){
		"nobody": func(*http.Request) (string, bool) { return "acme", false },
		// Whoever is called "*" must not have everybody's endpoints.
		"everybody": func(*http.Request) (string, bool) { return sender.AnyTenant, true },
	} {
		h.Tenant = tenant
		for _, o := range private() {
			t.Run(name+" "+o.id, func(t *testing.T) {
				ask(t, h, o.method, o.somePath(), "").problem(http.StatusForbidden, "")
			})
		}
	}
}

func TestWithoutASenderEverythingIsUnavailable(t *testing.T) {
	log := new(lockedBuffer)
	h := &settings.Handler{
		Sender: func(context.Context) (*sender.Sender, error) { return nil, errors.New("the engine is at rest") },
		Logger: newLogger(log),
	}
	for _, o := range private() {
		t.Run(o.id, func(t *testing.T) {
			a := ask(t, h, o.method, o.somePath(), "").problem(http.StatusServiceUnavailable, "")
			if a.header.Get("Retry-After") == "" {
				t.Error("it does not say when to try again")
			}
			if strings.Contains(a.body, "at rest") {
				t.Errorf("the cause is answered: %s", a.body)
			}
		})
	}
	if !strings.Contains(log.String(), "the engine is at rest") {
		t.Errorf("the cause is not in the log: %s", log)
	}
	ask(t, h, "GET", "/api/openapi.json", "").want(http.StatusOK)
}

func TestReadOnlyChangesAndRevealsNothing(t *testing.T) {
	r := newRig(t)
	id := r.create("/hooks", `,"events":["conversation.*"]`)
	r.publish("evt_1", "agent.created", `{}`)
	delivery := r.delivery("evt_1", 1)
	before := r.do("GET", "/api/endpoints", "").body
	r.ReadOnly = true
	for _, o := range private() {
		id := map[string]string{"EndpointID": id, "DeliveryID": delivery, "EventID": "evt_1", "ReplayID": "nobody"}[o.pathParameter()]
		path := strings.ReplaceAll(o.path, "{id}", id)
		switch {
		case o.method != "GET":
			body := ""
			if o.doc["requestBody"] != nil {
				body = "{}"
			}
			r.do(o.method, path, body).problem(http.StatusForbidden, "")
		case o.id == "revealSecrets":
			r.do(o.method, path, "").problem(http.StatusForbidden, "")
		case o.id == "getReplay":
			r.do(o.method, path, "").problem(http.StatusNotFound, "")
		default:
			r.do(o.method, path, "").want(http.StatusOK)
		}
	}
	if after := r.do("GET", "/api/endpoints", "").body; after != before {
		t.Errorf("the endpoints were\n%sand are\n%s", before, after)
	}
}

func TestPagesOfOtherOriginsChangeNothing(t *testing.T) {
	r := newRig(t)
	id := r.create("/hooks", "")
	for name, headers := range map[string][]string{
		"told by the browser": {"Sec-Fetch-Site", "cross-site"},
		"told by the origin":  {"Origin", "https://elsewhere.example"},
	} {
		r.do("POST", "/api/endpoints/"+id+"/activate", "", headers...).problem(http.StatusForbidden, "")
		r.do("DELETE", "/api/endpoints/"+id, "", headers...).problem(http.StatusForbidden, "")
		if got := r.do("GET", "/api/endpoints/"+id, "", headers...).want(http.StatusOK).at("state"); got != "inactive" {
			t.Errorf("%s: the endpoint is %s", name, got)
		}
	}
	r.do("POST", "/api/endpoints/"+id+"/activate", "", "Sec-Fetch-Site", "same-origin").want(http.StatusOK)
}

func TestUnknownPathsAndMethods(t *testing.T) {
	h := &settings.Handler{Sender: func(context.Context) (*sender.Sender, error) { return nil, errors.New("it was asked for") }}
	for _, path := range []string{
		"/nothing", "/api", "/api/", "/api/nothing", "/api/endpoints/", "//api/endpoints", "/api//endpoints", "/api/./endpoints",
		"/api/endpoints/..", "/api/endpoints/%2e%2e", "/api/endpoints/a/b", "/api/endpoints/a/nothing",
	} {
		ask(t, h, "GET", path, "").problem(http.StatusNotFound, "")
	}
	for _, tt := range []struct{ method, path, allow string }{
		{"PUT", "/api/endpoints", "GET, HEAD, POST"},
		{"DELETE", "/api/endpoints", "GET, HEAD, POST"},
		{"OPTIONS", "/api/endpoints", "GET, HEAD, POST"},
		{"PUT", "/api/endpoints/a", "GET, HEAD, PATCH, DELETE"},
		{"GET", "/api/endpoints/a/test", "POST"},
		{"POST", "/api/endpoints/a/secret", "GET, HEAD"},
		{"POST", "/api/deliveries/stream", "GET, HEAD"},
		{"POST", "/api/stats", "GET, HEAD"},
		{"POST", "/api/openapi.json", "GET, HEAD"},
	} {
		a := ask(t, h, tt.method, tt.path, "").problem(http.StatusMethodNotAllowed, "")
		if got := a.header.Get("Allow"); got != tt.allow {
			t.Errorf("%s %s: Allow is %q, want %q", tt.method, tt.path, got, tt.allow)
		}
	}
}

func TestMountedBelowAPrefix(t *testing.T) {
	for name, mount := range map[string]func(*settings.Handler) http.Handler{
		"stripped before": func(h *settings.Handler) http.Handler { return http.StripPrefix("/settings/webhooks", h) },
		"stripped by it": func(h *settings.Handler) http.Handler {
			h.Prefix = "/settings/webhooks"
			return h
		},
		"with a slash at its end": func(h *settings.Handler) http.Handler {
			h.Prefix = "/settings/webhooks/"
			return h
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			h := mount(r.Handler)
			a := ask(t, h, "POST", "/settings/webhooks/api/endpoints", `{"url":"`+r.site.URL+`"}`).want(http.StatusCreated)
			// The address of what was made holds below the prefix, too.
			if got, want := a.header.Get("Location"), "endpoints/"+a.at("id"); got != want {
				t.Errorf("the location is %q, want %q, which is relative to /settings/webhooks/api/endpoints", got, want)
			}
			ask(t, h, "GET", "/settings/webhooks/api/endpoints/"+a.at("id"), "").want(http.StatusOK)
			ask(t, h, "GET", "/settings/webhooks/api//endpoints", "").want(http.StatusNotFound)
			if h == http.Handler(r.Handler) {
				for _, path := range []string{"/api/endpoints", "/settings/webhooksapi/endpoints", "/settings%2fwebhooks/api/endpoints"} {
					send(t, h, "GET", path, "").want(http.StatusNotFound)
				}
			}
		})
	}
}

func TestHead(t *testing.T) {
	r := newRig(t)
	r.do("HEAD", "/api/endpoints", "").want(http.StatusOK)
}

// TestTroubleWithTheStore guards that the store's own words, which may name
// files and hosts, go to the log and nowhere else.
func TestTroubleWithTheStore(t *testing.T) {
	r := newRig(t)
	id := r.create("/hooks", "")
	r.store.fail(errors.New("disk of db.internal is on fire"))
	for _, request := range []struct{ method, path, body string }{
		{"POST", "/api/endpoints", `{"url":"` + r.site.URL + `"}`},
		{"PATCH", "/api/endpoints/" + id, `{"description":"changed"}`},
		{"POST", "/api/endpoints/" + id + "/activate", ""},
		{"GET", "/api/deliveries", ""},
		{"POST", "/api/replays", "{}"},
	} {
		a := r.do(request.method, request.path, request.body).problem(http.StatusServiceUnavailable, "")
		if strings.Contains(a.body, "fire") || a.header.Get("Retry-After") == "" {
			t.Errorf("%s %s: the answer is %v %s", request.method, request.path, a.header, a.body)
		}
	}
	if n := strings.Count(r.log.String(), "disk of db.internal is on fire"); n != 5 {
		t.Errorf("the cause is %d times in the log, want 5:\n%s", n, r.log)
	}
	r.store.fail(nil)
	if got := r.do("GET", "/api/endpoints/"+id, "").at("description"); got != "" {
		t.Errorf("what could not be stored is in force: %q", got)
	}
}

// TestSomebodyElseWasFaster guards that a change which was made on the ground
// of something old is told apart from trouble.
func TestSomebodyElseWasFaster(t *testing.T) {
	r := newRig(t)
	id := r.create("/hooks", "")
	r.store.fail(sender.ErrStale)
	r.do("PATCH", "/api/endpoints/"+id, `{"description":"changed"}`).problem(http.StatusConflict, "")
	r.do("POST", "/api/endpoints/"+id+"/activate", "").problem(http.StatusConflict, "")
}
