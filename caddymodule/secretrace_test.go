package caddymodule

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/manysends/caddy-webhooks/receiver"
)

// TestSecretsAreReadBesideRequests guards that a request which comes while its
// configuration is not in force, as before it runs as a whole, can be checked
// while secrets are read again, and is checked with those. A race shows when it is
// run with -race.
func TestSecretsAreReadBesideRequests(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secret")
	put := func(secret string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(secret), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("the first secret")
	log := slog.New(slog.DiscardHandler)
	h := &Receive{log: log, settings: receiver.Config{Provider: "github", Name: "raced", Secrets: []string{"the first secret"}}}
	h.Secrets = []string{"{file." + path + "}"}
	h.secrets = newSecretFiles(h.Secrets)
	h.app = &Receivers{started: make(chan struct{}), over: make(chan struct{})}
	close(h.app.over) // so that nobody waits
	if err := acquireState(h, log); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := releaseState(h.stateKey()); err != nil {
			t.Error(err)
		}
	}()
	if err := h.open(openState(h.stateKey())); err != nil {
		t.Fatal(err)
	}
	put("the second one")
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 100 {
			h.readSecretsAgain()
		}
	}()
	for range 100 {
		if h.receiverFor(t.Context()) == nil {
			t.Fatal("there is no receiver")
		}
	}
	<-done
	if got := h.secretsInForce()[0]; got != "the second one" {
		t.Errorf("in force is %q", got)
	}
}
