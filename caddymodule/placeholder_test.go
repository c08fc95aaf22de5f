package caddymodule

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// TestSecretsMayBePlaceholders guards that a secret from the environment is
// checked as what it stands for, also where secrets have a form of their own,
// which a placeholder has not.
func TestSecretsMayBePlaceholders(t *testing.T) {
	const good, bad = "WEBHOOKS_TEST_GOOD", "WEBHOOKS_TEST_BAD"
	t.Setenv(good, "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
	t.Setenv(bad, "not-a-secret")
	for _, handler := range []string{"webhook_receive", "webhook_sign"} {
		validate := func(variable string) error {
			return caddy.Validate(&caddy.Config{AppsRaw: caddy.ModuleMap{"http": []byte(`{"servers": {"x": {"routes": [{"handle": [
				{"handler": "` + handler + `", "provider": "standard", "secrets": ["{env.` + variable + `}"]}
			]}]}}}`)}})
		}
		if err := validate(good); err != nil {
			t.Errorf("%s: %v", handler, err)
		}
		err := validate(bad)
		if err == nil || !strings.Contains(err.Error(), "secrets[0]: unusable key") || strings.Contains(err.Error(), "not-a-secret") {
			t.Errorf("%s with a secret that is none: %v", handler, err)
		}
		if err := validate("WEBHOOKS_TEST_NOT_SET"); err == nil || !strings.Contains(err.Error(), "secret 1: the placeholder in it cannot be replaced") {
			t.Errorf("%s with a variable that is not set: %v", handler, err)
		}
	}
}

// TestPerRequestIsWhatCaddyReplaces guards that a variable by itself, which is
// looked up directly, comes out as the replacer would have it.
func TestPerRequestIsWhatCaddyReplaces(t *testing.T) {
	server := new(caddyhttp.Server)
	r := httptest.NewRequest(http.MethodPost, "/hooks?a=b", nil)
	r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), httptest.NewRecorder(), server)
	caddyhttp.SetVar(r.Context(), "text", "one")
	caddyhttp.SetVar(r.Context(), "number", 7)
	caddyhttp.SetVar(r.Context(), "empty", "")
	replacer := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	for _, s := range []string{
		"{http.vars.client_ip}", "{http.vars.text}", "{http.vars.number}", "{http.vars.empty}", "{http.vars.missing}", "{http.vars.}",
		"{http.vars.text}{http.vars.number}", "a{http.vars.text}", "{http.vars.text}a", "{http.vars.text", "http.vars.text}", `{http.vars.te\}xt}`,
		`\{http.vars.text}`, "{http.request.uri.query.a}", "{unknown}", "plain", "",
	} {
		if got, want := perRequest(s)(r), replacer.ReplaceAll(s, ""); got != want {
			t.Errorf("%q became %q, want %q", s, got, want)
		}
	}
}
