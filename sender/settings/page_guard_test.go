package settings_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/sender/settings"
)

// filled puts IDs into the path of a route.
func filled(path string, ids map[string]string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return strings.ReplaceAll(strings.ReplaceAll(path, "{$}", ""), "{id}", ids[first])
}

// walked are the pages with IDs of things that there are, and the paths that
// forms are posted to.
func (r *rig) walked() (pages, forms []string) {
	r.t.Helper()
	id := r.create("/walked", `,"active":true,"description":"Walked"`)
	r.publish("evt_walked", "conversation.created", `{"id":"conv_123"}`)
	delivery := r.delivery("evt_walked", 1)
	replay := r.do("POST", "/api/replays", `{"statuses":["failed"]}`).want(http.StatusCreated).at("id")
	ids := map[string]string{"endpoints": id, "deliveries": delivery, "events": "evt_walked", "replays": replay}
	for _, route := range settings.PageRoutes() {
		method, path, _ := strings.Cut(route, " ")
		switch {
		case strings.Contains(path, "/assets/"):
		case method == "GET":
			pages = append(pages, filled(path, ids))
		default:
			forms = append(forms, filled(path, ids))
		}
	}
	if len(pages) < 15 || len(forms) < 12 {
		r.t.Fatalf("there are %d pages and %d forms, want more", len(pages), len(forms))
	}
	return pages, forms
}

// TestPagesAreStrict loads every page, and has browse check what holds for all.
func TestPagesAreStrict(t *testing.T) {
	r := newRig(t)
	pages, _ := r.walked()
	for _, path := range pages {
		t.Run(path, func(t *testing.T) {
			r.browse(path).want(http.StatusOK)
			if a := send(t, r.Handler, "HEAD", path, ""); a.status != http.StatusOK {
				t.Errorf("HEAD is answered %d", a.status)
			}
		})
	}
}

// TestFormsComeFromOwnPagesAlone guards against forms of other sites, also in
// browsers that tell nothing of where a form is from.
func TestFormsComeFromOwnPagesAlone(t *testing.T) {
	r := newRig(t)
	_, forms := r.walked()
	before := r.do("GET", "/api/endpoints", "").body
	for name, headers := range map[string][]string{
		"told by the browser":       {"Sec-Fetch-Site", "cross-site"},
		"of a neighbouring site":    {"Sec-Fetch-Site", "same-site"},
		"told by the origin":        {"Origin", "https://elsewhere.example"},
		"of a page without one":     {"Origin", "null"},
		"told by the page before":   {"Referer", "https://elsewhere.example/"},
		"told by nothing":           nil,
		"of a page that is no page": {"Referer", "example.com"},
	} {
		for _, path := range forms {
			a := postForm(t, r.Handler, path, r.webhookForm("/forged"), append(headers, "Accept", "text/html")...)
			if a.status != http.StatusForbidden {
				t.Errorf("%s: %s is answered %d", name, path, a.status)
			}
		}
	}
	if after := r.do("GET", "/api/endpoints", "").body; after != before {
		t.Errorf("the endpoints were\n%sand are\n%s", before, after)
	}
	for name, headers := range map[string][]string{
		"told by the browser":     {"Sec-Fetch-Site", "same-origin"},
		"told by the origin":      {"Origin", "http://example.com"},
		"told by the page before": {"Referer", "http://example.com/endpoints/x"},
	} {
		if a := postForm(t, r.Handler, "/check", url.Values{"url": {"x"}}, headers...); a.status != http.StatusOK {
			t.Errorf("%s: a form of an own page is answered %d %s", name, a.status, a.body)
		}
	}
}

func TestFormsThatAreNone(t *testing.T) {
	r := newRig(t)
	for _, tt := range []struct {
		contentType, body string
		want              int
	}{
		{"application/json", `{"url":"x"}`, http.StatusUnsupportedMediaType},
		{"multipart/form-data; boundary=x", "--x--", http.StatusUnsupportedMediaType},
		{"", "url=x", http.StatusUnsupportedMediaType},
		{"application/x-www-form-urlencoded", "url=%zz", http.StatusBadRequest},
		{"application/x-www-form-urlencoded", "url=" + strings.Repeat("x", 3<<20), http.StatusRequestEntityTooLarge},
	} {
		if got := rawForm(r.Handler, "/new", tt.contentType, tt.body); got != tt.want {
			t.Errorf("%s of %d bytes is answered %d, want %d", tt.contentType, len(tt.body), got, tt.want)
		}
	}
}

// TestPagesThatAreReadOnly guards that there is neither a form nor a secret.
func TestPagesThatAreReadOnly(t *testing.T) {
	r := newRig(t)
	pages, forms := r.walked()
	r.ReadOnly = true
	changing := []string{"/new", "/replay", "/edit", "/delete", "/test", "/secret"}
	for _, path := range pages {
		a := r.browse(path)
		refused := false
		for _, end := range changing {
			refused = refused || strings.HasSuffix(path, end)
		}
		if want := map[bool]int{true: http.StatusForbidden, false: http.StatusOK}[refused]; a.status != want {
			t.Errorf("%s is answered %d, want %d", path, a.status, want)
		}
		a.lacks(`method="post"`, "whsec_M", "whsk_").has("Read-only view")
		for _, link := range linksOf(a.body) {
			for _, end := range changing {
				if to := resolve(t, path, link); link != "" && strings.HasSuffix(to, end) {
					t.Errorf("%s leads to %s, which is refused", path, to)
				}
			}
		}
	}
	for _, path := range forms {
		r.post(path, nil).want(http.StatusForbidden).has("These settings are read-only")
	}
}

// TestPagesThatHideSecrets guards that secrets are shown when they are made and
// never again.
func TestPagesThatHideSecrets(t *testing.T) {
	r := newRig(t)
	r.HideSecrets = true
	made := r.post("/new", r.webhookForm("/hooks"))
	r.follow("/new", made).has(`id="new-secret">whsec_`)
	endpoint, _, _ := strings.Cut(resolve(t, "/new", made.header.Get("Location")), "?")
	r.browse(endpoint+"/secret").want(http.StatusOK).lacks("whsec_M", `id="reveal"`)
	r.browse(endpoint + "/verify").want(http.StatusOK).lacks(`id="fill-in"`)
	r.post(endpoint+"/secret", nil).want(http.StatusForbidden)
	r.post(endpoint+"/snippets", nil).want(http.StatusForbidden)
	r.follow(endpoint+"/rotate", r.post(endpoint+"/rotate", nil)).has(`id="new-secret">whsec_`)
}

// TestPagesOfAnotherTenantDoNotExist guards that the pages and forms of what
// another tenant has are those of nothing, byte for byte.
func TestPagesOfAnotherTenantDoNotExist(t *testing.T) {
	r := newRig(t)
	pages, forms := r.walked()
	theirs := map[string]string{}
	for _, path := range pages {
		if parts := strings.Split(path, "/"); len(parts) > 2 {
			theirs[parts[2]] = map[string]string{
				"endpoints": "ep_000000000000000000000000", "deliveries": "dlv_zzzz_ep_000000000000000000000000", "events": "evt_nobody", "replays": "rpl_000000000000000000000000",
			}[parts[1]]
		}
	}
	// What is kept for a page of one tenant is not for another's.
	made := r.post("/new", r.webhookForm("/kept"))
	kept := resolve(t, "/new", made.header.Get("Location"))
	r.as("globex")
	r.browse(kept).want(http.StatusNotFound)
	other := func(path string) string {
		for id, nobody := range theirs {
			path = strings.ReplaceAll(path, id, nobody)
		}
		return path
	}
	for _, path := range pages {
		if other(path) == path {
			r.browse(path).lacks("Walked", "/walked", "fixed", "evt_walked", "acme")
			continue
		}
		a, b := r.browse(path), r.browse(other(path))
		if a.status != http.StatusNotFound || a.body != b.body {
			t.Errorf("%s is answered %d %s, and %s %d %s", path, a.status, a.main(), other(path), b.status, b.main())
		}
	}
	for _, path := range forms {
		if other(path) == path {
			continue
		}
		form := r.webhookForm("/taken-over", "request", "webhook-id: x\n\n{}")
		a, b := r.post(path, form), r.post(other(path), form)
		if a.status != http.StatusNotFound || a.body != b.body {
			t.Errorf("%s is answered %d %s, and %s %d %s", path, a.status, a.main(), other(path), b.status, b.main())
		}
	}
	r.as("acme")
	r.browse("/").has("Walked")
}

// hostile is text that a page must show as text and nothing else.
const hostile = `"><script>alert(1)</script><img src=x onerror=alert(2)>'{{.}}` + "\u202eevil\x1b[31m"

// TestForeignTextStaysText has hostile text in everything that others decide,
// and loads every page.
func TestForeignTextStaysText(t *testing.T) {
	r := newRig(t)
	quoted := strings.NewReplacer(`"`, `\"`, "\u202e", `\u202e`, "\x1b", `\u001b`).Replace(hostile)
	id := r.create("/hooks?q="+url.QueryEscape(hostile), `,"active":true,"description":"`+quoted+`","headers":{"X-Odd":"a"},"filter":"event != \"<script>alert(3)</script>\""`)
	r.site.does(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Evil", `"><script>alert(4)</script>`)
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusInternalServerError)
		_, _ = w.Write([]byte(`<html><body onload=alert(5)><script>alert(6)</script>` + "\x1b"))
	})
	r.publish("evt_evil", "conversation.created", `{"name":"`+quoted+`","<script>":"</pre><script>alert(7)</script>"}`)
	delivery := r.delivery("evt_evil", 1)
	r.post("/endpoints/"+id+"/test", nil)
	evil := url.QueryEscape(hostile)
	for _, path := range []string{
		"/", "/?q=" + evil, "/endpoints/" + id, "/endpoints/" + id + "/edit", "/endpoints/" + id + "/delete", "/endpoints/" + id + "/test?result=1",
		"/endpoints/" + id + "/secret", "/endpoints/" + id + "/verify", "/deliveries", "/deliveries?endpoint=" + evil, "/deliveries?type=" + evil, "/deliveries?status=" + evil,
		"/deliveries?cursor=" + evil, "/deliveries?from=" + evil, "/deliveries?" + evil + "=1", "/deliveries/" + delivery, "/deliveries/" + delivery + "?attempt=" + evil, "/deliveries/" + evil,
		"/events/evt_evil", "/overview?endpoint=" + evil, "/overview", "/replay?rate=" + evil, "/replay?type=" + evil, "/endpoints/" + evil, "/" + evil, "/?notice=" + evil,
	} {
		r.browse(path).lacksTags(path)
	}
	form := url.Values{}
	for _, name := range []string{"url", "description", "events", "other_events", "headers", "rate", "concurrency", "timeout", "retry", "filter", "ordering", "format", "signing", "secret", "checked_url", "tenant", "request", "status", "endpoint", "type", "from", "to", "fresh_id", "overlap"} {
		form.Set(name, hostile)
	}
	for _, path := range []string{"/new", "/endpoints/" + id + "/edit", "/endpoints/" + id + "/rotate", "/endpoints/" + id + "/verify", "/endpoints/" + id + "/test", "/replay"} {
		r.post(path, form).lacksTags(path)
	}
	r.browse("/deliveries/"+delivery).has("&lt;script&gt;alert(6)", "&lt;script&gt;alert(4)", `\u202eevil\u001b[31m`)

	// What is no text at all.
	r.site.does(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("\xff\xfe<script>\x00")) })
	r.post("/endpoints/"+id+"/test", nil)
	r.browse("/endpoints/"+id+"/test?result=1").lacksTags("a binary answer").has("Binary", "ff fe 3c 73 63")
}

// lacksTags checks that no hostile text has become part of the page.
func (a *answer) lacksTags(path string) *answer {
	a.t.Helper()
	// What was entered stays in its field as it is.
	shown := textAreas.ReplaceAllString(quotedValues.ReplaceAllString(a.body, `""`), "")
	for _, tag := range []string{"<script>", "<img", "onerror=alert(2)>", "<body onload", "\u202e", "\x1b"} {
		if strings.Contains(shown, tag) || strings.HasPrefix(tag, "<") && strings.Contains(a.body, tag) {
			a.t.Errorf("%s: there is %q in the page: %s", path, tag, a.main())
		}
	}
	return a
}

// TestErrorsArePagesToBrowsers guards that whoever asks for a page is answered
// with one that says the same as problem details do to programs.
func TestErrorsArePagesToBrowsers(t *testing.T) {
	r := newRig(t)
	for _, tt := range []struct {
		path   string
		status int
		detail string
	}{
		{"/nothing", http.StatusNotFound, "there is nothing at this path"},
		{"/endpoints/nobody", http.StatusNotFound, "there is no webhook of this ID"},
		{"/deliveries?status=odd", http.StatusUnprocessableEntity, "status: "},
		{"/deliveries?from=2024-03-06T00:00&to=2024-03-05T00:00", http.StatusUnprocessableEntity, "from: it is not before to"},
		{"/deliveries?cursor=x", http.StatusUnprocessableEntity, "cursor: it was not made for this query"},
		{"/endpoints/fixed/test?type=odd", http.StatusUnprocessableEntity, "type: it is unknown"},
		{"/endpoints/fixed/activate", http.StatusMethodNotAllowed, "use POST"},
		{"/a//b", http.StatusNotFound, "there is nothing at this path"},
	} {
		r.browse(tt.path).want(tt.status).has(http.StatusText(tt.status), tt.detail[1:])
		if a := send(t, r.Handler, "GET", tt.path, "", "Accept", "*/*").want(tt.status); a.header.Get("Content-Type") != "application/problem+json" || !strings.Contains(a.body, tt.detail) {
			t.Errorf("%s is answered to programs as %s", tt.path, a.body)
		}
	}
	// The API speaks JSON to everybody.
	if a := send(t, r.Handler, "GET", "/api/endpoints/nobody", "", "Accept", "text/html").want(http.StatusNotFound); a.header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("the API answers %v", a.header)
	}
	r.as("")
	r.browse("/").want(http.StatusForbidden).has("sign in first")
	r.Sender = func(context.Context) (*sender.Sender, error) { return nil, errors.New("at rest") }
	r.as("acme")
	if a := r.browse("/").want(http.StatusServiceUnavailable).lacks("at rest"); a.header.Get("Retry-After") == "" {
		t.Error("it does not say when to try again")
	}
}

// TestWithoutPages guards that there is the API alone when that is asked for.
func TestWithoutPages(t *testing.T) {
	r := newRig(t)
	r.NoPages = true
	r.Prefix = "/hooks"
	for _, path := range []string{"/hooks", "/hooks/", "/hooks/deliveries", "/hooks/assets/style.css"} {
		if a := send(t, r.Handler, "GET", path, "", "Accept", "text/html").want(http.StatusNotFound); a.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s is answered as %v", path, a.header)
		}
	}
	send(t, r.Handler, "GET", "/hooks/api/endpoints", "").want(http.StatusOK)
}
