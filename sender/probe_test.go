package sender

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/manysends/caddy-webhooks/webhook"
)

// TestProbe guards that an endpoint can be tested without a sender and a store,
// that the rules hold all the same, and that the sample is signed.
func TestProbe(t *testing.T) {
	var got http.Header
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header
		body, _ = io.ReadAll(r.Body)
		if r.URL.Path == "/broken" {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	defer server.Close()
	open := Egress{Allow: []string{"127.0.0.1"}, AllowHTTP: true}
	tests := []struct {
		name, url string
		egress    Egress
		eventType string
		checks    string
		ok        bool
	}{
		{"taken", server.URL + "/hooks", open, "message.created", "url dns egress connect tls~ answer time signature", true},
		{"refused", server.URL + "/broken", open, "", "url dns egress connect tls~ answer!", false},
		{"no http", server.URL, Egress{Allow: []string{"127.0.0.1"}}, "", "url!", false},
		{"no loopback", server.URL, Egress{AllowHTTP: true}, "", "url dns egress!", false},
		{"no URL", "localhost:80", open, "", "url!", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, body = nil, nil
			report, err := Probe(t.Context(), Config{Egress: tt.egress}, Endpoint{URL: tt.url, Secrets: []string{testSecret}}, tt.eventType, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if names(report.Checks) != tt.checks || report.OK != tt.ok || report.Summary == "" {
				t.Errorf("checks %q, OK %v, summary %q; want %q, %v", names(report.Checks), report.OK, report.Summary, tt.checks, tt.ok)
			}
			if sent := got != nil; sent != strings.Contains(tt.checks, "answer") {
				t.Errorf("the sample was sent: %v", sent)
			}
			if !tt.ok {
				return
			}
			key, err := webhook.ParseVerifier(testSecret)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := webhook.Verify([]webhook.Verifier{key}, got, body, report.Attempt.StartedAt, DefaultTimeout); err != nil {
				t.Error(err)
			}
			if report.Type != tt.eventType {
				t.Errorf("the sample is of type %q", report.Type)
			}
		})
	}
}

// TestProbeRefuses guards what is an error and not a report.
func TestProbeRefuses(t *testing.T) {
	ended, end := context.WithCancel(t.Context())
	end()
	tests := []struct {
		name      string
		ctx       context.Context
		config    Config
		endpoint  Endpoint
		eventType string
		want      error
	}{
		{"rules", t.Context(), Config{Egress: Egress{Allow: []string{"a b"}}}, Endpoint{URL: "https://example.com"}, "", ErrConfig},
		{"secret", t.Context(), Config{}, Endpoint{URL: "https://example.com", Secrets: []string{"short"}}, "", ErrEndpoint},
		{"type", t.Context(), Config{}, Endpoint{URL: "https://example.com"}, "no.such", ErrEndpoint},
		{"ended", ended, Config{Egress: Egress{Allow: []string{"127.0.0.1"}, AllowHTTP: true}}, Endpoint{URL: "http://127.0.0.1:1"}, "", context.Canceled},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := Probe(tt.ctx, tt.config, tt.endpoint, tt.eventType, Options{}); !errors.Is(err, tt.want) {
				t.Errorf("error %v, want %v", err, tt.want)
			}
		})
	}
}
