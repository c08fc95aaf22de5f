package receiver

import (
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/manysends/caddy-webhooks/webhook"
)

// reporter takes a problem with a configuration.
type reporter func(format string, args ...any)

// resolveProvider is the row of the configured provider, completed by the
// template, or nil.
func (c Config) resolveProvider(problem reporter) *provider {
	row := findProvider(c.Provider)
	switch {
	case c.Provider == "":
		problem("provider is not set: choose one of %s, or custom with a template", nearProviders(""))
		return nil
	case row == nil:
		problem("provider %q is unknown: use one of %s, or custom with a template", c.Provider, nearProviders(c.Provider))
		return nil
	case c.Provider != customName && c.Handshake != "":
		problem("handshake goes with provider custom only, and provider is %s, which has its own if it needs one: leave handshake out", c.Provider)
		return nil
	case c.Provider != customName && c.Template != nil:
		problem("template goes with provider custom only, and provider is %s: leave template out, or set provider custom", c.Provider)
		return nil
	case c.Provider != customName:
		return row
	case c.Template == nil:
		problem("template is not set: provider custom needs it to say how requests are signed")
		return nil
	}
	custom := *row
	if wrong := custom.use(c.Template); len(wrong) > 0 {
		for _, w := range wrong {
			problem("template.%s", w)
		}
		return nil
	}
	if c.Handshake != "" && !custom.shakeAs(c.Handshake) {
		problem("handshake %q is unknown: use one of %s, or leave it out", c.Handshake, handshakeNames())
	}
	return &custom
}

// validateParameters compares the parameters with those of the provider.
func (c Config) validateParameters(p *provider, problem reporter) {
	var known []string
	for _, parameter := range p.Parameters {
		known = append(known, parameter.Name)
		if parameter.Required && c.Parameters[parameter.Name] == "" {
			problem("parameters.%s is not set, and provider %s needs it: %s", parameter.Name, p.Name, parameter.Description)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Parameters)) {
		switch {
		case slices.Contains(known, name):
			if value := c.Parameters[name]; value != "" && strings.TrimSpace(value) == "" {
				problem("parameters.%s is nothing but white space: set it, or check the variable that it comes from", name)
			}
		case len(known) == 0:
			problem("parameters.%s is unknown: provider %s takes no parameters", name, p.Name)
		default:
			problem("parameters.%s is unknown: provider %s takes %s", name, p.Name, strings.Join(known, ", "))
		}
	}
}

// validateSecrets reads each secret as the provider does; p is nil when it is
// not known which.
func (c Config) validateSecrets(p *provider, o schemeOptions, problem reporter) {
	if p != nil && p.Keyless {
		if len(c.Secrets) > 0 {
			problem("secrets is set, and provider %s takes none, because it publishes its keys: leave it out", p.Name)
		}
		return
	}
	if len(c.Secrets) == 0 {
		problem("secrets is empty: give at least one, an empty secret would let anyone in")
	}
	for i, secret := range c.Secrets {
		if strings.TrimSpace(secret) == "" {
			problem("secrets[%d] is empty, or nothing but white space: give the secret, or check the variable that it comes from; an empty secret would let anyone in", i)
			continue
		}
		if p == nil {
			continue // which keys are right depends on the provider
		}
		o.secrets = []string{secret}
		switch _, err := p.newScheme(o); {
		case errors.Is(err, webhook.ErrKey):
			problem("secrets[%d]: %w", i, err)
		case err != nil:
			problem("%w", err) // it is not about the secret, so once is enough
			return
		}
	}
}

// wrongURL says in one sentence what is wrong with [Config].URL, or is empty.
func wrongURL(s string) string {
	if s == "" {
		return ""
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || strings.Contains(s, "#") {
		return fmt.Sprintf("is %q: write the whole address that the provider was told, such as https://hooks.example.com/square", s)
	}
	return ""
}
