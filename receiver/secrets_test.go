package receiver

import (
	"errors"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/manysends/caddy-webhooks/webhook"
)

func TestSetSecrets(t *testing.T) {
	b := newBench(t, testConfig("standard"))
	n := 0
	accepts := func(secret string) bool {
		n++
		r, _ := requestSignedWith(t, secret, "standard", eventID(n), b.clock.Now(), []byte(`{}`))
		_, err := b.send(r)
		return err == nil
	}
	for _, bad := range [][]string{nil, {""}, {"hunter2"}, {foreignSecret, ""}} {
		err := b.SetSecrets(bad)
		if !errors.Is(err, ErrConfig) {
			t.Errorf("secrets %q: error %v", bad, err)
		}
		if errors.Is(err, webhook.ErrKey) != (len(bad) == 1 && bad[0] == "hunter2") {
			t.Errorf("secrets %q: error %v, about a key or not", bad, err)
		}
	}
	if !accepts(testSecret) || !accepts(oldSecret) || accepts(foreignSecret) {
		t.Error("an error changed the secrets")
	}
	secrets := []string{foreignSecret, testSecret}
	if err := b.SetSecrets(secrets); err != nil {
		t.Fatal(err)
	}
	secrets[0] = "whatever" // the caller's slice is the caller's
	if !accepts(testSecret) || accepts(oldSecret) || !accepts(foreignSecret) {
		t.Error("the secrets were not replaced")
	}
	if got := b.observed[len(b.observed)-1].SecretIndex; got != 0 {
		t.Errorf("secret index %d, want 0", got)
	}
	// What has been seen stays seen.
	r, _ := requestSignedWith(t, foreignSecret, "standard", eventID(1), b.clock.Now(), []byte(`{}`))
	if w, err := b.send(r); err != nil || w.Header().Get(HeaderDuplicate) != "true" {
		t.Errorf("error %v, headers %v: want a duplicate", err, w.Header())
	}
}

// Requests go on while the secrets are replaced again and again.
func TestSetSecretsDuringTraffic(t *testing.T) {
	rc := mustNew(t, testConfig("standard"), Options{})
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for n := range 200 {
				r, _ := signedRequest(t, "standard", eventID(g<<16+n), rc.now(), []byte(`{}`))
				if err := rc.Handle(httptest.NewRecorder(), r, answerWith(200)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 200 {
		for _, secrets := range [][]string{{testSecret}, {oldSecret, testSecret}} {
			if err := rc.SetSecrets(secrets); err != nil {
				t.Error(err)
			}
		}
	}
	wg.Wait()
}
