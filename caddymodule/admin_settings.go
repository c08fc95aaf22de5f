package caddymodule

import (
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
)

// adminSubjects are what of the settings' API is served to the admin endpoint,
// by the first part of the path.
var adminSubjects = []string{"deliveries", "endpoints", "event-types", "events", "replays", "stats"}

// adminSettings answers with the settings of all tenants.
func adminSettings(w http.ResponseWriter, r *http.Request) error {
	subject, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, adminPath), "/")
	if !slices.Contains(adminSubjects, subject) {
		return adminProblem(w, http.StatusNotFound, "there is nothing at this path: below %s there are %s, backup, received and status", adminPath, strings.Join(adminSubjects, ", "))
	}
	app, err := activeApp()
	if errors.Is(err, caddy.ErrNotConfigured) {
		return adminProblem(w, http.StatusNotFound, "the configuration has no webhooks: add the global option webhooks")
	}
	if err != nil {
		return adminProblem(w, http.StatusServiceUnavailable, "the webhooks cannot be reached just now: try again in a few seconds")
	}
	app.operator.ServeHTTP(w, toSettings(r))
	return nil
}

// activeApp is the webhooks app of the configuration in force. The error wraps
// [caddy.ErrNotConfigured] when it has none.
func activeApp() (*App, error) {
	module, err := caddy.ActiveContext().AppIfConfigured("webhooks")
	if err != nil {
		return nil, err
	}
	return module.(*App), nil
}

// toSettings makes a request to the settings of one to the admin endpoint. Which
// pages may make requests was decided by Caddy, by its own rules.
func toSettings(r *http.Request) *http.Request {
	const api = "/api/"
	inner := new(http.Request)
	*inner = *r
	inner.URL = new(url.URL)
	*inner.URL = *r.URL
	inner.URL.Path = api + strings.TrimPrefix(r.URL.Path, adminPath)
	if r.URL.RawPath != "" {
		inner.URL.RawPath = api + strings.TrimPrefix(r.URL.RawPath, adminPath)
	}
	inner.Header = maps.Clone(r.Header)
	inner.Header.Del("Origin")
	inner.Header.Del("Sec-Fetch-Site")
	return inner
}
