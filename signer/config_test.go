package signer_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/manysends/caddy-webhooks/receiver"
	"github.com/manysends/caddy-webhooks/signer"
	"github.com/manysends/caddy-webhooks/webhook"
)

// TestValidate guards that each thing that cannot work is refused, with one
// sentence that says what to do and holds no secret.
func TestValidate(t *testing.T) {
	const secret = "a-secret-of-the-test"
	with := func(provider string) signer.Config {
		return signer.Config{Provider: provider, Secrets: []string{secret}}
	}
	custom := func(t receiver.Template) signer.Config {
		c := with("custom")
		c.Template = &t
		return c
	}
	tests := []struct {
		name string
		cfg  signer.Config
		is   error // beside ErrConfig
		want string
	}{
		{"no provider", signer.Config{Secrets: []string{secret}}, nil, "provider is not set: choose one of"},
		{"an unknown one", with("githup"), nil, `provider "githup" is unknown: use one of gitea, github`},
		{"no template", with("custom"), nil, "template is not set: provider custom needs it"},
		{"a template too many", func() signer.Config { c := with("github"); c.Template = new(receiver.Template); return c }(), nil, "template goes with provider custom only"},
		{"a wrong template", custom(receiver.Template{}), nil, "template.signature is not set: name the header"},
		{"a signature in the body", custom(receiver.Template{Signature: []receiver.Place{{JSON: "signature"}}}), receiver.ErrOneWay, "provider custom cannot be imitated: its signature is in no header"},
		{"two values in a header without a list", custom(receiver.Template{
			Content: "{timestamp}.{body}", Signature: []receiver.Place{{Header: "X-Sign", Prefix: "v="}}, Timestamp: []receiver.Place{{Header: "x-sign", Prefix: "t="}},
		}), receiver.ErrOneWay, "the header X-Sign holds two values, and nothing says what is between them"},
		{"rules of its own", with("adyen"), receiver.ErrOneWay, "provider adyen cannot be imitated: its signature is inside the body, or made by rules that no template can express"},
		{"a body's own signature", with("manysends_body"), receiver.ErrOneWay, "provider manysends_body cannot be imitated"},
		{"no secret", signer.Config{Provider: "github"}, nil, "secrets is empty: give the secret to sign with"},
		{"an empty secret", signer.Config{Provider: "github", Secrets: []string{""}}, nil, "secrets[0] is empty, or nothing but white space: give the secret, or check the variable"},
		{"a secret of white space", signer.Config{Provider: "github", Secrets: []string{" \r\n\t"}}, nil, "secrets[0] is empty, or nothing but white space"},
		{"two secrets for one place", signer.Config{Provider: "github", Secrets: []string{secret, "b"}}, nil, "secrets has 2, and a request of provider github has room for 1: keep the newest"},
		{"many secrets", signer.Config{Provider: "stripe", Secrets: strings.Split(strings.Repeat("a ", 17), " ")[:17]}, nil, "secrets has 17, and a request of provider stripe has room for 16"},
		{"a secret in another form", with("standard"), webhook.ErrKey, `secrets[0]: unusable key: a secret starts with "whsec_"`},
		{"a verifying key", signer.Config{Provider: "standard", Secrets: []string{"whpk_" + secret}}, webhook.ErrKey, "this is a verifying key"},
		{"a secret that is not hex", func() signer.Config { c := with("github"); c.Key = "hex"; return c }(), webhook.ErrKey, "secrets[0]: unusable key: it must be hex"},
		{"a key form that does not go with it", func() signer.Config { c := with("discord"); c.Key = "raw"; return c }(), nil, `key "raw" does not go with ed25519`},
		{"a token that is no header", signer.Config{Provider: "telegram", Secrets: []string{secret + "\n"}}, webhook.ErrKey, "holds a character that a header cannot"},
		{"an ID that goes nowhere", func() signer.Config { c := with("stripe"); c.ID = "x"; return c }(), nil, "id is set, and provider stripe sends no ID in a header: leave id out"},
		{"no URL", with("square"), nil, "url is not set, and provider square signs it"},
		{"a URL too many", func() signer.Config { c := with("github"); c.URL = testURL; return c }(), nil, "url is set, and provider github does not sign it: leave url out"},
		{"half a URL", func() signer.Config { c := with("square"); c.URL = "/hooks"; return c }(), nil, "url is not a whole address"},
		{"a negative size", func() signer.Config { c := with("github"); c.MaxSize = -1; return c }(), nil, "max_size is -1 bytes: use a positive size, or leave it out for 1048576"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.cfg.Validate()
			if !errors.Is(err, signer.ErrConfig) || !strings.Contains(err.Error(), tt.want) || tt.is != nil && !errors.Is(err, tt.is) {
				t.Fatalf("error %v, want one that wraps %v, with %q", err, tt.is, tt.want)
			}
			if strings.Contains(err.Error(), secret) || strings.Count(err.Error(), signer.ErrConfig.Error()) != 1 {
				t.Errorf("the error shows the secret, or repeats itself: %v", err)
			}
			if _, err := signer.New(tt.cfg, signer.Options{}); !errors.Is(err, signer.ErrConfig) {
				t.Errorf("New: %v", err)
			}
		})
	}
	two := signer.Config{Provider: "square", ID: "x", MaxSize: -1}
	if err := two.Validate(); strings.Count(err.Error(), "\n") != 3 {
		t.Errorf("four problems make %v", err)
	}
}

// TestPrivateKeys guards the forms that a private key may be written in, and
// that a key of another kind is refused.
func TestPrivateKeys(t *testing.T) {
	seed := make([]byte, ed25519.SeedSize)
	if _, err := rand.Read(seed); err != nil {
		t.Fatal(err)
	}
	ed := ed25519.NewKeyFromSeed(seed)
	other := append(append([]byte(nil), seed...), make([]byte, 32)...)
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ec384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	big, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	text := func(kind string, der []byte, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	sec1, err := x509.MarshalECPrivateKey(ec)
	sec1Text := text("EC PRIVATE KEY", sec1, err)
	oneLine := func(s string) string {
		lines := strings.Split(strings.TrimSpace(s), "\n")
		return strings.Join(lines[1:len(lines)-1], "")
	}
	raw := base64.StdEncoding.EncodeToString
	tests := []struct {
		name, algorithm, key string
		private              string
		public               any
		want                 string // the error; empty: there is none
	}{
		{"seed in hex", "ed25519", "hex", hex.EncodeToString(seed), ed.Public(), ""},
		{"whole key in hex", "ed25519", "hex", hex.EncodeToString(ed), ed.Public(), ""},
		{"seed in base64", "ed25519", "base64", raw(seed), ed.Public(), ""},
		{"PEM where hex is usual", "ed25519", "hex", privatePEM(t, ed), ed.Public(), ""},
		{"PEM", "ed25519", "spki", privatePEM(t, ed), ed.Public(), ""},
		{"PEM of ECDSA", "ecdsa-p256-sha256", "", privatePEM(t, ec), ec.Public(), ""},
		{"PEM of ECDSA in its old form", "ecdsa-p256-sha256", "", sec1Text, ec.Public(), ""},
		{"base64 of ECDSA", "ecdsa-p256-sha256", "", oneLine(privatePEM(t, ec)), ec.Public(), ""},
		{"PEM of RSA", "rsa-sha256", "", privatePEM(t, big), big.Public(), ""},
		{"PEM of RSA in its old form", "rsa-sha256", "", text("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(big), nil), big.Public(), ""},
		{"two halves", "ed25519", "hex", hex.EncodeToString(other), nil, "the two halves of the key do not belong together"},
		{"a short seed", "ed25519", "hex", "0011", nil, "it must be the hex of the 32 bytes of an Ed25519 private key"},
		{"a public key", "ecdsa-p256-sha256", "", publicPEM(t, ec.Public()), nil, "it is a public key, which cannot sign"},
		{"a public key in base64", "ecdsa-p256-sha256", "", oneLine(publicPEM(t, ec.Public())), nil, "it is a public key, which cannot sign"},
		{"another curve", "ecdsa-p256-sha256", "", privatePEM(t, ec384), nil, "it is a private key of another kind than ecdsa-p256-sha256"},
		{"another kind", "rsa-sha256", "", privatePEM(t, ed), nil, "it is a private key of another kind than rsa-sha256"},
		{"a weak key", "rsa-sha256", "", privatePEM(t, small), nil, "it is an RSA key of 1024 bits, which is too weak"},
		{"an encrypted key", "rsa-sha256", "", text("ENCRYPTED PRIVATE KEY", []byte{1}, nil), nil, "it is encrypted: decrypt it with"},
		{"no key", "rsa-sha256", "", "secret", nil, "it must be a private key as PEM"},
		{"half a PEM", "rsa-sha256", "", "-----BEGIN PRIVATE KEY-----\nAAAA", nil, "it must be a private key as PEM"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			template := &receiver.Template{Algorithm: tt.algorithm, Key: tt.key, Signature: []receiver.Place{{Header: "X-Sign"}}}
			s, err := signer.New(signer.Config{Provider: "custom", Template: template, Secrets: []string{tt.private}}, signer.Options{})
			if tt.want != "" {
				if !errors.Is(err, webhook.ErrKey) || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("error %v, want one with %q", err, tt.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequest(http.MethodPost, testURL, strings.NewReader(testBody))
			sign(t, s, r)
			check := *template
			check.Key = "spki"
			v := receive(t, receiver.Config{Provider: "custom", Template: &check, Secrets: []string{publicPEM(t, tt.public)}}, testTime, r)
			if !v.called {
				t.Errorf("refused, because %s", v.Reason)
			}
		})
	}
}
