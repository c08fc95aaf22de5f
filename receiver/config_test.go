package receiver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/manysends/caddy-webhooks/webhook"
)

func TestValidate(t *testing.T) {
	verifying := func() string {
		key, err := webhook.GenerateSigningKey(bytes.NewReader(make([]byte, 64)))
		if err != nil {
			t.Fatal(err)
		}
		return key.VerifyingKey().String()
	}()
	for _, c := range []struct {
		name  string
		spoil func(*Config)
		want  []string // a part of each problem, in order
		key   bool
	}{
		{"good", func(*Config) {}, nil, false},
		{"verifying key", func(c *Config) { c.Secrets = []string{verifying} }, nil, false},
		{"no provider", func(c *Config) { c.Provider = "" }, []string{"provider is not set: choose one of "}, false},
		{"unknown provider", func(c *Config) { c.Provider = "acme" }, []string{`provider "acme" is unknown: use one of `}, false},
		{"no secrets", func(c *Config) { c.Secrets = nil }, []string{"an empty secret would let anyone in"}, false},
		{"empty secret", func(c *Config) { c.Secrets[1] = "" }, []string{"secrets[1] is empty"}, false},
		{"secret of white space", func(c *Config) { c.Provider, c.Secrets = "github", []string{" \r\n\t"} }, []string{"secrets[0] is empty, or nothing but white space"}, false},
		{"bad secret", func(c *Config) { c.Secrets[0] = "hunter2" }, []string{"secrets[0]: "}, true},
		{"short secret", func(c *Config) { c.Secrets[0] = "whsec_aHVudGVyMg==" }, []string{"secrets[0]: unusable key: a secret of 7 bytes is too short"}, true},
		{"verifying key for a body", func(c *Config) { c.Provider, c.Secrets[1] = "manysends_body", verifying }, []string{"secrets[1]: unusable key: the signature member of a body is made with the shared secret only"}, true},
		{"size", func(c *Config) { c.MaxSize = -1 }, []string{"max_size is -1 bytes"}, false},
		{"negative capacity in bytes", func(c *Config) { c.Dedupe.CapacityBytes = -1 }, []string{"dedupe.capacity_bytes is -1: use a positive size"}, false},
		{"two capacities", func(c *Config) { c.Dedupe.Capacity, c.Dedupe.CapacityBytes = 1, 1 }, []string{"dedupe.capacity and dedupe.capacity_bytes are both set: keep one"}, false},
		{"ip_rate", func(c *Config) { c.IPRate = &webhook.Rate{} }, []string{"ip_rate: rate 0/s is too low"}, false},
		{"rate", func(c *Config) { c.Rates = []SourceRate{{Rate: webhook.Rate{Events: 1, Burst: -1}}} }, []string{"rates[0]: rate 1/s burst -1 has a negative burst"}, false},
		{"ttl", func(c *Config) { c.Dedupe.TTL = -1 }, []string{"dedupe.ttl is -1ns"}, false},
		{"capacity", func(c *Config) { c.Dedupe.Capacity = -1 }, []string{"dedupe.capacity is -1"}, false},
		{"several", func(c *Config) { *c = Config{MaxSize: -1} }, []string{"provider", "secrets", "max_size"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := testConfig("standard")
			c.spoil(&cfg)
			err := cfg.Validate()
			var got []string
			if err != nil {
				got = strings.Split(err.Error(), "\n")
			}
			if len(got) != len(c.want) {
				t.Fatalf("%d problems, want %d: %q", len(got), len(c.want), got)
			}
			for i := range got {
				if !strings.HasPrefix(got[i], "invalid configuration: ") || !strings.Contains(got[i], c.want[i]) {
					t.Errorf("problem %q does not say %q", got[i], c.want[i])
				}
				if strings.Contains(got[i], "hunter2") || strings.Contains(got[i], "aHVudGVyMg") {
					t.Errorf("problem %q shows a secret", got[i])
				}
			}
			if errors.Is(err, ErrConfig) != (err != nil) || errors.Is(err, webhook.ErrKey) != c.key {
				t.Errorf("error %v: wrapped ErrConfig %t, ErrKey %t", err, errors.Is(err, ErrConfig), errors.Is(err, webhook.ErrKey))
			}
			state := NewState(StateOptions{})
			defer state.Close()
			if _, newErr := New(cfg, Options{State: state}); (newErr == nil) != (err == nil) {
				t.Errorf("New says %v, Validate %v", newErr, err)
			}
		})
	}
}

func TestConfigJSON(t *testing.T) {
	const text = `{"name":"n","provider":"standard","secrets":["s"],"max_size":5,"tolerance":"1m","ip_rate":{"events":2},"rates":[{"events":3,"burst":4,"by":"x"}],"dedupe":{"ttl":"1h","wait":"2s","capacity":6}}`
	var c Config
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		t.Fatal(err)
	}
	want := Config{
		Name: "n", Provider: "standard", Secrets: []string{"s"}, MaxSize: 5, Tolerance: webhook.Duration(time.Minute),
		IPRate: &webhook.Rate{Events: 2},
		Rates:  []SourceRate{{Rate: webhook.Rate{Events: 3, Burst: 4}, By: "x"}},
		Dedupe: Dedupe{TTL: webhook.Duration(time.Hour), Wait: webhook.Duration(2 * time.Second), Capacity: 6},
	}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Errorf("read (-want +got):\n%s", diff)
	}
	again, err := json.Marshal(c)
	if err != nil || string(again) != text {
		t.Errorf("written: %s, error %v", again, err)
	}
}

func TestProviders(t *testing.T) {
	list := Providers()
	if !slices.IsSortedFunc(list, func(a, b Provider) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("the providers are not sorted by name")
	}
	for i, p := range list {
		if !regexp.MustCompile(`^[a-z][a-z0-9_]*$`).MatchString(p.Name) || !strings.HasSuffix(p.Description, ".") {
			t.Errorf("provider %+v has no good name or no description", p)
		}
		if i > 0 && list[i-1].Name == p.Name {
			t.Errorf("there are two providers of the name %s", p.Name)
		}
		if p.Name != customName && (p.Title == "" || !strings.HasPrefix(p.Source, "https://")) {
			t.Errorf("provider %s has no title or no source", p.Name)
		}
		row := providers[i]
		if row.template != nil {
			if _, problems := row.template.compile(); len(problems) > 0 {
				t.Errorf("provider %s: %q", p.Name, problems)
			}
		}
		if row.newScheme == nil && p.Name != customName {
			t.Errorf("provider %s has nothing to verify with", p.Name)
		}
		// An ID that nobody vouches for must not be all there is.
		if !row.IDSigned && !slices.Contains(row.claims, claimContent) {
			t.Errorf("provider %s: the ID is not signed and the content is not claimed", p.Name)
		}
		if len(row.claims) == 0 || len(row.claims) > len(claim{}.keys) {
			t.Errorf("provider %s claims %d keys", p.Name, len(row.claims))
		}
	}
	list[0].Name = "changed"
	if Providers()[0].Name == "changed" {
		t.Error("the list is not a copy")
	}
}

// Keys may be kept across restarts and shared by machines, so they must not
// change. The values are SHA-256 over the length-prefixed parts, made elsewhere.
func TestKeysAreStable(t *testing.T) {
	m := newKeyMaker("orders", "standard")
	if got, want := fmt.Sprintf("%x", m.ofID("evt_1")), "86f82d16eb8c7e30795598dd57009da4"; got != want {
		t.Errorf("of an ID: %s, want %s", got, want)
	}
	if got, want := fmt.Sprintf("%x", m.ofContent([]byte("evt"), []byte("_1"))), "987c9ab6eefeaeb75f6671f1aeb76876"; got != want {
		t.Errorf("of content: %s, want %s", got, want)
	}
	others := map[key]string{m.ofID("evt_1"): "itself"}
	for name, k := range map[string]key{
		"scope":       newKeyMaker("order", "sstandard").ofID("evt_1"),
		"provider":    newKeyMaker("orders", "manysends").ofID("evt_1"),
		"ID":          m.ofID("evt_2"),
		"content":     m.ofContent([]byte("evt_1")),
		"long ID":     m.ofID(strings.Repeat("x", 1000)),
		"no ID":       m.ofID(""),
		"no content":  m.ofContent(),
		"no name":     newKeyMaker("", "standard").ofID("evt_1"),
		"empty parts": newKeyMaker("", "").ofID(""),
	} {
		if other, taken := others[k]; taken {
			t.Errorf("%s: the same key as %s", name, other)
		}
		others[k] = name
	}
}

// One line for each refused request, none for the others, and no secret, no
// signature and no body in any.
func TestLog(t *testing.T) {
	var out bytes.Buffer
	tick := newClock()
	rc := mustNew(t, testConfig("standard"), Options{
		Now:      tick.Now,
		Logger:   slog.New(slog.NewJSONHandler(&out, nil)),
		ClientIP: func(*http.Request) netip.Addr { return netip.MustParseAddr("192.0.2.9") },
	})
	bodyRC := mustNew(t, testConfig("manysends_body"), Options{State: rc.state, Now: tick.Now, Logger: rc.logger})
	good, _ := signedRequest(t, "standard", eventID(1), tick.Now(), []byte(`{"private":1}`))
	forged, _ := requestSignedWith(t, foreignSecret, "standard", eventID(1), tick.Now(), []byte(`{"private":1}`))
	old, _ := signedRequest(t, "standard", eventID(2), tick.Now().Add(-time.Hour), []byte(`{"private":1}`))
	unsigned, _ := requestSignedWith(t, foreignSecret, "manysends_body", eventID(3), tick.Now(), []byte(`{"private":1}`))
	for _, c := range []struct {
		name string
		rc   *Receiver
		r    *http.Request
		want map[string]any
	}{
		{"accepted", rc, good, nil},
		{"method", rc, httptest.NewRequest(http.MethodGet, "/", nil), map[string]any{
			"level": "INFO", "reason": "method", "status": 405.0, "provider": "standard", "client_ip": "192.0.2.9",
		}},
		{"forged", rc, forged, map[string]any{
			"level": "WARN", "reason": "signature_mismatch", "status": 401.0, "provider": "standard", "client_ip": "192.0.2.9",
		}},
		{"old", rc, old, map[string]any{
			"level": "WARN", "reason": "too_old", "status": 401.0, "provider": "standard", "client_ip": "192.0.2.9", "event_id": eventID(2),
		}},
		{"forged body", bodyRC, unsigned, map[string]any{
			"level": "WARN", "reason": "signature_mismatch", "status": 401.0, "provider": "manysends_body", "client_ip": "192.0.2.1",
		}},
	} {
		out.Reset()
		_ = c.rc.Handle(httptest.NewRecorder(), c.r, answerWith(200))
		if c.want == nil {
			if out.Len() != 0 {
				t.Errorf("%s: logged %s", c.name, out.String())
			}
			continue
		}
		var got map[string]any
		if err := json.Unmarshal(out.Bytes(), &got); err != nil {
			t.Fatalf("%s: not one line: %v: %s", c.name, err, out.String())
		}
		if got["error"] == nil || got["msg"] != "webhook refused" {
			t.Errorf("%s: logged %s", c.name, out.String())
		}
		for _, member := range []string{"time", "msg", "error"} {
			delete(got, member)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
		for _, private := range []string{testSecret, oldSecret, "private", "v1,", "0123456789abcdef", c.r.Header.Get(webhook.HeaderSignature)} {
			if private != "" && strings.Contains(out.String(), private) {
				t.Errorf("%s: the log shows %q: %s", c.name, private, out.String())
			}
		}
	}
}

func TestRemoteAddr(t *testing.T) {
	for _, c := range []struct {
		remote string
		want   netip.Addr
	}{
		{"192.0.2.1:80", netip.MustParseAddr("192.0.2.1")},
		{"[2001:db8::1]:80", netip.MustParseAddr("2001:db8::1")},
		{"@", netip.Addr{}},
		{"", netip.Addr{}},
	} {
		if got := remoteAddr(&http.Request{RemoteAddr: c.remote}); got != c.want {
			t.Errorf("%q: %s, want %s", c.remote, got, c.want)
		}
	}
}
