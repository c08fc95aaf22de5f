package webhook

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"

	"github.com/manysends/caddy-webhooks/internal/smallorder"
)

const (
	signingKeyPrefix   = "whsk_"
	verifyingKeyPrefix = "whpk_"
)

// SigningKey is an Ed25519 private key: it signs with the scheme that Standard
// Webhooks calls v1a. It never shows itself when printed or logged; call
// [SigningKey.Reveal] for the key. Make one with [ParseSigningKey] or
// [GenerateSigningKey]: the zero value is not usable.
type SigningKey struct {
	key func() ed25519.PrivateKey // a func, so that no printer can follow it to the bytes
}

// VerifyingKey is the public half of a [SigningKey]. It may be shown to
// anyone. Make one with [ParseVerifyingKey] or [SigningKey.VerifyingKey]: the
// zero value is not usable.
type VerifyingKey struct{ key ed25519.PublicKey }

// ParseSigningKey reads "whsk_" and the base64 of an Ed25519 private key:
// either the 32-byte seed or the 64 bytes of seed and public key (RFC 8032,
// section 5.1.5). Errors wrap [ErrKey].
func ParseSigningKey(s string) (*SigningKey, error) {
	encoded, ok := strings.CutPrefix(s, signingKeyPrefix)
	if !ok {
		return nil, fmt.Errorf("%w: a signing key starts with %q followed by base64", ErrKey, signingKeyPrefix)
	}
	raw, err := decodeKey(encoded)
	if err != nil {
		return nil, fmt.Errorf("%w: what follows %q in a signing key must be base64 in the standard alphabet", ErrKey, signingKeyPrefix)
	}
	switch len(raw) {
	case ed25519.SeedSize:
		return newSigningKey(ed25519.NewKeyFromSeed(raw)), nil
	case ed25519.PrivateKeySize:
		key := ed25519.NewKeyFromSeed(raw[:ed25519.SeedSize])
		if !bytes.Equal(key, raw) {
			return nil, fmt.Errorf("%w: the two halves of the signing key do not belong together: copy it again, whole", ErrKey)
		}
		return newSigningKey(key), nil
	}
	return nil, fmt.Errorf("%w: a signing key has 32 or 64 bytes, this one has %d: copy it again, whole", ErrKey, len(raw))
}

// GenerateSigningKey makes a key from 32 bytes of random, which should be
// crypto/rand.Reader. It fails only when random does.
func GenerateSigningKey(random io.Reader) (*SigningKey, error) {
	seed := make([]byte, ed25519.SeedSize)
	if _, err := io.ReadFull(random, seed); err != nil {
		return nil, fmt.Errorf("generating a signing key: %w", err)
	}
	return newSigningKey(ed25519.NewKeyFromSeed(seed)), nil
}

func newSigningKey(key ed25519.PrivateKey) *SigningKey {
	return &SigningKey{func() ed25519.PrivateKey { return key }}
}

// Reveal writes the private key in the 64-byte form that [ParseSigningKey]
// reads.
func (k *SigningKey) Reveal() string {
	return signingKeyPrefix + base64.StdEncoding.EncodeToString(k.key())
}

// String hides the private key.
func (k *SigningKey) String() string { return signingKeyPrefix + "[hidden]" }

// GoString hides the private key from %#v.
func (k *SigningKey) GoString() string { return k.String() }

// LogValue hides the private key from structured logs.
func (k *SigningKey) LogValue() slog.Value { return slog.StringValue(k.String()) }

// VerifyingKey is the public key that checks this key's signatures.
func (k *SigningKey) VerifyingKey() *VerifyingKey {
	return &VerifyingKey{k.key().Public().(ed25519.PublicKey)}
}

// AppendSignature appends "v1a," and the base64 of the Ed25519 signature over
// {id}.{timestamp}.{body}. It implements [Signer].
func (k *SigningKey) AppendSignature(dst []byte, id string, timestamp int64, body []byte) []byte {
	content := signedContent(id, strconv.FormatInt(timestamp, 10), body)
	dst = append(dst, "v1a,"...)
	return base64.StdEncoding.AppendEncode(dst, ed25519.Sign(k.key(), content))
}

// ParseVerifyingKey reads "whpk_" and the base64 of a 32-byte Ed25519 public
// key. Errors wrap [ErrKey].
func ParseVerifyingKey(s string) (*VerifyingKey, error) {
	encoded, ok := strings.CutPrefix(s, verifyingKeyPrefix)
	if !ok {
		return nil, fmt.Errorf("%w: a verifying key starts with %q followed by base64", ErrKey, verifyingKeyPrefix)
	}
	raw, err := decodeKey(encoded)
	if err != nil {
		return nil, fmt.Errorf("%w: what follows %q in a verifying key must be base64 in the standard alphabet", ErrKey, verifyingKeyPrefix)
	}
	if len(raw) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("%w: a verifying key has 32 bytes, this one has %d: copy it again, whole", ErrKey, len(raw))
	}
	if smallorder.Is(raw) {
		return nil, fmt.Errorf("%w: anybody can make signatures for this verifying key, which is nobody's: copy that of the sender", ErrKey)
	}
	return &VerifyingKey{raw}, nil
}

// String writes the key in the form that [ParseVerifyingKey] reads.
func (k *VerifyingKey) String() string {
	return verifyingKeyPrefix + base64.StdEncoding.EncodeToString(k.key)
}

// VerifySignature implements [Verifier] for v1a signatures.
func (k *VerifyingKey) VerifySignature(id, timestamp string, body []byte, list string) bool {
	var content []byte
	for signature := range signaturesOf(list, "v1a") {
		// encoding/base64 skips line breaks, so that a signature would have many
		// forms.
		if strings.ContainsAny(signature, "\r\n") {
			continue
		}
		raw, err := base64.StdEncoding.Strict().DecodeString(signature)
		if err != nil {
			continue
		}
		if content == nil {
			content = signedContent(id, timestamp, body)
		}
		if ed25519.Verify(k.key, content, raw) {
			return true
		}
	}
	return false
}

func signedContent(id, timestamp string, body []byte) []byte {
	content := make([]byte, 0, len(id)+len(timestamp)+len(body)+2)
	content = append(content, id...)
	content = append(content, '.')
	content = append(content, timestamp...)
	content = append(content, '.')
	return append(content, body...)
}
