package settings_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/manysends/caddy-webhooks/sender/settings"
)

// TestRedirectsStay sends browsers to every page and form with what could lead
// them elsewhere, in the path and in all that is entered: wherever they are sent,
// it is below where the handler is mounted.
func TestRedirectsStay(t *testing.T) {
	r := newRig(t)
	pages, forms := r.walked()
	mounted := &settings.Handler{Sender: r.Sender, Tenant: r.Tenant, Prefix: "/settings/webhooks"}
	const own = "http://example.com"
	sent := 0
	check := func(h http.Handler, at, method, target string, form url.Values) {
		t.Helper()
		request := httptest.NewRequest(method, own+"/", strings.NewReader(form.Encode()))
		u, err := url.Parse(own + target)
		if err != nil {
			return // no server gets such a request
		}
		request.URL.Path, request.URL.RawPath, request.URL.RawQuery = u.Path, u.RawPath, u.RawQuery
		request.Header.Set("Accept", "text/html")
		request.Header.Set("Sec-Fetch-Site", "same-origin")
		if method == http.MethodPost {
			request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, request)
		for name := range w.Header() {
			if name == "Refresh" || name == "Content-Location" {
				t.Errorf("%s %s: the answer has the header %s", method, target, name)
			}
		}
		location := w.Header().Get("Location")
		if location == "" {
			return
		}
		sent++
		to, err := u.Parse(location)
		if err != nil || to.Scheme != "http" || to.Host != "example.com" || !strings.HasPrefix(to.Path, at) || strings.HasPrefix(to.Path, "//") || strings.ContainsAny(location, "\\\r\n") {
			t.Errorf("%s %s leads to %q, which is %v", method, target, location, to)
		}
	}
	evil := []string{"//evil.example/", "https://evil.example/", `\\evil.example`, "/%2Fevil.example/", "/%5Cevil.example", "javascript:alert(1)", "/..//evil.example/%2e%2e", "\r\nLocation: https://evil.example/"}
	form := r.webhookForm("/led-away")
	for _, name := range []string{"next", "return", "redirect", "back", "notice", "tenant", "endpoint", "type", "fresh_id"} {
		form.Set(name, evil[0])
	}
	for _, path := range append(pages, forms...) {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			check(r.Handler, "/", method, path, form)
			check(mounted, "/settings/webhooks/", method, "/settings/webhooks"+path, form)
			for _, e := range evil {
				check(r.Handler, "/", method, path+"?notice="+url.QueryEscape(e)+"&next="+url.QueryEscape(e), form)
			}
		}
	}
	for _, e := range evil {
		for _, target := range []string{e, "/" + e, "/endpoints/" + url.PathEscape(e) + "/edit", "/endpoints/" + e, "/settings/webhooks" + e} {
			if strings.HasPrefix(target, "/") {
				check(r.Handler, "/", http.MethodGet, target, nil)
				check(mounted, "/settings/webhooks", http.MethodGet, target, nil)
				check(r.Handler, "/", http.MethodPost, target, form)
			}
		}
	}
	check(mounted, "/settings/webhooks", http.MethodGet, "/settings/webhooks", nil)
	if sent < 10 {
		t.Errorf("there were %d redirects, want some to judge", sent)
	}
}
