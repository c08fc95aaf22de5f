package webhook

import (
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The Standard Webhooks headers, in the canonical form of net/http.
const (
	HeaderID        = "Webhook-Id"
	HeaderTimestamp = "Webhook-Timestamp"
	HeaderSignature = "Webhook-Signature"
)

// Why a request is not authentic. The errors of [Verify], [VerifyBody] and
// [CheckTimestamp] wrap one of these.
var (
	// ErrSignatureMissing means that nothing was there to be checked: a header
	// of the scheme is absent or given twice, or the signature member is not
	// at the end of the body.
	ErrSignatureMissing = errors.New("signature missing")

	// ErrSignatureMismatch means that no signature was made with any of the
	// keys over exactly these bytes.
	ErrSignatureMismatch = errors.New("signature mismatch")

	// ErrTimestampMalformed means that the signed timestamp is not a number of
	// Unix seconds.
	ErrTimestampMalformed = errors.New("timestamp malformed")

	// ErrTimestampTooOld means that the request was signed longer ago than the
	// tolerance.
	ErrTimestampTooOld = errors.New("timestamp too old")

	// ErrTimestampTooNew means that the request claims to be signed in the
	// future, by more than the tolerance.
	ErrTimestampTooNew = errors.New("timestamp in the future")
)

// A Signer makes one element of a webhook-signature header. [Secret] and
// [SigningKey] are the two.
type Signer interface {
	// AppendSignature appends the version, a comma and the signature over
	// {id}.{timestamp}.{body}, where timestamp is in Unix seconds.
	AppendSignature(dst []byte, id string, timestamp int64, body []byte) []byte
}

// A Verifier checks a webhook-signature header. [Secret] and [VerifyingKey]
// are the two.
type Verifier interface {
	// VerifySignature tells whether any element of the space-separated list
	// is this key's signature over {id}.{timestamp}.{body}. Elements of other
	// versions are passed over. It takes the same time for every wrong
	// signature of the right length.
	VerifySignature(id, timestamp string, body []byte, list string) bool
}

var (
	_ Signer   = (*Secret)(nil)
	_ Verifier = (*Secret)(nil)
	_ Signer   = (*SigningKey)(nil)
	_ Verifier = (*VerifyingKey)(nil)
)

// ParseSigner reads a secret ("whsec_") or a signing key ("whsk_"). Errors
// wrap [ErrKey].
func ParseSigner(s string) (Signer, error) {
	switch {
	case strings.HasPrefix(s, signingKeyPrefix):
		return ParseSigningKey(s)
	case strings.HasPrefix(s, verifyingKeyPrefix):
		return nil, fmt.Errorf("%w: this is a verifying key (%q), which cannot sign: give the signing key, which starts with %q", ErrKey, verifyingKeyPrefix, signingKeyPrefix)
	}
	return ParseSecret(s)
}

// ParseVerifier reads a secret ("whsec_") or a verifying key ("whpk_"). Errors
// wrap [ErrKey].
func ParseVerifier(s string) (Verifier, error) {
	switch {
	case strings.HasPrefix(s, verifyingKeyPrefix):
		return ParseVerifyingKey(s)
	case strings.HasPrefix(s, signingKeyPrefix):
		return nil, fmt.Errorf("%w: this is the sender's private signing key (%q): give the verifying key, which starts with %q, and replace the signing key if it was shared", ErrKey, signingKeyPrefix, verifyingKeyPrefix)
	}
	return ParseSecret(s)
}

// Sign makes the value of a webhook-signature header: one element for each
// signer, in their order, separated by spaces. Without signers it is empty.
func Sign(signers []Signer, id string, timestamp time.Time, body []byte) string {
	if len(signers) == 0 {
		return ""
	}
	room := signatureLists.Get().(*[]byte)
	list := (*room)[:0]
	for i, s := range signers {
		if i > 0 {
			list = append(list, ' ')
		}
		list = s.AppendSignature(list, id, timestamp.Unix(), body)
	}
	value := string(list)
	*room = list
	signatureLists.Put(room)
	return value
}

// signatureLists are buffers for [Sign], so that it allocates only its result.
var signatureLists = sync.Pool{New: func() any { return new([]byte) }}

// SetHeaders sets the three Standard Webhooks headers on h, as [Sign] makes
// them. Without signers it sets the first two and removes the signature.
func SetHeaders(h http.Header, signers []Signer, id string, timestamp time.Time, body []byte) {
	values := [...]string{id, strconv.FormatInt(timestamp.Unix(), 10), Sign(signers, id, timestamp, body)}
	h[HeaderID] = values[0:1:1]
	h[HeaderTimestamp] = values[1:2:2]
	if len(signers) == 0 {
		delete(h, HeaderSignature)
		return
	}
	h[HeaderSignature] = values[2:3:3]
}

// Verified is what an authentic request says of itself.
type Verified struct {
	// ID is the event ID. It is covered by the signature.
	ID string

	// Timestamp is when this attempt was signed, to the second.
	Timestamp time.Time

	// Key is the index of the key that matched.
	Key int
}

// Verify checks the Standard Webhooks headers of a request against its exact
// body: first that all are there once, then the signature with each key in
// turn, then that it was signed within tolerance of now, before or after. A
// tolerance of zero or less turns the last check off. Errors wrap
// [ErrSignatureMissing], [ErrSignatureMismatch], [ErrTimestampMalformed],
// [ErrTimestampTooOld] or [ErrTimestampTooNew].
func Verify(keys []Verifier, h http.Header, body []byte, now time.Time, tolerance time.Duration) (Verified, error) {
	id, err := singleHeader(h, HeaderID)
	if err != nil {
		return Verified{}, err
	}
	if strings.Contains(id, ".") {
		// With a dot in it, the same signed bytes could be cut into another ID,
		// timestamp and body.
		return Verified{}, fmt.Errorf("%w: the %s header holds a dot, which the scheme does not allow", ErrSignatureMismatch, HeaderID)
	}
	timestamp, err := singleHeader(h, HeaderTimestamp)
	if err != nil {
		return Verified{}, err
	}
	list, err := singleHeader(h, HeaderSignature)
	if err != nil {
		return Verified{}, err
	}
	if len(list) > maxSignatureList {
		return Verified{}, fmt.Errorf("%w: the %s header is longer than %d bytes", ErrSignatureMismatch, HeaderSignature, maxSignatureList)
	}
	for i, key := range keys {
		if !key.VerifySignature(id, timestamp, body, list) {
			continue
		}
		// Only now is the timestamp the sender's word, so that its age can be
		// told to the log as a fact.
		at, err := CheckTimestamp(timestamp, now, tolerance)
		return Verified{ID: id, Timestamp: at, Key: i}, err
	}
	return Verified{}, fmt.Errorf("%w: no element of %s was made with a configured key over this ID, timestamp and body", ErrSignatureMismatch, HeaderSignature)
}

// CheckTimestamp reads Unix seconds in decimal and compares them with now. A
// tolerance of zero or less accepts any age. Errors wrap
// [ErrTimestampMalformed], [ErrTimestampTooOld] or [ErrTimestampTooNew].
func CheckTimestamp(s string, now time.Time, tolerance time.Duration) (time.Time, error) {
	// 12 digits reach the year 33658 and keep time.Time's arithmetic exact.
	if len(s) == 0 || len(s) > 12 || strings.Trim(s, "0123456789") != "" {
		return time.Time{}, fmt.Errorf("%w: it must be Unix seconds in decimal digits", ErrTimestampMalformed)
	}
	seconds, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("%w: %w", ErrTimestampMalformed, err)
	}
	at := time.Unix(seconds, 0)
	if tolerance <= 0 {
		return at, nil
	}
	switch age := now.Sub(at); {
	case age > tolerance:
		return at, fmt.Errorf("%w: signed %s ago, %s is tolerated", ErrTimestampTooOld, age.Round(time.Second), tolerance)
	case age < -tolerance:
		return at, fmt.Errorf("%w: signed %s ahead of this clock, %s is tolerated", ErrTimestampTooNew, (-age).Round(time.Second), tolerance)
	}
	return at, nil
}

const (
	maxSignatureList = 4096
	maxSignatures    = 16
)

// signaturesOf yields the signatures of one version in a space-separated
// list, at most 16 elements deep.
func signaturesOf(list, version string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for range maxSignatures {
			element, rest, more := strings.Cut(list, " ")
			v, signature, ok := strings.Cut(element, ",")
			if ok && v == version && !yield(signature) {
				return
			}
			if !more {
				return
			}
			list = rest
		}
	}
}

// singleHeader is the value of a header that must be there exactly once.
func singleHeader(h http.Header, name string) (string, error) {
	values := h[name]
	if len(values) != 1 || values[0] == "" {
		return "", fmt.Errorf("%w: the request has %d %s headers, exactly 1 is needed", ErrSignatureMissing, len(values), name)
	}
	return values[0], nil
}
