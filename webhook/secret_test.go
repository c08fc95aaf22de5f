package webhook_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/manysends/caddy-webhooks/webhook"
)

const (
	secretNeedsPrefix = `unusable key: a secret starts with "whsec_" followed by base64; make one with: echo whsec_$(openssl rand -base64 32)`
	secretNeedsBase64 = `unusable key: what follows "whsec_" in a secret must be base64 in the standard alphabet; make one with: echo whsec_$(openssl rand -base64 32)`
)

func secretTooShort(n string) string {
	return "unusable key: a secret of " + n + " bytes is too short: use 24 to 64 random bytes, such as whsec_$(openssl rand -base64 32)"
}

func TestParseSecretAccepts(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"32 bytes", vectorSecret, vectorSecret},
		{"without padding", strings.TrimSuffix(vectorSecret, "="), vectorSecret},
		{"24 bytes, the least", otherSecret, otherSecret},
		{"64 bytes, the most", "whsec_" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{0xfb}, 64)), "whsec_" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{0xfb}, 64))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			secret, err := webhook.ParseSecret(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			if got := secret.Reveal(); got != tt.want {
				t.Errorf("Reveal() = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestParseSecretRefuses(t *testing.T) {
	long := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{0xfb}, 65))
	tests := []struct{ name, in, want string }{
		{"empty", "", secretNeedsPrefix},
		{"no prefix", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", secretNeedsPrefix},
		{"upper-case prefix", "WHSEC_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", secretNeedsPrefix},
		{"space in front", " " + vectorSecret, secretNeedsPrefix},
		{"versioned prefix", "v1," + vectorSecret, secretNeedsPrefix},
		{"a signing key", vectorSigningKey, secretNeedsPrefix},
		{"an unexpanded placeholder", "{env.WEBHOOK_SECRET}", secretNeedsPrefix},
		{"not base64", "whsec_this is a pass phrase, not base64", secretNeedsBase64},
		{"URL alphabet", "whsec_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-_-", secretNeedsBase64},
		{"padding in the middle", "whsec_MDEyMzQ1Njc4OWFiY2RlZg==MDEyMzQ1Njc4OWFiY2RlZg==", secretNeedsBase64},
		{"stray bits in the last character", "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWZ=", secretNeedsBase64},
		{"too much padding", vectorSecret + "=", secretNeedsBase64},
		{"a newline at the end", vectorSecret + "\n", secretNeedsBase64},
		{"a newline inside, without padding", "whsec_MDEyMzQ1Njc4OWFi\nY2RlZjAxMjM0NTY3ODlhYmNkZWY", secretNeedsBase64},
		{"prefix alone", "whsec_", secretTooShort("0")},
		{"23 bytes", "whsec_" + base64.StdEncoding.EncodeToString([]byte("abcdefghijklmnopqrstuvw")), secretTooShort("23")},
		{"65 bytes", "whsec_" + long, "unusable key: a secret of 65 bytes is too long: use 24 to 64 random bytes, such as whsec_$(openssl rand -base64 32)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			secret, err := webhook.ParseSecret(tt.in)
			checkKeyRefused(t, tt.in, err, tt.want)
			if secret != nil {
				t.Error("a secret came with the error")
			}
		})
	}
}

// checkKeyRefused checks the error about the key text in, and that it does not
// quote any of it.
func checkKeyRefused(t *testing.T, in string, err error, want string) {
	t.Helper()
	if err == nil {
		t.Fatal("the key was accepted")
	}
	if !errors.Is(err, webhook.ErrKey) {
		t.Errorf("the error does not wrap ErrKey: %v", err)
	}
	if err.Error() != want {
		t.Errorf("error:\n%s\nwant:\n%s", err, want)
	}
	_, encoded, _ := strings.Cut(in, "_")
	for i := range max(0, len(encoded)-7) {
		if strings.Contains(err.Error(), encoded[i:i+8]) {
			t.Errorf("the error shows a piece of the key: %v", err)
		}
	}
}

func TestNewSecretCopiesItsKey(t *testing.T) {
	key := []byte(vectorKey)
	secret, err := webhook.NewSecret(key)
	if err != nil {
		t.Fatal(err)
	}
	clear(key)
	if secret.Reveal() != vectorSecret {
		t.Error("the secret changed with the caller's bytes")
	}
	_, err = webhook.NewSecret(make([]byte, 16))
	checkKeyRefused(t, "", err, secretTooShort("16"))
}

func TestGenerateSecret(t *testing.T) {
	secret, err := webhook.GenerateSecret(strings.NewReader(vectorKey + "left over"))
	if err != nil {
		t.Fatal(err)
	}
	if secret.Reveal() != vectorSecret {
		t.Errorf("Reveal() = %q: it should hold the first 32 bytes read", secret.Reveal())
	}

	_, err = webhook.GenerateSecret(strings.NewReader("too little"))
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a short random source gave %v", err)
	}
	broken := errors.New("entropy pool on fire")
	_, err = webhook.GenerateSecret(iotest.ErrReader(broken))
	if !errors.Is(err, broken) || err.Error() != "generating a secret: entropy pool on fire" {
		t.Errorf("a failing random source gave %v", err)
	}
}

func FuzzParseSecret(f *testing.F) {
	for _, seed := range []string{"", "whsec_", vectorSecret, otherSecret, publishedSecret, vectorSecret + "==", "whsec_\n\n", vectorSigningKey} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		secret, err := webhook.ParseSecret(s)
		if err != nil {
			if !errors.Is(err, webhook.ErrKey) {
				t.Errorf("the error does not wrap ErrKey: %v", err)
			}
			return
		}
		revealed := secret.Reveal()
		again, err := webhook.ParseSecret(revealed)
		if err != nil || again.Reveal() != revealed {
			t.Errorf("%q was read, but its revealed form %q was not: %v", s, revealed, err)
		}
		signed := string(secret.AppendSignature(nil, "id", 1, []byte("body")))
		if !again.VerifySignature("id", "1", []byte("body"), signed) {
			t.Errorf("%q and its revealed form sign differently", s)
		}
	})
}
