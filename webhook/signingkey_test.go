package webhook_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/manysends/caddy-webhooks/webhook"
)

const (
	signingKeyNeedsPrefix   = `unusable key: a signing key starts with "whsk_" followed by base64`
	signingKeyNeedsBase64   = `unusable key: what follows "whsk_" in a signing key must be base64 in the standard alphabet`
	verifyingKeyNeedsPrefix = `unusable key: a verifying key starts with "whpk_" followed by base64`
	verifyingKeyNeedsBase64 = `unusable key: what follows "whpk_" in a verifying key must be base64 in the standard alphabet`
)

// vectorWholeKey is vectorSigningKey in the 64-byte form: seed, then public key.
func vectorWholeKey(t *testing.T) string {
	t.Helper()
	raw, err := hex.DecodeString(vectorSeedHex + vectorPublicHex)
	if err != nil {
		t.Fatal(err)
	}
	return "whsk_" + base64.StdEncoding.EncodeToString(raw)
}

func TestSigningKeyOfRFC8032(t *testing.T) {
	for name, text := range map[string]string{"seed": vectorSigningKey, "seed and public key": vectorWholeKey(t)} {
		t.Run(name, func(t *testing.T) {
			key := mustSigningKey(t, text)
			if got := key.VerifyingKey().String(); got != vectorVerifyingKey {
				t.Errorf("VerifyingKey() = %s, want %s", got, vectorVerifyingKey)
			}
			if got := key.Reveal(); got != vectorWholeKey(t) {
				t.Errorf("Reveal() = %s, want %s", got, vectorWholeKey(t))
			}
			got := string(key.AppendSignature(nil, vectorID, vectorTimestamp, []byte(vectorBody)))
			if got != vectorEd25519Signature {
				t.Errorf("signature %s, want %s", got, vectorEd25519Signature)
			}
			if !mustVerifyingKey(t, vectorVerifyingKey).VerifySignature(vectorID, "1709634600", []byte(vectorBody), got) {
				t.Error("the verifying key refuses the signature")
			}
		})
	}
}

func TestParseSigningKeyRefuses(t *testing.T) {
	mixed, err := hex.DecodeString(vectorSeedHex + vectorSeedHex)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct{ name, in, want string }{
		{"empty", "", signingKeyNeedsPrefix},
		{"no prefix", "nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=", signingKeyNeedsPrefix},
		{"a secret", vectorSecret, signingKeyNeedsPrefix},
		{"not base64", "whsk_-----BEGIN PRIVATE KEY-----", signingKeyNeedsBase64},
		{"prefix alone", "whsk_", "unusable key: a signing key has 32 or 64 bytes, this one has 0: copy it again, whole"},
		{"cut short", "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDus", "unusable key: a signing key has 32 or 64 bytes, this one has 27: copy it again, whole"},
		{"PKCS #8", "whsk_MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMRESMVpezJpGXA7rAMcrn9g", "unusable key: a signing key has 32 or 64 bytes, this one has 48: copy it again, whole"},
		{"halves of two keys", "whsk_" + base64.StdEncoding.EncodeToString(mixed), "unusable key: the two halves of the signing key do not belong together: copy it again, whole"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			key, err := webhook.ParseSigningKey(tt.in)
			checkKeyRefused(t, tt.in, err, tt.want)
			if key != nil {
				t.Error("a key came with the error")
			}
		})
	}
}

func TestParseVerifyingKeyRefuses(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"empty", "", verifyingKeyNeedsPrefix},
		{"a signing key", vectorSigningKey, verifyingKeyNeedsPrefix},
		{"not base64", "whpk_#", verifyingKeyNeedsBase64},
		{"31 bytes", "whpk_" + base64.StdEncoding.EncodeToString(make([]byte, 31)), "unusable key: a verifying key has 32 bytes, this one has 31: copy it again, whole"},
		{"all zeros", "whpk_" + base64.StdEncoding.EncodeToString(make([]byte, 32)), "unusable key: anybody can make signatures for this verifying key, which is nobody's: copy that of the sender"},
		{"64 bytes", "whpk_" + base64.StdEncoding.EncodeToString(make([]byte, 64)), "unusable key: a verifying key has 32 bytes, this one has 64: copy it again, whole"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := webhook.ParseVerifyingKey(tt.in)
			checkKeyRefused(t, tt.in, err, tt.want)
		})
	}
}

func TestParseSigner(t *testing.T) {
	for _, in := range []string{vectorSecret, vectorSigningKey} {
		signer, err := webhook.ParseSigner(in)
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]string{vectorSecret: vectorSignature, vectorSigningKey: vectorEd25519Signature}[in]
		if got := string(signer.AppendSignature([]byte("kept "), vectorID, vectorTimestamp, []byte(vectorBody))); got != "kept "+want {
			t.Errorf("signature %q, want %q after what was there", got, want)
		}
	}
	tests := []struct{ name, in, want string }{
		{"a verifying key", vectorVerifyingKey, `unusable key: this is a verifying key ("whpk_"), which cannot sign: give the signing key, which starts with "whsk_"`},
		{"a bad signing key", "whsk_#", signingKeyNeedsBase64},
		{"a bad secret", "whsec_#", secretNeedsBase64},
		{"something else", "hunter2", secretNeedsPrefix},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := webhook.ParseSigner(tt.in)
			checkKeyRefused(t, tt.in, err, tt.want)
		})
	}
}

func TestParseVerifier(t *testing.T) {
	for in, signature := range map[string]string{vectorSecret: vectorSignature, vectorVerifyingKey: vectorEd25519Signature} {
		verifier, err := webhook.ParseVerifier(in)
		if err != nil {
			t.Fatal(err)
		}
		if !verifier.VerifySignature(vectorID, "1709634600", []byte(vectorBody), signature) {
			t.Errorf("%.6s refuses its own signature", in)
		}
	}
	tests := []struct{ name, in, want string }{
		{"a signing key", vectorSigningKey, `unusable key: this is the sender's private signing key ("whsk_"): give the verifying key, which starts with "whpk_", and replace the signing key if it was shared`},
		{"a bad verifying key", "whpk_#", verifyingKeyNeedsBase64},
		{"a bad secret", "whsec_#", secretNeedsBase64},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := webhook.ParseVerifier(tt.in)
			checkKeyRefused(t, tt.in, err, tt.want)
		})
	}
}

func TestGenerateSigningKey(t *testing.T) {
	seed, err := hex.DecodeString(vectorSeedHex)
	if err != nil {
		t.Fatal(err)
	}
	key, err := webhook.GenerateSigningKey(strings.NewReader(string(seed)))
	if err != nil {
		t.Fatal(err)
	}
	if key.Reveal() != vectorWholeKey(t) {
		t.Error("the key is not the one of the 32 bytes read")
	}
	if _, err := webhook.GenerateSigningKey(strings.NewReader("too little")); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a short random source gave %v", err)
	}
}

// TestVerifyingKeyTakesOneSpelling guards against reading base64 leniently:
// one signature must not have several texts that are all accepted.
func TestVerifyingKeyTakesOneSpelling(t *testing.T) {
	key := mustVerifyingKey(t, vectorVerifyingKey)
	for name, list := range map[string]string{
		"stray bits in the last character": strings.Replace(vectorEd25519Signature, "Cg==", "Ch==", 1),
		"no padding":                       strings.TrimRight(vectorEd25519Signature, "="),
		"extra padding":                    vectorEd25519Signature + "=",
		"line breaks":                      vectorEd25519Signature[:20] + "\r\n" + vectorEd25519Signature[20:],
	} {
		if list == vectorEd25519Signature {
			t.Fatalf("%s: the test did not change the signature", name)
		}
		if key.VerifySignature(vectorID, "1709634600", []byte(vectorBody), list) {
			t.Errorf("%s: accepted", name)
		}
	}
}

func FuzzParseSigningKey(f *testing.F) {
	for _, seed := range []string{"", "whsk_", vectorSigningKey, vectorSecret, vectorVerifyingKey, vectorSigningKey + "="} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if public, err := webhook.ParseVerifyingKey(s); err == nil {
			again, err := webhook.ParseVerifyingKey(public.String())
			if err != nil || again.String() != public.String() {
				t.Errorf("%q was read, but not what it prints, %q: %v", s, public, err)
			}
		} else if !errors.Is(err, webhook.ErrKey) {
			t.Errorf("the error does not wrap ErrKey: %v", err)
		}
		key, err := webhook.ParseSigningKey(s)
		if err != nil {
			if !errors.Is(err, webhook.ErrKey) {
				t.Errorf("the error does not wrap ErrKey: %v", err)
			}
			return
		}
		again, err := webhook.ParseSigningKey(key.Reveal())
		if err != nil {
			t.Fatalf("%q was read, but not its revealed form: %v", s, err)
		}
		signed := again.AppendSignature(nil, "id", 1, []byte("body"))
		if !key.VerifyingKey().VerifySignature("id", "1", []byte("body"), string(signed)) {
			t.Errorf("%q and its revealed form are different keys", s)
		}
	})
}

// TestEd25519AgainstTheStandardLibrary checks the signed content in full with
// crypto/ed25519 alone.
func TestEd25519AgainstTheStandardLibrary(t *testing.T) {
	public, err := hex.DecodeString(vectorPublicHex)
	if err != nil {
		t.Fatal(err)
	}
	encoded, _ := strings.CutPrefix(vectorEd25519Signature, "v1a,")
	signature, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		t.Fatal(err)
	}
	if !ed25519.Verify(public, []byte(vectorID+".1709634600."+vectorBody), signature) {
		t.Error("the vector is not a signature of RFC 8032's key over {id}.{timestamp}.{body}")
	}
}
