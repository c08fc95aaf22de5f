package receiver

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"

	"github.com/manysends/caddy-webhooks/webhook"
)

// tokenScheme is a JSON Web Token in a header (RFC 7519).
type tokenScheme struct {
	header     string // in the canonical form of net/http
	bearer     bool   // "Bearer " stands before the token
	algorithms []jose.SignatureAlgorithm
	keys       tokenKeys

	// claims are the names of those that check needs.
	claims []string

	// check tells what the claims of an authentic token prove of the request.
	check func(in *inbound, claims object) (proof, error)
}

// tokenKeys finds the keys that a token may be signed with.
type tokenKeys interface {
	// find returns candidates, in any order. Errors wrap [ErrKeysUnavailable],
	// [webhook.ErrSignatureMissing] or [webhook.ErrSignatureMismatch].
	find(ctx context.Context, header jose.Header, now time.Time) ([]tokenKey, error)
}

// tokenKey is a key that a token may be signed with, and the index of the
// secret that it comes from.
type tokenKey struct {
	key    any
	secret int
}

// publicAlgorithms are those of tokens that anybody can verify. Neither "none"
// nor an HMAC is among them, so that no public key is ever taken for a secret.
var publicAlgorithms = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512,
	jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
}

// clockSkew is how far the clock of who issues tokens may be off this one.
const clockSkew = time.Minute

// maxKeyID is how long the ID of a key may be, in bytes.
const maxKeyID = 256

func (s *tokenScheme) verify(ctx context.Context, in *inbound) (proof, error) {
	text, err := oneHeader(in.request, s.header)
	if err != nil {
		return proof{}, err
	}
	if s.bearer {
		kind, rest, _ := strings.Cut(text, " ")
		if !strings.EqualFold(kind, "Bearer") {
			return proof{}, fmt.Errorf("%w: the %s header holds no Bearer token", webhook.ErrSignatureMissing, s.header)
		}
		text = strings.TrimSpace(rest)
	}
	payload, secret, err := s.open(ctx, text, in.now)
	if err != nil {
		return proof{}, err
	}
	claims, err := readObject(payload, append([]string{"exp", "nbf", "iat"}, s.claims...)...)
	if err != nil {
		return proof{}, err
	}
	claims[wholePayload] = payload
	proven, err := s.check(in, claims)
	if err != nil && !isAboutTime(err) {
		return proof{}, err
	}
	proven.secret = secret
	if late := checkTokenTimes(claims, in.now); late != nil {
		err = late
	}
	return proven, err
}

// wholePayload is where the text of all claims is kept beside them. It cannot
// be asked for, so nothing that is sent can be in its place.
const wholePayload = ""

// open checks the signature of a token. Errors wrap [ErrKeysUnavailable],
// [webhook.ErrSignatureMissing] or [webhook.ErrSignatureMismatch].
func (s *tokenScheme) open(ctx context.Context, text string, now time.Time) (payload []byte, secret int, err error) {
	if !isExactToken(text) {
		return nil, 0, fmt.Errorf("%w: the token is malformed", webhook.ErrSignatureMismatch)
	}
	token, err := jose.ParseSignedCompact(text, s.algorithms)
	if err != nil {
		if unexpected, ok := errors.AsType[*jose.ErrUnexpectedSignatureAlgorithm](err); ok && unexpected != nil {
			return nil, 0, fmt.Errorf("%w: the token is signed with an algorithm that this provider does not use", webhook.ErrSignatureMismatch)
		}
		return nil, 0, fmt.Errorf("%w: the token is malformed", webhook.ErrSignatureMismatch)
	}
	header := token.Signatures[0].Protected
	if len(header.KeyID) > maxKeyID {
		return nil, 0, fmt.Errorf("%w: the key ID of the token is longer than %d bytes", webhook.ErrSignatureMismatch, maxKeyID)
	}
	keys, err := s.keys.find(ctx, header, now)
	if err != nil {
		return nil, 0, err
	}
	for _, k := range keys {
		if payload, err := token.Verify(k.key); err == nil {
			return payload, k.secret, nil
		}
	}
	return nil, 0, fmt.Errorf("%w: the token is not signed with a key of the provider", webhook.ErrSignatureMismatch)
}

// isExactToken tells whether the parts of a token are base64url in its one form:
// without line breaks, and with no bits set that have no meaning, of which the
// parser takes no notice.
func isExactToken(text string) bool {
	if strings.ContainsAny(text, "\r\n") {
		return false
	}
	for part := range strings.SplitSeq(text, ".") {
		if _, err := base64.RawURLEncoding.Strict().DecodeString(part); err != nil {
			return false
		}
	}
	return true
}

// checkTokenTimes checks until when and since when a token is valid. Errors wrap
// one of the reasons about the timestamp.
func checkTokenTimes(claims object, now time.Time) error {
	until, has, err := claims.time("exp")
	if err != nil {
		return err
	}
	if has && now.After(until.Add(clockSkew)) {
		return fmt.Errorf("%w: the token was valid until %s", webhook.ErrTimestampTooOld, until.UTC().Format(time.RFC3339))
	}
	for _, name := range [...]string{"nbf", "iat"} {
		since, has, err := claims.time(name)
		if err != nil {
			return err
		}
		if has && now.Before(since.Add(-clockSkew)) {
			return fmt.Errorf("%w: the token is valid from %s", webhook.ErrTimestampTooNew, since.UTC().Format(time.RFC3339))
		}
	}
	return nil
}

// time is the value of a claim that is a time in Unix seconds; has tells whether
// it is there. Errors wrap [webhook.ErrTimestampMalformed].
func (o object) time(name string) (at time.Time, has bool, err error) {
	v := o[name]
	if !o.has(name) {
		return time.Time{}, false, nil
	}
	seconds, err := strconv.ParseFloat(string(v), 64)
	// 1e11 is in the year 5138 and keeps the arithmetic exact.
	if v.Kind() != '0' || err != nil || seconds < 0 || seconds > 1e11 {
		return time.Time{}, false, fmt.Errorf("%w: the claim %s must be Unix seconds", webhook.ErrTimestampMalformed, name)
	}
	whole, fraction := math.Modf(seconds)
	return time.Unix(int64(whole), int64(fraction*1e9)), true, nil
}

// issued is when a token was issued; it must say so. Errors wrap one of the
// reasons about the timestamp.
func (o object) issued(in *inbound) (time.Time, error) {
	at, has, err := o.time("iat")
	switch {
	case err != nil:
		return time.Time{}, err
	case !has:
		return time.Time{}, fmt.Errorf("%w: the token has no claim iat", webhook.ErrTimestampMalformed)
	}
	return at, checkAge(at, in.now, in.tolerance)
}

// isFor tells whether a token is meant for an audience.
func (o object) isFor(audience string) bool {
	if one, ok := o.text("aud"); ok {
		return one == audience
	}
	var several []string
	return o["aud"].Kind() == '[' && json.Unmarshal(o["aud"], &several) == nil && slices.Contains(several, audience)
}
