package sender

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/manysends/caddy-webhooks/webhook"
)

const (
	testSecret  = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	otherSecret = "whsec_ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA="
)

// valid is a configuration that can be used; tests spoil it.
func valid() Config {
	return Config{Endpoints: []Endpoint{{ID: "crm", URL: "https://crm.example.com/hooks", Secrets: []string{testSecret}}}}
}

func TestValidateRefuses(t *testing.T) {
	seconds := func(n int) webhook.Duration { return webhook.Duration(time.Duration(n) * time.Second) }
	tests := []struct {
		name  string
		spoil func(c *Config, e *Endpoint)
		want  string // after "invalid configuration: "
	}{
		{"malformed event type", func(c *Config, _ *Endpoint) { c.EventTypes = []webhook.EventType{{Name: "Conversation"}} },
			`event_types: event type "Conversation" is malformed: use lower-case words of letters, digits and "_" joined by dots, such as conversation.created`},
		{"empty event type", func(c *Config, _ *Endpoint) { c.EventTypes = []webhook.EventType{{}} },
			`event_types: event type is empty: name one such as conversation.created`},
		{"event type twice", func(c *Config, _ *Endpoint) { c.EventTypes = []webhook.EventType{{Name: "a.b"}, {Name: "a.b"}} },
			`event_types: event type "a.b" is listed twice: remove one`},
		{"zero wait", func(c *Config, _ *Endpoint) { c.Retry = []webhook.Duration{seconds(5), 0} },
			`retry: wait 2 is 0s: every wait must be longer than zero, such as 5s`},
		{"negative wait", func(c *Config, _ *Endpoint) { c.Retry = []webhook.Duration{-seconds(5)} },
			`retry: wait 1 is -5s: every wait must be longer than zero, such as 5s`},
		{"negative timeout", func(c *Config, _ *Endpoint) { c.Timeout = -seconds(1) },
			`timeout: -1s is negative: write a time such as 30s`},
		{"negative retention", func(c *Config, _ *Endpoint) { c.Retention = -seconds(1) },
			`retention: -1s is negative: write a time such as 30d`},
		{"negative memory", func(c *Config, _ *Endpoint) { c.Memory = -1 },
			`memory: -1 bytes is negative: leave it out for 67108864`},
		{"egress: half a range", func(c *Config, _ *Endpoint) { c.Egress.Allow = []string{"10.1.2.3/16"} },
			`egress allow: "10.1.2.3/16" has bits set behind its length: write 10.1.0.0/16`},
		{"egress: no host", func(c *Config, _ *Endpoint) { c.Egress.Allow = []string{""} },
			`egress allow: "" is neither an address, a range such as 10.1.0.0/16, nor a host name`},
		{"egress: a range that is none", func(c *Config, _ *Endpoint) { c.Egress.Allow = []string{"10.0.0.0/33"} },
			`egress allow: "10.0.0.0/33" is neither an address, a range such as 10.1.0.0/16, nor a host name`},
		{"egress: a URL", func(c *Config, _ *Endpoint) { c.Egress.Allow = []string{"http://crm.internal"} },
			`egress allow: "http://crm.internal" is neither an address, a range such as 10.1.0.0/16, nor a host name`},
		{"egress: a port", func(c *Config, _ *Endpoint) { c.Egress.Allow = []string{"crm.internal:80"} },
			`egress allow: "crm.internal:80" is neither an address, a range such as 10.1.0.0/16, nor a host name`},
		{"egress: a wildcard", func(c *Config, _ *Endpoint) { c.Egress.Allow = []string{"*.internal"} },
			`egress allow: "*.internal" is neither an address, a range such as 10.1.0.0/16, nor a host name`},
		{"no ID", func(_ *Config, e *Endpoint) { e.ID = "" },
			`endpoint id: it has 0 characters: use 1 to 128`},
		{"long ID", func(_ *Config, e *Endpoint) { e.ID = strings.Repeat("a", 129) },
			`endpoint id: it has 129 characters: use 1 to 128`},
		{"ID with a space", func(_ *Config, e *Endpoint) { e.ID = "my crm" },
			`endpoint id: "my crm" holds the character ' ': use letters, digits, "_", "-", "." and ":" only`},
		{"same ID twice", func(c *Config, e *Endpoint) { c.Endpoints = append(c.Endpoints, *e) },
			`endpoint crm: there are two of this name: rename one`},
		{"any tenant", func(_ *Config, e *Endpoint) { e.Tenant = "*" },
			`endpoint crm: tenant: "*" is no name, and an endpoint gets the events of one tenant: name one, or leave it out`},
		{"same ID in two tenants", func(c *Config, e *Endpoint) { c.Endpoints = append(c.Endpoints, *e); c.Endpoints[1].Tenant = "b" },
			`endpoint crm: there are two of this name: rename one`},
		{"no URL", func(_ *Config, e *Endpoint) { e.URL = "" },
			`endpoint crm: url: it does not begin with https://: write one such as https://example.com/hooks`},
		{"URL without scheme", func(_ *Config, e *Endpoint) { e.URL = "crm.example.com/hooks" },
			`endpoint crm: url: it does not begin with https://: write one such as https://example.com/hooks`},
		{"ftp", func(_ *Config, e *Endpoint) { e.URL = "ftp://crm.example.com/" },
			`endpoint crm: url: the scheme "ftp" cannot be delivered to: use https://`},
		{"http", func(_ *Config, e *Endpoint) { e.URL = "http://crm.example.com/" },
			`endpoint crm: url: http:// is not encrypted: use https://, or say allow_http in egress`},
		{"no host", func(_ *Config, e *Endpoint) { e.URL = "https:///hooks" },
			`endpoint crm: url: it has no host: write one such as https://example.com/hooks`},
		{"opaque", func(_ *Config, e *Endpoint) { e.URL = "https:crm.example.com" },
			`endpoint crm: url: it has no host: write one such as https://example.com/hooks`},
		{"fragment", func(_ *Config, e *Endpoint) { e.URL = "https://crm.example.com/#top" },
			`endpoint crm: url: it has a fragment (#top), which is never sent: remove it`},
		{"unparsable", func(_ *Config, e *Endpoint) { e.URL = "https://[::1" },
			`endpoint crm: url: it cannot be parsed (missing ']' in host): write one such as https://example.com/hooks`},
		{"loopback", func(_ *Config, e *Endpoint) { e.URL = "https://127.0.0.1/hooks" },
			`endpoint crm: url: blocked by the egress rules: 127.0.0.1 is loopback: allow it in egress if that is meant`},
		{"mapped loopback", func(_ *Config, e *Endpoint) { e.URL = "https://[::ffff:127.0.0.1]/hooks" },
			`endpoint crm: url: blocked by the egress rules: ::ffff:127.0.0.1 is at 127.0.0.1, which is loopback: allow the host or the address in egress if that is meant`},
		{"malformed pattern", func(_ *Config, e *Endpoint) { e.Events = []string{"message.created", "conv*"} },
			`endpoint crm: events: event pattern "conv*" is malformed: use an exact type such as message.created, a group such as message.*, or * for all`},
		{"empty secret", func(_ *Config, e *Endpoint) { e.Secrets = []string{testSecret, ""} },
			`endpoint crm: secrets: secret 2 is empty, or nothing but white space: set it, or leave it out to send unsigned deliveries`},
		{"secret of white space", func(_ *Config, e *Endpoint) { e.Secrets = []string{" \t"} },
			`endpoint crm: secrets: secret 1 is empty, or nothing but white space: set it, or leave it out to send unsigned deliveries`},
		{"format", func(_ *Config, e *Endpoint) { e.Format = "xml" },
			`endpoint crm: format: format "xml" is unknown: use manysends, standard, cloudevents or raw`},
		{"rate", func(_ *Config, e *Endpoint) { e.Rate = &webhook.Rate{} },
			`endpoint crm: rate: rate 0/s is too low: allow at least 1 event per unit of time`},
		{"concurrency", func(_ *Config, e *Endpoint) { e.Concurrency = -1 },
			`endpoint crm: concurrency: -1 is negative: leave it out for 16`},
		{"the endpoint's wait", func(_ *Config, e *Endpoint) { e.Retry = []webhook.Duration{0} },
			`endpoint crm: retry: wait 1 is 0s: every wait must be longer than zero, such as 5s`},
		{"the endpoint's timeout", func(_ *Config, e *Endpoint) { e.Timeout = -1 },
			`endpoint crm: timeout: -1ns is negative: write a time such as 30s`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := valid()
			test.spoil(&c, &c.Endpoints[0])
			err := c.Validate()
			if !errors.Is(err, ErrConfig) {
				t.Fatalf("Validate: %v, want an ErrConfig", err)
			}
			if want := "invalid configuration: " + test.want; err.Error() != want {
				t.Errorf("Validate says\n%s\nwant\n%s", err, want)
			}
			if _, err := New(c, nil, Options{}); !errors.Is(err, ErrConfig) {
				t.Errorf("New: %v, want an ErrConfig", err)
			}
		})
	}
}

// TestValidateHidesSecrets: whatever is wrong with a secret or with a URL that
// holds a password, neither stands in the error.
func TestValidateHidesSecrets(t *testing.T) {
	const hidden = "aHVudGVyMmh1bnRlcjI"
	tests := []struct {
		name string
		set  func(e *Endpoint)
	}{
		{"no prefix", func(e *Endpoint) { e.Secrets = []string{hidden} }},
		{"too short", func(e *Endpoint) { e.Secrets = []string{"whsec_" + hidden + "="} }},
		{"not base64", func(e *Endpoint) { e.Secrets = []string{"whsec_!" + hidden} }},
		{"second", func(e *Endpoint) { e.Secrets = []string{testSecret, "whsk_" + hidden} }},
		{"verifying key", func(e *Endpoint) { e.Secrets = []string{"whpk_" + hidden} }},
		{"bad port behind a password", func(e *Endpoint) { e.URL = "https://user:" + hidden + "@crm.example.com:port/" }},
		{"password with a slash", func(e *Endpoint) { e.URL = "https://user:" + hidden + "/x@crm.example.com/" }},
		{"password with a space", func(e *Endpoint) { e.URL = "https://user:" + hidden + " x@crm.example.com/" }},
		{"password with a per cent sign", func(e *Endpoint) { e.URL = "https://user:" + hidden + "%zz@crm.example.com/" }},
		{"password, and http", func(e *Endpoint) { e.URL = "http://user:" + hidden + "@crm.example.com/" }},
		{"password, and no host", func(e *Endpoint) { e.URL = "https://user:" + hidden + "@/" }},
		{"password, and an address", func(e *Endpoint) { e.URL = "https://user:" + hidden + "@10.0.0.1/" }},
		{"another setting", func(e *Endpoint) { e.Secrets = []string{testSecret}; e.Concurrency = -1 }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			c := valid()
			test.set(&c.Endpoints[0])
			err := c.Validate()
			if !errors.Is(err, ErrConfig) {
				t.Fatalf("Validate: %v, want an ErrConfig", err)
			}
			if s := err.Error(); strings.Contains(s, hidden) || strings.Contains(s, testSecret[6:]) {
				t.Errorf("the error shows the secret: %s", s)
			}
		})
	}
}

func TestValidateAccepts(t *testing.T) {
	tests := map[string]func(c *Config, e *Endpoint){
		"the zero value":               func(c *Config, _ *Endpoint) { *c = Config{} },
		"every event type":             func(c *Config, _ *Endpoint) { c.EventTypes = []webhook.EventType{{Name: "*"}} },
		"an unsigned endpoint":         func(_ *Config, e *Endpoint) { e.Secrets = nil },
		"a name to be judged later":    func(_ *Config, e *Endpoint) { e.URL = "https://localhost/" },
		"http where allowed":           func(c *Config, e *Endpoint) { c.Egress.AllowHTTP = true; e.URL = "http://crm.example.com" },
		"an allowed address":           func(c *Config, e *Endpoint) { c.Egress.Allow = []string{"10.1.2.3"}; e.URL = "https://10.1.2.3/" },
		"an allowed range":             func(c *Config, e *Endpoint) { c.Egress.Allow = []string{"10.1.0.0/16"}; e.URL = "https://10.1.2.3/" },
		"an allowed IPv6 address":      func(c *Config, e *Endpoint) { c.Egress.Allow = []string{"::1"}; e.URL = "https://[::1]:8443/" },
		"a name with a dot at the end": func(c *Config, _ *Endpoint) { c.Egress.Allow = []string{"CRM.internal."} },
		"an ID of all that is allowed": func(_ *Config, e *Endpoint) { e.ID = "Az09_-.:" },
		"the longest ID":               func(_ *Config, e *Endpoint) { e.ID = strings.Repeat("a", 128) },
		"a public address":             func(_ *Config, e *Endpoint) { e.URL = "https://93.184.215.14/" },
	}
	for name, set := range tests {
		t.Run(name, func(t *testing.T) {
			c := valid()
			set(&c, &c.Endpoints[0])
			if err := c.Validate(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestCompileDefaults(t *testing.T) {
	c := valid()
	s, err := compile(&c)
	if err != nil {
		t.Fatal(err)
	}
	if s.retention != DefaultRetention || s.memory != DefaultMemory || !s.catalogue.Knows("message.created") {
		t.Errorf("retention %s, memory %d, knows message.created %t", s.retention, s.memory, s.catalogue.Knows("message.created"))
	}
	e := s.targets[0]
	var retry []time.Duration
	for _, d := range DefaultRetry() {
		retry = append(retry, time.Duration(d))
	}
	if e.timeout != DefaultTimeout || e.concurrency != DefaultConcurrency || e.format != webhook.FormatManySends || !e.wants("label.deleted") {
		t.Errorf("timeout %s, concurrency %d, format %s", e.timeout, e.concurrency, e.format)
	}
	if diff := cmp.Diff(retry, e.retry); diff != "" || len(retry) != 9 {
		t.Errorf("retry (-want +got):\n%s", diff)
	}
}

// TestCompilePrecedence: an endpoint's own setting wins over the common one.
func TestCompilePrecedence(t *testing.T) {
	minute, hour := webhook.Duration(time.Minute), webhook.Duration(time.Hour)
	c := valid()
	c.Retry, c.Timeout = []webhook.Duration{minute}, minute
	c.Endpoints = append(c.Endpoints, Endpoint{ID: "own", URL: "https://example.com", Retry: []webhook.Duration{hour, hour}, Timeout: hour,
		Events: []string{"message.*", "label.created"}, Secrets: []string{testSecret, otherSecret}})
	s, err := compile(&c)
	if err != nil {
		t.Fatal(err)
	}
	common, own := s.targets[0], s.targets[1]
	if common.timeout != time.Minute || !cmp.Equal(common.retry, []time.Duration{time.Minute}) {
		t.Errorf("common: timeout %s, retry %s", common.timeout, common.retry)
	}
	if own.timeout != time.Hour || !cmp.Equal(own.retry, []time.Duration{time.Hour, time.Hour}) {
		t.Errorf("own: timeout %s, retry %s", own.timeout, own.retry)
	}
	if own.wants("conversation.created") || !own.wants("message.deleted") || !own.wants("label.created") || own.wants("label.deleted") {
		t.Error("the event patterns select the wrong types")
	}
	if signers := own.signersAt(time.Now()); len(signers) != 2 || own.bodySecretAt(time.Now()) != signers[0] {
		t.Errorf("%d signers, the body's is not the newest", len(signers))
	}
}

// TestCompileKeepsNothing: a caller that changes its configuration in place
// and applies it again has changed it, and must not change what is in use.
func TestCompileKeepsNothing(t *testing.T) {
	fresh := func() Config {
		c := valid()
		c.Egress.Allow = []string{"10.0.0.1"}
		c.Endpoints[0].Events = []string{"message.created"}
		c.Endpoints[0].Retry = []webhook.Duration{webhook.Duration(time.Minute)}
		c.Endpoints[0].Rate = &webhook.Rate{Events: 1}
		return c
	}
	tests := map[string]func(c *Config){
		"url":          func(c *Config) { c.Endpoints[0].URL = "https://example.com/" },
		"secret":       func(c *Config) { c.Endpoints[0].Secrets[0] = otherSecret },
		"event":        func(c *Config) { c.Endpoints[0].Events[0] = "message.deleted" },
		"wait":         func(c *Config) { c.Endpoints[0].Retry[0] = webhook.Duration(time.Hour) },
		"rate":         func(c *Config) { c.Endpoints[0].Rate.Events = 2 },
		"egress allow": func(c *Config) { c.Egress.Allow[0] = "10.0.0.2" },
		"allow_http":   func(c *Config) { c.Egress.AllowHTTP = true },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			c := fresh()
			before, err := compile(&c)
			if err != nil {
				t.Fatal(err)
			}
			change(&c)
			after, err := compile(&c)
			if err != nil {
				t.Fatal(err)
			}
			if after.targets[0].same(before.targets[0]) && cmp.Equal(after.egress, before.egress) {
				t.Error("the change was not noticed")
			}
			if !after.targets[0].same(after.targets[0]) {
				t.Error("a configuration is another than itself")
			}
		})
	}
}
