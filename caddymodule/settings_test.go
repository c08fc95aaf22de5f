package caddymodule

import (
	"context"
	"net/http/httptest"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// TestSettingsAreNobodysWithoutATenant: where the tenant, or a part of it, is
// not known, a request must be nobody's. The empty tenant, and what is left of
// a composed one, may be somebody's.
func TestSettingsAreNobodysWithoutATenant(t *testing.T) {
	tests := []struct {
		name, setting, want string
		ok                  bool
	}{
		{"known", "{http.auth.user.id}", "ann", true},
		{"composed", "org-{http.auth.user.id}", "org-ann", true},
		{"fixed", "acme", "acme", true},
		{"unknown", "{http.auth.user.org}", "", false},
		{"empty", "{http.auth.user.team}", "", false},
		{"composed of an unknown one", "org-{http.auth.user.org}", "", false},
		{"composed of an empty one", "org-{http.auth.user.team}", "", false},
		{"composed of a known and an unknown one", "{http.auth.user.id}-{http.auth.user.org}", "", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			repl := caddy.NewEmptyReplacer()
			repl.Set("http.auth.user.id", "ann")
			repl.Set("http.auth.user.team", "")
			r := httptest.NewRequest("GET", "/api/endpoints", nil)
			r = r.WithContext(context.WithValue(r.Context(), caddy.ReplacerCtxKey, repl))
			got, ok := tenantOf(tt.setting)(r)
			if ok != tt.ok || ok && got != tt.want {
				t.Errorf("%q, %t; want %q, %t", got, ok, tt.want, tt.ok)
			}
		})
	}
}

// TestPathsWithoutASlash: the links of pages are relative, so that they would be
// wrong below a path whose slash is missing.
func TestPathsWithoutASlash(t *testing.T) {
	for _, tt := range []struct{ original, path, want string }{
		{"/settings/webhooks", "/", "./webhooks/"},
		{"/settings/webhooks?notice=saved", "/", "./webhooks/?notice=saved"},
		{"/settings/a:b", "/", "./a:b/"},
		{"/settings/webhooks/", "/", ""},
		{"/settings/webhooks/deliveries", "/deliveries", ""},
		{"/", "/", ""},
	} {
		original := httptest.NewRequest("GET", tt.original, nil)
		r := original.Clone(context.WithValue(t.Context(), caddyhttp.OriginalRequestCtxKey, *original))
		r.URL.Path = tt.path
		if got := withSlash(r); got != tt.want {
			t.Errorf("%s leads to %q, want %q", tt.original, got, tt.want)
		}
	}
	if got := withSlash(httptest.NewRequest("GET", "/settings", nil)); got != "" {
		t.Errorf("outside Caddy it leads to %q", got)
	}
}

func TestPrefix(t *testing.T) {
	tests := []struct {
		prefix string
		ok     bool
	}{
		{"", true},
		{"/settings", true},
		{"/settings/webhooks", true},
		{"/", false},
		{"settings", false},
		{"/settings/", false},
		{"/settings//webhooks", false},
		{"/settings/../webhooks", false},
		{"/settings*", false},
		{"/{http.vars.root}/webhooks", false},
		{"/settings?tenant=acme", false},
	}
	for _, tt := range tests {
		if err := (&Settings{Prefix: tt.prefix}).Validate(); (err == nil) != tt.ok {
			t.Errorf("%q: %v", tt.prefix, err)
		}
	}
}
