package sender

import (
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

// maxConcurrency bounds how many attempts may be under way at once for one
// endpoint.
const maxConcurrency = 1024

// snapshot is a configuration made ready for use. It never changes.
type snapshot struct {
	catalogue    *webhook.Catalogue
	guard        *guard
	transport    *transport // set by the sender: it outlives a change of something else
	egress       Egress
	schedule     schedule
	retention    time.Duration
	disableAfter time.Duration // negative: never
	memory       int64
	maxBacklog   int64 // 0: no limit
	maxSize      int64 // 0: no limit
	sealer       *sealer
	targets      []*target // the endpoints of the configuration
}

// schedule is the waits and the timeout of endpoints that set none.
type schedule struct {
	retry   []time.Duration
	timeout time.Duration
}

// target is an endpoint made ready for use. It never changes.
type target struct {
	id          string
	tenant      string
	config      Endpoint
	managed     bool   // made at run time, not in the configuration
	label       string // in metrics
	active      bool
	refused     error // why nothing may be sent to its URL; nil: it may
	url         *url.URL
	patterns    []webhook.Pattern
	filter      *filter
	signers     signers
	format      webhook.Format
	rate        *webhook.Rate
	concurrency int
	strict      bool
	headers     http.Header
	schedule

	authorization string // from the user name and password in the URL
}

// same tells whether the endpoint is configured as another one is; nil is an
// endpoint that is not configured.
func (t *target) same(other *target) bool {
	return t == other || t != nil && other != nil && t.active == other.active && reflect.DeepEqual(t.config, other.config)
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
	if err := checkLimits(c); err != nil {
		return nil, err
	}
	g, err := newGuard(c.Egress)
	if err != nil {
		return nil, err
	}
	sealer, err := newSealer(c.EncryptionKeys)
	if err != nil {
		return nil, fmt.Errorf("encryption_key: %w", err)
	}
	s := &snapshot{
		catalogue:    catalogue,
		guard:        g,
		egress:       Egress{Allow: slices.Clone(c.Egress.Allow), AllowHTTP: c.Egress.AllowHTTP, Proxy: c.Egress.Proxy},
		schedule:     scheduleOf(c.Retry, c.Timeout, schedule{}),
		retention:    time.Duration(orDefault(c.Retention, webhook.Duration(DefaultRetention))),
		disableAfter: time.Duration(orDefault(c.DisableAfter, webhook.Duration(DefaultDisableAfter))),
		memory:       orDefault(c.Memory, DefaultMemory),
		maxBacklog:   c.MaxBacklog,
		maxSize:      c.MaxSize,
		sealer:       sealer,
	}
	ids := make(map[string]struct{}, len(c.Endpoints))
	for i := range c.Endpoints {
		e := &c.Endpoints[i]
		t, err := s.compileConfigured(e)
		if err != nil {
			return nil, err
		}
		if _, twice := ids[t.id]; twice {
			return nil, fmt.Errorf("endpoint %s: there are two of this name: rename one", t.id)
		}
		ids[t.id] = struct{}{}
		s.targets = append(s.targets, t)
	}
	return s, nil
}

// checkLimits says what is wrong with the numbers of a configuration.
func checkLimits(c *Config) error {
	switch {
	case c.Retention < 0:
		return fmt.Errorf("retention: %s is negative: write a time such as 30d", c.Retention)
	case c.Memory < 0:
		return fmt.Errorf("memory: %d bytes is negative: leave it out for %d", c.Memory, DefaultMemory)
	case c.DisableAfter < 0 && c.DisableAfter != -1:
		return fmt.Errorf("disable_after: %s is negative: write a time such as 5d, or -1 for never", c.DisableAfter)
	case c.MaxBacklog < 0:
		return fmt.Errorf("max_backlog: %d is negative: leave it out for no limit", c.MaxBacklog)
	case c.MaxSize < 0:
		return fmt.Errorf("max_size: %d bytes is negative: leave it out for no limit", c.MaxSize)
	}
	return nil
}

// scheduleOf is the waits and the timeout that are set, and for those that are
// not the others, or else the defaults.
func scheduleOf(retry []webhook.Duration, timeout webhook.Duration, otherwise schedule) schedule {
	s := schedule{retry: otherwise.retry, timeout: orDefault(time.Duration(timeout), orDefault(otherwise.timeout, DefaultTimeout))}
	if len(retry) == 0 && len(s.retry) == 0 {
		retry = DefaultRetry()
	}
	if len(retry) > 0 {
		s.retry = make([]time.Duration, len(retry))
		for i, d := range retry {
			s.retry[i] = time.Duration(d)
		}
	}
	return s
}

// compileConfigured makes an endpoint of the configuration ready. Its errors
// name the endpoint and the field.
func (s *snapshot) compileConfigured(e *Endpoint) (*target, error) {
	if err := checkEndpointID(e.ID); err != nil {
		return nil, fmt.Errorf("endpoint id: %w", err)
	}
	if strings.HasPrefix(e.ID, managedPrefix) {
		return nil, fmt.Errorf("endpoint id: %q begins with %q, as those that are made at run time do: choose another", e.ID, managedPrefix)
	}
	secrets := make([]EndpointSecret, len(e.Secrets))
	for i, text := range e.Secrets {
		secrets[i].Secret = text
	}
	t, err := s.compileEndpoint(e, secrets)
	if err != nil {
		return nil, fmt.Errorf("endpoint %s: %w", e.ID, err)
	}
	t.active = true
	return t, nil
}

// compileEndpoint makes an endpoint ready that signs with the secrets given,
// whatever it says itself. Errors are a [*FieldError].
func (s *snapshot) compileEndpoint(e *Endpoint, secrets []EndpointSecret) (*target, error) {
	u, err := s.guard.checkURL(e.URL)
	if err != nil {
		return nil, &FieldError{"url", err}
	}
	t := &target{id: e.ID, tenant: e.Tenant, label: e.ID, config: e.clone(), url: u, authorization: basicAuthorization(u.User)}
	switch {
	case e.Tenant == AnyTenant: // of which there are no events
		return nil, &FieldError{"tenant", fmt.Errorf("%q is no name, and an endpoint gets the events of one tenant: name one, or leave it out", e.Tenant)}
	case len(e.Tenant) > maxTenant:
		return nil, &FieldError{"tenant", fmt.Errorf("it has %d bytes: use at most %d", len(e.Tenant), maxTenant)}
	}
	if t.patterns, err = compilePatterns(e.Events); err != nil {
		return nil, &FieldError{"events", err}
	}
	if t.filter, err = compileFilter(e.Filter); err != nil {
		return nil, &FieldError{"filter", err}
	}
	if t.signers, err = compileSigners(secrets); err != nil {
		return nil, &FieldError{"secrets", err}
	}
	if t.format, err = webhook.ParseFormat(string(e.Format)); err != nil {
		return nil, &FieldError{"format", err}
	}
	if e.Rate != nil {
		if err := e.Rate.Validate(); err != nil {
			return nil, &FieldError{"rate", err}
		}
		t.rate = t.config.Rate
	}
	switch {
	case e.Concurrency < 0:
		return nil, &FieldError{"concurrency", fmt.Errorf("%d is negative: leave it out for %d", e.Concurrency, DefaultConcurrency)}
	case e.Concurrency > maxConcurrency:
		return nil, &FieldError{"concurrency", fmt.Errorf("%d is much: use at most %d", e.Concurrency, maxConcurrency)}
	}
	t.concurrency = orDefault(e.Concurrency, DefaultConcurrency)
	if t.strict, err = parseOrdering(e); err != nil {
		return nil, &FieldError{"ordering", err}
	}
	if t.strict {
		t.concurrency = 1
	}
	if t.headers, err = compileHeaders(e.Headers); err != nil {
		return nil, &FieldError{"headers", err}
	}
	if err := checkSchedule(e.Retry, e.Timeout); err != nil {
		return nil, err
	}
	t.schedule = scheduleOf(e.Retry, e.Timeout, s.schedule)
	return t, nil
}

// compilePatterns parses the event types that an endpoint subscribes to.
func compilePatterns(events []string) ([]webhook.Pattern, error) {
	if len(events) == 0 {
		events = []string{"*"}
	}
	patterns := make([]webhook.Pattern, len(events))
	for i, s := range events {
		p, err := webhook.ParsePattern(s)
		if err != nil {
			return nil, err
		}
		patterns[i] = p
	}
	return patterns, nil
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
		return fmt.Errorf("it has %d characters: use 1 to 128", len(id))
	}
	for i := range len(id) {
		switch c := id[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-', c == ':', c == '.':
		default:
			return fmt.Errorf("%q holds the character %q: use letters, digits, \"_\", \"-\", \".\" and \":\" only", id, c)
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

// publishable tells whether there can be an event of a type that a pattern selects.
func (s *snapshot) publishable(p webhook.Pattern) bool {
	stem, group := strings.CutSuffix(string(p), "*")
	if group { // where every type is known, so is this one
		stem += "any"
	}
	return s.catalogue.Knows(stem) ||
		slices.ContainsFunc(s.catalogue.Types(), func(known webhook.EventType) bool { return p.Match(known.Name) })
}
