package settings_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/manysends/caddy-webhooks/sender/settings"
)

// TestPagesHoldTogetherWhereverTheyAreMounted follows every link of every page
// that can be reached from the first one: none leaves the mount, and none leads
// to nothing.
func TestPagesHoldTogetherWhereverTheyAreMounted(t *testing.T) {
	for name, tt := range map[string]struct {
		at    string
		mount func(*settings.Handler) http.Handler
	}{
		"at the root":    {"/", func(h *settings.Handler) http.Handler { return h }},
		"stripped":       {"/settings/webhooks/", func(h *settings.Handler) http.Handler { return http.StripPrefix("/settings/webhooks", h) }},
		"stripped by it": {"/settings/webhooks/", func(h *settings.Handler) http.Handler { h.Prefix = "/settings/webhooks"; return h }},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.walked()
			h := tt.mount(&settings.Handler{Sender: r.Sender, Tenant: r.Tenant})
			seen := map[string]bool{tt.at: true}
			for queue := []string{tt.at}; len(queue) > 0; queue = queue[1:] {
				path := queue[0]
				a := send(t, h, "GET", path, "", "Accept", "text/html")
				if a.status != http.StatusOK && a.status != http.StatusMethodNotAllowed { // a form's path
					t.Errorf("%s is answered %d: %s", path, a.status, a.main())
				}
				if a.status != http.StatusOK || !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") {
					continue
				}
				for _, link := range linksOf(a.body) {
					if link == "" || strings.HasPrefix(link, "data:") || strings.HasPrefix(link, "https://www.standardwebhooks.com") {
						continue
					}
					to := resolve(t, path, link)
					if strings.HasPrefix(link, "/") || !strings.HasPrefix(to, tt.at) {
						t.Fatalf("on %s, %q leads to %s, out of the mount", path, link, to)
					}
					if !seen[to] && len(seen) < 300 {
						seen[to] = true
						queue = append(queue, to)
					}
				}
			}
			if len(seen) < 40 {
				t.Errorf("%d links were followed, want more: %v", len(seen), seen)
			}
		})
	}
}

// TestMountWithoutASlash guards that the path without a slash at its end, to
// which relative links would be wrong, leads to the one with it.
func TestMountWithoutASlash(t *testing.T) {
	for _, prefix := range []string{"/settings/webhooks", "/of:webhooks", "/einstellungen/für"} {
		r := newRig(t)
		r.Prefix = prefix
		at := (&url.URL{Path: prefix}).EscapedPath()
		a := send(t, r.Handler, "GET", at+"?tenant=acme", "", "Accept", "text/html").want(http.StatusSeeOther)
		if to := resolve(t, at, a.header.Get("Location")); to != at+"/?tenant=acme" {
			t.Errorf("%s leads to %s", prefix, to)
		}
	}
}

// TestAssetsAreKeptForEver guards that what pages refer to is found, may be
// kept, and has another path once it is something else.
func TestAssetsAreKeptForEver(t *testing.T) {
	r := newRig(t)
	found := 0
	for _, link := range linksOf(r.browse("/").body) {
		if !strings.Contains(link, "assets/") {
			continue
		}
		found++
		r.as("") // they are nobody's in particular
		a := send(t, r.Handler, "GET", resolve(t, "/", link), "").want(http.StatusOK)
		if a.header.Get("Cache-Control") != "public, max-age=31536000, immutable" || a.body == "" {
			t.Errorf("%s is answered %v", link, a.header)
		}
		if kind := a.header.Get("Content-Type"); kind != "text/css; charset=utf-8" && kind != "text/javascript; charset=utf-8" {
			t.Errorf("%s is %s", link, kind)
		}
		r.as("acme")
	}
	if found != 2 {
		t.Errorf("a page refers to %d assets, want 2", found)
	}
	send(t, r.Handler, "GET", "/assets/style.0123456789ab.css", "").want(http.StatusNotFound)
}
