package redisseen_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/manysends/caddy-webhooks/internal/redistest"
	"github.com/manysends/caddy-webhooks/receiver"
	"github.com/manysends/caddy-webhooks/receiver/redisseen"
)

// settings are those of TLS that trust an authority and show a certificate of
// another, or the same.
func settings(t *testing.T, trusted, own *redistest.Authority) *tls.Config {
	t.Helper()
	text, err := os.ReadFile(trusted.File)
	if err != nil {
		t.Fatal(err)
	}
	c := &tls.Config{RootCAs: x509.NewCertPool(), MinVersion: tls.VersionTLS12}
	c.RootCAs.AppendCertsFromPEM(text)
	if own != nil {
		certificate, key := own.Issue(t, "receiver")
		pair, err := tls.LoadX509KeyPair(certificate, key)
		if err != nil {
			t.Fatal(err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c
}

// Redis over TLS, where both sides show certificates, keeps the law as well.
func TestRedisOverTLSIsASeen(t *testing.T) {
	authority := redistest.NewAuthority(t)
	server := redistest.StartTLS(t, authority, "127.0.0.1", "--appendonly", "no")
	keepsTheLaw(t, redisseen.Options{URL: server.URL(), TLS: settings(t, authority, authority)})
}

// Nothing is said to a server that cannot show who it is, and the error says
// what is wrong with it.
func TestTLS(t *testing.T) {
	authority, other := redistest.NewAuthority(t), redistest.NewAuthority(t)
	byAddress := redistest.StartTLS(t, authority, "127.0.0.1", "--appendonly", "no")
	byName := redistest.StartTLS(t, authority, "redis.example.com", "--appendonly", "no")
	plain := redistest.Start(t, "--appendonly", "no")
	named := settings(t, authority, authority)
	named.ServerName = "redis.example.com"
	for _, tt := range []struct {
		name   string
		server *redistest.Server
		tls    *tls.Config
		says   string // empty: it works
	}{
		{"all is right", byAddress, settings(t, authority, authority), ""},
		{"a server with a name", byName, named, ""},
		{"the name is not expected", byName, settings(t, authority, authority), "127.0.0.1"},
		{"another name is expected", byAddress, named, "redis.example.com"},
		{"an authority that is not trusted", byAddress, settings(t, other, authority), "unknown authority"},
		{"an authority that the system does not know", byAddress, nil, "unknown authority"},
		{"no certificate of ours", byAddress, settings(t, authority, nil), "cannot be reached"},
		{"one of ours that the server does not trust", byAddress, settings(t, authority, other), "cannot be reached"},
		{"a server without TLS", plain, settings(t, authority, authority), "cannot be reached"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := open(t, redisseen.Options{URL: "rediss://" + tt.server.Addr, Name: "n", TLS: tt.tls})
			ctx := context.Background()
			if tt.says == "" {
				eventually(t, "a claim", func() bool {
					found, err := m.Claim(ctx, []receiver.Key{{1}}, 0)
					return err == nil && found.Hold != nil && found.Hold.Release(ctx) == nil
				})
				return
			}
			if _, err := m.Claim(ctx, []receiver.Key{{1}}, 0); !errors.Is(err, receiver.ErrUnavailable) || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error %v, want one that says %q", err, tt.says)
			}
		})
	}
	err := redisseen.Options{URL: plain.URL(), TLS: named}.Validate()
	if err == nil || !strings.Contains(err.Error(), "rediss://") {
		t.Errorf("settings of TLS with a URL without: error %v", err)
	}
}
