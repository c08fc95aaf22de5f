package webhook

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync"
)

// ErrKey is wrapped by every error about a secret, a signing key or a
// verifying key that cannot be used. Its message never holds the key.
var ErrKey = errors.New("unusable key")

const (
	secretPrefix = "whsec_"

	// Secret lengths in bytes, from Standard Webhooks, "Signature scheme".
	minSecretLength = 24
	maxSecretLength = 64
	newSecretLength = 32
)

// Secret is a shared secret: it signs and verifies with HMAC-SHA256, the
// scheme that Standard Webhooks calls v1. It is safe for concurrent use and
// never shows its bytes when printed or logged; call [Secret.Reveal] for them.
// Make one with [ParseSecret] or [GenerateSecret]: the zero value is not usable.
type Secret struct {
	key  func() []byte // a func, so that no printer can follow it to the bytes
	macs sync.Pool     // of *macState; a reset HMAC keeps its key schedule
}

// macState is an HMAC with the scratch space that one signature needs.
type macState struct {
	hash    hash.Hash
	prefix  []byte
	sum     [sha256.Size]byte
	encoded [48]byte
}

// ParseSecret reads a secret as it is shown to people: "whsec_" and the base64
// of 24 to 64 bytes. Errors wrap [ErrKey].
func ParseSecret(s string) (*Secret, error) {
	encoded, ok := strings.CutPrefix(s, secretPrefix)
	if !ok {
		return nil, fmt.Errorf("%w: a secret starts with %q followed by base64; make one with: echo whsec_$(openssl rand -base64 32)", ErrKey, secretPrefix)
	}
	key, err := decodeKey(encoded)
	if err != nil {
		return nil, fmt.Errorf("%w: what follows %q in a secret must be base64 in the standard alphabet; make one with: echo whsec_$(openssl rand -base64 32)", ErrKey, secretPrefix)
	}
	return NewSecret(key)
}

// NewSecret makes a secret of 24 to 64 bytes, which it copies. Errors wrap
// [ErrKey].
func NewSecret(key []byte) (*Secret, error) {
	if len(key) < minSecretLength || len(key) > maxSecretLength {
		return nil, fmt.Errorf("%w: a secret of %d bytes is too %s: use %d to %d random bytes, such as whsec_$(openssl rand -base64 32)",
			ErrKey, len(key), map[bool]string{true: "short", false: "long"}[len(key) < minSecretLength], minSecretLength, maxSecretLength)
	}
	key = bytes.Clone(key)
	s := &Secret{key: func() []byte { return key }}
	s.macs.New = func() any { return &macState{hash: hmac.New(sha256.New, key)} }
	return s, nil
}

// GenerateSecret makes a secret of 32 bytes read from random, which should be
// crypto/rand.Reader. It fails only when random does.
func GenerateSecret(random io.Reader) (*Secret, error) {
	key := make([]byte, newSecretLength)
	if _, err := io.ReadFull(random, key); err != nil {
		return nil, fmt.Errorf("generating a secret: %w", err)
	}
	return NewSecret(key)
}

// Reveal writes the secret in the form that [ParseSecret] reads.
func (s *Secret) Reveal() string {
	return secretPrefix + base64.StdEncoding.EncodeToString(s.key())
}

// String hides the secret.
func (s *Secret) String() string { return secretPrefix + "[hidden]" }

// GoString hides the secret from %#v.
func (s *Secret) GoString() string { return s.String() }

// LogValue hides the secret from structured logs.
func (s *Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// AppendSignature appends "v1," and the base64 of the HMAC-SHA256 over
// {id}.{timestamp}.{body}. It implements [Signer].
func (s *Secret) AppendSignature(dst []byte, id string, timestamp int64, body []byte) []byte {
	m := s.macs.Get().(*macState)
	m.prefix = append(m.prefix[:0], id...)
	m.prefix = append(m.prefix, '.')
	m.prefix = strconv.AppendInt(m.prefix, timestamp, 10)
	m.prefix = append(m.prefix, '.')
	sum := m.mac(m.prefix, body)
	dst = append(dst, "v1,"...)
	dst = base64.StdEncoding.AppendEncode(dst, sum)
	s.macs.Put(m)
	return dst
}

// VerifySignature implements [Verifier] for v1 signatures.
func (s *Secret) VerifySignature(id, timestamp string, body []byte, list string) bool {
	var m *macState
	var want []byte
	for signature := range signaturesOf(list, "v1") {
		if m == nil {
			m = s.macs.Get().(*macState)
			m.prefix = append(m.prefix[:0], id...)
			m.prefix = append(m.prefix, '.')
			m.prefix = append(m.prefix, timestamp...)
			m.prefix = append(m.prefix, '.')
			want = base64.StdEncoding.AppendEncode(m.encoded[:0], m.mac(m.prefix, body))
		}
		m.prefix = append(m.prefix[:0], signature...)
		if subtle.ConstantTimeCompare(want, m.prefix) == 1 {
			s.macs.Put(m)
			return true
		}
	}
	if m != nil {
		s.macs.Put(m)
	}
	return false
}

// mac is the HMAC over the concatenation of the two parts. The result is valid
// until the next call.
func (m *macState) mac(first, second []byte) []byte {
	m.hash.Reset()
	m.hash.Write(first)
	m.hash.Write(second)
	return m.hash.Sum(m.sum[:0])
}

// decodeKey decodes base64 with or without padding. Line breaks, which
// encoding/base64 skips, are refused, so that a key reads the same everywhere.
func decodeKey(s string) ([]byte, error) {
	if i := strings.IndexAny(s, "\r\n"); i >= 0 {
		return nil, base64.CorruptInputError(i)
	}
	encoding := base64.RawStdEncoding
	if strings.HasSuffix(s, "=") {
		encoding = base64.StdEncoding
	}
	return encoding.Strict().DecodeString(s)
}
