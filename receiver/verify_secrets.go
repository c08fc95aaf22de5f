package receiver

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"net/http"
	"strings"

	"github.com/manysends/caddy-webhooks/webhook"
)

// sharedKeys are secrets that both sides know.
type sharedKeys [][]byte

// newSharedKeys reads secrets that are written in the provider's one way: raw
// or hex. Errors about a secret wrap [webhook.ErrKey].
func newSharedKeys(o schemeOptions, written string) (sharedKeys, error) {
	if o.key != "" && o.key != written {
		return nil, fmt.Errorf("key is %s, and secrets of this provider are written in one way, %s: leave key out", o.key, written)
	}
	keys := make(sharedKeys, len(o.secrets))
	for i, s := range o.secrets {
		if written != "hex" {
			keys[i] = []byte(s)
			continue
		}
		key, err := hex.DecodeString(s)
		if err != nil || len(key) == 0 {
			return nil, fmt.Errorf("%w: the key must be hex digits, as the provider shows it", webhook.ErrKey)
		}
		keys[i] = key
	}
	return keys, nil
}

// match is the index of the first key whose HMAC over the pieces is want, or
// -1.
func (k sharedKeys) match(algorithm func() hash.Hash, want []byte, pieces ...[]byte) int {
	for i, key := range k {
		mac := hmac.New(algorithm, key)
		for _, piece := range pieces {
			mac.Write(piece)
		}
		if hmac.Equal(mac.Sum(nil), want) {
			return i
		}
	}
	return -1
}

// maxSignatureHeader bounds a header that a signature is read from, in bytes.
const maxSignatureHeader = 16 << 10

// oneHeader is the value of a header that must be there exactly once. The name
// is in the canonical form of net/http. Errors wrap
// [webhook.ErrSignatureMissing] or [webhook.ErrSignatureMismatch].
func oneHeader(r *http.Request, name string) (string, error) {
	values := r.Header[name]
	if len(values) != 1 || values[0] == "" {
		return "", fmt.Errorf("%w: the request has %d %s headers, exactly 1 is needed", webhook.ErrSignatureMissing, len(values), name)
	}
	if len(values[0]) > maxSignatureHeader {
		return "", fmt.Errorf("%w: the %s header is longer than %d bytes", webhook.ErrSignatureMismatch, name, maxSignatureHeader)
	}
	return values[0], nil
}

// decodeSignature decodes the base64 of a signature, which has one form only.
// Errors wrap [webhook.ErrSignatureMismatch].
func decodeSignature(s string) ([]byte, error) {
	// encoding/base64 skips line breaks.
	if strings.ContainsAny(s, "\r\n") {
		return nil, fmt.Errorf("%w: the signature has a line break in it", webhook.ErrSignatureMismatch)
	}
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	if err != nil {
		return nil, fmt.Errorf("%w: the signature is not base64", webhook.ErrSignatureMismatch)
	}
	return b, nil
}

// isDigestOf tells whether digest is the hex of the SHA-256 of body.
func isDigestOf(body []byte, digest string) bool {
	got, err := hex.DecodeString(digest)
	want := sha256.Sum256(body)
	return err == nil && subtle.ConstantTimeCompare(got, want[:]) == 1
}

// errUnsigned is the error of a request that no secret has signed.
func errUnsigned(covered string) error {
	return fmt.Errorf("%w: it was not made with a configured secret over %s", webhook.ErrSignatureMismatch, covered)
}

// signedAddress is the URL that a provider signs which signs the query as it
// sends it: where an address is configured, it has the query of the request,
// because providers add to the one that they were told.
func signedAddress(in *inbound) string {
	if in.url == "" {
		return in.address()
	}
	address, _, _ := strings.Cut(in.url, "?")
	if u := in.request.URL; u.RawQuery != "" || u.ForceQuery {
		address += "?" + u.RawQuery
	}
	return address
}
