package sender_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/sender/sqlitestore"
	"github.com/manysends/caddy-webhooks/webhook"
)

// rotate rotates an endpoint's secret and returns the new one.
func (r *rig) rotate(id string, rotation sender.Rotation) string {
	r.t.Helper()
	_, secret, err := r.RotateSecret(r.t.Context(), "", id, rotation)
	if err != nil {
		r.t.Fatal(err)
	}
	return secret
}

// signedBy publishes an event and tells which of the secrets have signed it.
func (r *rig) signedBy(p *peer, endpoint, event string, secrets ...string) (by []bool) {
	r.t.Helper()
	before := p.count()
	r.publish(event)
	p.waitFor(r.t, before+1)
	r.delivered(endpoint, event)
	got := p.all()[before]
	for _, s := range secrets {
		by = append(by, verified(r.t.(*testing.T), got, s, r.clock.Now()))
	}
	return by
}

// TestRotation: the secret before signs beside the new one for a day, or as
// long as asked for, and not a moment longer, also after a restart.
func TestRotation(t *testing.T) {
	p := newPeer(t, nil)
	r := newRig(t, toPeers())
	id := r.create(p, func(e *sender.NewEndpoint) { e.Secrets = []string{secretText} })
	r.clock.advance(time.Minute)
	second := r.rotate(id, sender.Rotation{})
	if second == secretText || !strings.HasPrefix(second, "whsec_") {
		t.Error("there is no new secret")
	}
	if until := r.info(id).PreviousSecretUntil; !until.Equal(r.clock.Now().Add(24 * time.Hour)) {
		t.Errorf("the previous secret signs until %s", until)
	}
	steps := []struct {
		name    string
		advance time.Duration
		want    []bool
	}{
		{"at-once", 0, []bool{true, true}},
		{"almost-a-day", 24*time.Hour - time.Millisecond, []bool{true, true}},
		{"a-day", time.Millisecond, []bool{false, true}},
	}
	for _, step := range steps {
		r.clock.advance(step.advance)
		if diff := cmp.Diff(step.want, r.signedBy(p, id, step.name, secretText, second)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", step.name, diff)
		}
		r.delivered(id, step.name) // or it would be delivered again
		r.restart()
	}
	if !r.info(id).PreviousSecretUntil.IsZero() {
		t.Error("a previous secret is said to sign")
	}
	// The body is signed by the newest alone.
	key, err := webhook.ParseSecret(second)
	if err != nil {
		t.Fatal(err)
	}
	got := p.all()
	for _, request := range got {
		if _, err := webhook.VerifyBody([]*webhook.Secret{key}, request.body); err != nil {
			t.Errorf("the body of %s: %v", request.id, err)
		}
	}

	given := r.rotate(id, sender.Rotation{Secret: otherSecretText, Overlap: webhook.Duration(time.Hour)})
	if given != otherSecretText {
		t.Error("the secret that was given was not taken")
	}
	r.clock.advance(time.Hour)
	if diff := cmp.Diff([]bool{false, true}, r.signedBy(p, id, "an-hour", second, given)); diff != "" {
		t.Errorf("after an hour (-want +got):\n%s", diff)
	}
	third := r.rotate(id, sender.Rotation{Overlap: -1})
	if diff := cmp.Diff([]bool{false, true}, r.signedBy(p, id, "hard", given, third)); diff != "" {
		t.Errorf("without overlap (-want +got):\n%s", diff)
	}
	var wrong *sender.FieldError
	if _, _, err := r.RotateSecret(t.Context(), "", id, sender.Rotation{Secret: third}); !errors.As(err, &wrong) || wrong.Field != "secret" {
		t.Errorf("rotated to the same secret: %v", err)
	}
	for range 4 {
		third = r.rotate(id, sender.Rotation{})
	}
	if _, _, err := r.RotateSecret(t.Context(), "", id, sender.Rotation{}); !errors.As(err, &wrong) || wrong.Field != "secret" {
		t.Errorf("a sixth secret signs: %v", err)
	}
	secrets, err := r.Secrets(t.Context(), "", id)
	if err != nil || len(secrets) != 5 || secrets[0].Secret != third || !secrets[0].ExpiresAt.IsZero() {
		t.Errorf("%d secrets, %v", len(secrets), err)
	}
}

// TestSigningKeys: an endpoint may sign with Ed25519, shows the public key, and
// can change over from a shared secret and to no secret at all.
func TestSigningKeys(t *testing.T) {
	p := newPeer(t, nil)
	r := newRig(t, toPeers())
	id := r.create(p, func(e *sender.NewEndpoint) { e.Signing = sender.SigningEd25519 })
	info := r.info(id)
	if len(info.PublicKeys) != 1 || !info.Signed {
		t.Fatalf("public keys: %q", info.PublicKeys)
	}
	if diff := cmp.Diff([]bool{true}, r.signedBy(p, id, "key", info.PublicKeys[0])); diff != "" {
		t.Errorf("the public key does not check the signature:\n%s", diff)
	}
	if next := r.rotate(id, sender.Rotation{}); !strings.HasPrefix(next, "whsk_") {
		t.Error("a signing key was not followed by a signing key")
	}
	keys := r.info(id).PublicKeys
	if len(keys) != 2 || keys[1] != info.PublicKeys[0] {
		t.Fatalf("public keys: %q", keys)
	}
	shared := r.rotate(id, sender.Rotation{Signing: sender.SigningHMAC})
	if diff := cmp.Diff([]bool{true, true, true}, r.signedBy(p, id, "all", keys[0], keys[1], shared)); diff != "" {
		t.Errorf("not all have signed:\n%s", diff)
	}
	if none := r.rotate(id, sender.Rotation{Signing: sender.SigningNone, Overlap: -1}); none != "" {
		t.Error("there is a secret")
	}
	r.publish("unsigned")
	p.waitFor(t, 3)
	if got := p.all()[2]; got.header.Get("webhook-signature") != "" || strings.Contains(string(got.body), "signature") || r.info(id).Signed {
		t.Error("a delivery without a secret is signed")
	}
}

// encryptionKey makes a key of one letter.
func encryptionKey(letter string) string {
	return base64.StdEncoding.EncodeToString([]byte(strings.Repeat(letter, 32)))
}

// inFiles tells whether a text stands anywhere in the store's files.
func (r *rig) inFiles(text string) bool {
	r.t.Helper()
	files, err := filepath.Glob(r.path + "*")
	if err != nil || len(files) == 0 {
		r.t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			r.t.Fatal(err)
		}
		if bytes.Contains(content, []byte(text)) {
			return true
		}
	}
	return false
}

// TestSealed: with an encryption key the store's files never hold a secret or
// the value of a header, keys can be changed, and a store whose key is missing
// is not used.
func TestSealed(t *testing.T) {
	const credential = "Bearer very-confidential"
	p := newPeer(t, nil)
	c := toPeers()
	c.EncryptionKeys = []string{encryptionKey("a")}
	r := newRig(t, c)
	id := r.create(p, func(e *sender.NewEndpoint) {
		e.Secrets, e.Headers = []string{secretText}, map[string]string{"Authorization": credential}
	})
	next := r.rotate(id, sender.Rotation{})
	check := func(when string) {
		t.Helper()
		for _, hidden := range []string{secretText[6:40], next[6:40], credential} {
			if r.inFiles(hidden) {
				t.Errorf("%s, the files hold %q", when, hidden[:4]+"…")
			}
		}
		secrets, err := r.Secrets(t.Context(), "", id)
		if err != nil || len(secrets) != 2 || secrets[0].Secret != next {
			t.Errorf("%s, the secrets are others: %v", when, err)
		}
	}
	check("when made")
	r.restart()
	check("after a restart")

	r.config.EncryptionKeys = []string{encryptionKey("b"), encryptionKey("a")}
	r.restart()
	check("with a new key")
	r.config.EncryptionKeys = []string{encryptionKey("b")}
	r.restart() // everything has been sealed again
	check("without the old key")

	r.config.EncryptionKeys = []string{encryptionKey("c")}
	r.apply() // also while it runs
	r.restart()
	check("with a key changed at run time")

	unsealed := r.config
	unsealed.EncryptionKeys = nil
	if err := r.Apply(unsealed); !errors.Is(err, sender.ErrConfig) || !strings.Contains(err.Error(), "encryption_key") {
		t.Errorf("the key was taken away at run time: %v, want ErrConfig", err)
	}
	check("after the key was to be taken away")

	for name, keys := range map[string][]string{"no key": nil, "another key": {encryptionKey("a")}} {
		r.close()
		store, err := sqlitestore.Open(r.path, sqlitestore.Options{})
		if err != nil {
			t.Fatal(err)
		}
		bad := r.config
		bad.EncryptionKeys = keys
		if s, err := sender.New(bad, store, sender.Options{}); !errors.Is(err, sender.ErrSealed) || !strings.Contains(err.Error(), id) {
			t.Errorf("%s: %v, want ErrSealed and the endpoint's name", name, err)
			if err == nil {
				_ = s.Close()
			}
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		r.open()
		r.start()
	}
	check("after others have tried")

	// What was stored in the clear is sealed once there is a key.
	plain := newRig(t, toPeers())
	plain.create(p, func(e *sender.NewEndpoint) { e.Secrets = []string{otherSecretText} })
	for range 30 { // which fill more than one page
		plain.create(p, func(e *sender.NewEndpoint) {
			e.Secrets, e.Description = []string{otherSecretText}, strings.Repeat("x", 300)
		})
	}
	if !plain.inFiles(otherSecretText[6:40]) {
		t.Error("the test does not find what is stored in the clear")
	}
	plain.config.EncryptionKeys = []string{encryptionKey("a")}
	plain.restart()
	plain.config.EncryptionKeys = nil
	plain.close()
	store, err := sqlitestore.Open(plain.path, sqlitestore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	documents, err := store.Documents(t.Context(), "endpoint")
	if err != nil || len(documents) != 31 {
		t.Errorf("%d documents, %v", len(documents), err)
	}
	if plain.inFiles(otherSecretText[6:40]) {
		t.Error("what was stored in the clear before is still in the files")
	}
}
