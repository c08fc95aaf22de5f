package sender

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

// snapshot is a configuration made ready for use. It never changes.
type snapshot struct {
	catalogue *webhook.Catalogue
	guard     *guard
	transport *http.Transport // set by the sender: it outlives a change of something else
	egress    Egress
	retention time.Duration
	memory    int64
	targets   map[string]*target
	byTenant  map[string][]*target
}

// target is an endpoint made ready for use. It never changes.
type target struct {
	id          string
	tenant      string
	config      Endpoint
	url         *url.URL
	patterns    []webhook.Pattern
	signers     []webhook.Signer
	bodySecret  *webhook.Secret // the newest, for the signature in the body
	format      webhook.Format
	rate        *webhook.Rate
	concurrency int
	strict      bool
	headers     http.Header
	retry       []time.Duration
	timeout     time.Duration

	authorization string // from the user name and password in the URL
}

// changed tells whether the endpoint, or the rules on where it may connect,
// are others than before.
func (s *snapshot) changed(before *snapshot, id string) bool {
	a, b := before.targets[id], s.targets[id]
	if a == nil || b == nil {
		return a != b
	}
	return !reflect.DeepEqual(a.config, b.config) || !reflect.DeepEqual(before.egress, s.egress)
}

// same tells whether the endpoint is configured as another one is; nil is an
// endpoint that is not configured.
func (t *target) same(other *target) bool {
	return t == other || t != nil && other != nil && reflect.DeepEqual(t.config, other.config)
}

// wants tells whether the endpoint subscribes to the event type.
func (t *target) wants(eventType string) bool {
	return slices.ContainsFunc(t.patterns, func(p webhook.Pattern) bool { return p.Match(eventType) })
}

// compile checks a configuration and makes it ready for use. Errors wrap
// ErrConfig.
func compile(c *Config) (*snapshot, error) {
	s, err := compileConfig(c)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return s, nil
}

func compileConfig(c *Config) (*snapshot, error) {
	types := c.EventTypes
	if len(types) == 0 {
		types = webhook.ManySendsEventTypes()
	}
	catalogue, err := webhook.NewCatalogue(types)
	if err != nil {
		return nil, fmt.Errorf("event_types: %w", err)
	}
	if err := checkSchedule(c.Retry, c.Timeout); err != nil {
		return nil, err
	}
	if c.Retention < 0 {
		return nil, fmt.Errorf("retention: %s is negative: write a time such as 30d", c.Retention)
	}
	if c.Memory < 0 {
		return nil, fmt.Errorf("memory: %d bytes is negative: leave it out for %d", c.Memory, DefaultMemory)
	}
	g, err := newGuard(c.Egress)
	if err != nil {
		return nil, err
	}
	s := &snapshot{
		catalogue: catalogue,
		guard:     g,
		egress:    Egress{Allow: slices.Clone(c.Egress.Allow), AllowHTTP: c.Egress.AllowHTTP, Proxy: c.Egress.Proxy},
		retention: time.Duration(orDefault(c.Retention, webhook.Duration(DefaultRetention))),
		memory:    orDefault(c.Memory, DefaultMemory),
		targets:   make(map[string]*target, len(c.Endpoints)),
		byTenant:  make(map[string][]*target),
	}
	for i := range c.Endpoints {
		t, err := compileEndpoint(c, &c.Endpoints[i], g)
		if err != nil {
			return nil, err
		}
		if _, twice := s.targets[t.id]; twice {
			return nil, fmt.Errorf("endpoint %s: there are two of this name: rename one", t.id)
		}
		s.targets[t.id] = t
		s.byTenant[t.tenant] = append(s.byTenant[t.tenant], t)
	}
	return s, nil
}

// compileEndpoint makes one endpoint ready. Its errors name the endpoint and
// the field.
func compileEndpoint(c *Config, e *Endpoint, g *guard) (*target, error) {
	if err := checkEndpointID(e.ID); err != nil {
		return nil, err
	}
	wrong := func(field string, err error) error { return fmt.Errorf("endpoint %s: %s: %w", e.ID, field, err) }

	u, err := g.checkURL(e.URL)
	if err != nil {
		return nil, wrong("url", err)
	}
	t := &target{id: e.ID, tenant: e.Tenant, config: e.clone(), url: u, authorization: basicAuthorization(u.User)}

	patterns := e.Events
	if len(patterns) == 0 {
		patterns = []string{"*"}
	}
	for _, s := range patterns {
		p, err := webhook.ParsePattern(s)
		if err != nil {
			return nil, wrong("events", err)
		}
		t.patterns = append(t.patterns, p)
	}
	for i, text := range e.Secrets {
		if text == "" {
			return nil, wrong("secrets", fmt.Errorf("secret %d is empty: set it, or leave it out to send unsigned deliveries", i+1))
		}
		signer, err := webhook.ParseSigner(text)
		if err != nil {
			return nil, wrong("secrets", err)
		}
		t.signers = append(t.signers, signer)
		if secret, ok := signer.(*webhook.Secret); ok && t.bodySecret == nil {
			t.bodySecret = secret
		}
	}
	if t.format, err = webhook.ParseFormat(string(e.Format)); err != nil {
		return nil, wrong("format", err)
	}
	if e.Rate != nil {
		if err := e.Rate.Validate(); err != nil {
			return nil, wrong("rate", err)
		}
		t.rate = t.config.Rate
	}
	if e.Concurrency < 0 {
		return nil, wrong("concurrency", fmt.Errorf("%d is negative: leave it out for %d", e.Concurrency, DefaultConcurrency))
	}
	t.concurrency = orDefault(e.Concurrency, DefaultConcurrency)
	if t.strict, err = parseOrdering(e); err != nil {
		return nil, wrong("ordering", err)
	}
	if t.strict {
		t.concurrency = 1
	}
	if t.headers, err = compileHeaders(e.Headers); err != nil {
		return nil, wrong("headers", err)
	}
	if err := checkSchedule(e.Retry, e.Timeout); err != nil {
		return nil, fmt.Errorf("endpoint %s: %w", e.ID, err)
	}
	retry := e.Retry
	if len(retry) == 0 {
		retry = c.Retry
	}
	if len(retry) == 0 {
		retry = DefaultRetry()
	}
	for _, d := range retry {
		t.retry = append(t.retry, time.Duration(d))
	}
	t.timeout = time.Duration(orDefault(e.Timeout, orDefault(c.Timeout, webhook.Duration(DefaultTimeout))))
	return t, nil
}

// basicAuthorization is the value of the Authorization header for the user name
// and password in a URL (RFC 7617, section 2); empty when there are none.
func basicAuthorization(u *url.Userinfo) string {
	if u == nil {
		return ""
	}
	password, _ := u.Password()
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(u.Username()+":"+password))
}

// clone copies the endpoint with all that it refers to, so that the caller may
// change its own.
func (e *Endpoint) clone() Endpoint {
	c := *e
	c.Headers = maps.Clone(e.Headers)
	c.Events, c.Secrets, c.Retry = slices.Clone(e.Events), slices.Clone(e.Secrets), slices.Clone(e.Retry)
	if e.Rate != nil {
		r := *e.Rate
		c.Rate = &r
	}
	return c
}

// parseOrdering tells whether the endpoint wants its events in order.
func parseOrdering(e *Endpoint) (strict bool, err error) {
	switch e.Ordering {
	case "":
		return false, nil
	case "strict":
		if e.Concurrency > 1 {
			return true, fmt.Errorf("strict delivers one at a time, but concurrency is %d: remove one of the two", e.Concurrency)
		}
		return true, nil
	}
	return false, fmt.Errorf("%q is unknown: write strict, or leave it out", e.Ordering)
}

func checkEndpointID(id string) error {
	if id == "" || len(id) > 128 {
		return fmt.Errorf("endpoint id: it has %d characters: use 1 to 128", len(id))
	}
	for i := range len(id) {
		switch c := id[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-', c == ':', c == '.':
		default:
			return fmt.Errorf("endpoint id: %q holds the character %q: use letters, digits, \"_\", \"-\", \".\" and \":\" only", id, c)
		}
	}
	return nil
}

func orDefault[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}
