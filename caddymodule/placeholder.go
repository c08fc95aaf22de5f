package caddymodule

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/manysends/caddy-webhooks/receiver"
	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/signer"
)

// expand replaces the placeholders in a setting when the configuration is
// loaded. One that is unknown, not set or empty is an error: a secret must
// never be silently empty.
func expand(repl *caddy.Replacer, s string) (string, error) {
	out, err := repl.ReplaceOrErr(s, true, true)
	if err != nil {
		return "", fmt.Errorf("the placeholder in it cannot be replaced: %w; set it in the environment or the file before starting Caddy", err)
	}
	return out, nil
}

// perRequest replaces the placeholders in a setting for each request; unknown
// ones become empty.
func perRequest(s string) func(*http.Request) string {
	if name, ok := loneVar(s); ok {
		return func(r *http.Request) string { return caddy.ToString(caddyhttp.GetVar(r.Context(), name)) }
	}
	return func(r *http.Request) string {
		return r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer).ReplaceAll(s, "")
	}
}

// loneVar returns the name of the variable where a setting is nothing but the
// placeholder of one, as {client_ip} is. It is looked up rather than asked of
// everything that replaces placeholders.
func loneVar(s string) (name string, ok bool) {
	name, ok = strings.CutPrefix(s, "{http.vars.")
	if !ok {
		return "", false
	}
	name, ok = strings.CutSuffix(name, "}")
	return name, ok && !strings.ContainsAny(name, `{}\`)
}

// tenantOf says whose a request is. Where a part of it is missing, it is
// nobody's: what is left could be somebody else's tenant.
func tenantOf(s string) func(*http.Request) (tenant string, ok bool) {
	return func(r *http.Request) (string, bool) {
		tenant, err := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer).ReplaceOrErr(s, true, true)
		return tenant, err == nil && tenant != ""
	}
}

// expandAll replaces the placeholders in secrets, which are called what in
// errors, and returns a new slice.
func expandAll(repl *caddy.Replacer, what string, secrets []string) ([]string, error) {
	out := make([]string, len(secrets))
	for i, s := range secrets {
		var err error
		if out[i], err = expand(repl, s); err != nil {
			return nil, fmt.Errorf("%s %d: %w", what, i+1, err)
		}
		if out[i] == "" {
			return nil, fmt.Errorf("%s %d is empty: set it before starting Caddy", what, i+1)
		}
	}
	return out, nil
}

// expandSender returns the sender's settings with their placeholders replaced.
// The original keeps them, as it is shown and saved.
func expandSender(c sender.Config, repl *caddy.Replacer) (sender.Config, error) {
	var err error
	if c.Egress.Proxy != "" {
		if c.Egress.Proxy, err = expand(repl, c.Egress.Proxy); err != nil {
			return c, fmt.Errorf("egress: proxy: %w", err)
		}
	}
	if c.EncryptionKeys, err = expandAll(repl, "encryption_key", c.EncryptionKeys); err != nil {
		return c, err
	}
	c.Endpoints = slices.Clone(c.Endpoints)
	for i := range c.Endpoints {
		e := &c.Endpoints[i]
		if e.URL, err = expand(repl, e.URL); err != nil {
			return c, fmt.Errorf("endpoint %s: url: %w", e.ID, err)
		}
		e.Headers = maps.Clone(e.Headers)
		for name, value := range e.Headers {
			if e.Headers[name], err = expand(repl, value); err != nil {
				return c, fmt.Errorf("endpoint %s: header %s: %w", e.ID, name, err)
			}
		}
		if e.Secrets, err = expandAll(repl, "secret", e.Secrets); err != nil {
			return c, fmt.Errorf("endpoint %s: %w", e.ID, err)
		}
	}
	return c, nil
}

// expandReceiver returns the receiver's settings with their placeholders
// replaced, but for those that are replaced for each request. The original
// keeps them, as it is shown and saved.
func expandReceiver(c receiver.Config, repl *caddy.Replacer) (receiver.Config, error) {
	var err error
	if c.Secrets, err = expandAll(repl, "secret", c.Secrets); err != nil {
		return c, err
	}
	if c.URL, err = expand(repl, c.URL); err != nil {
		return c, fmt.Errorf("url: %w", err)
	}
	if c.Dedupe.Persist, err = expand(repl, c.Dedupe.Persist); err != nil {
		return c, fmt.Errorf("dedupe.persist: %w", err)
	}
	c.Parameters = maps.Clone(c.Parameters)
	for name, value := range c.Parameters {
		if c.Parameters[name], err = expand(repl, value); err != nil {
			return c, fmt.Errorf("parameter %s: %w", name, err)
		}
	}
	return c, nil
}

// expandSigner returns the signer's settings with their placeholders replaced,
// but for the ID, which is replaced for each request. The original keeps them,
// as it is shown and saved.
func expandSigner(c signer.Config, repl *caddy.Replacer) (signer.Config, error) {
	var err error
	if c.Secrets, err = expandAll(repl, "secret", c.Secrets); err != nil {
		return c, err
	}
	if c.URL, err = expand(repl, c.URL); err != nil {
		return c, fmt.Errorf("url: %w", err)
	}
	return c, nil
}
