package receiver

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/manysends/caddy-webhooks/webhook"
)

// hubspotScheme is X-HubSpot-Signature-v3: the base64 of an HMAC-SHA256 over
// the method, the URL, the body and the timestamp
// (developers.hubspot.com/docs/apps/developer-platform/build-apps/authentication/request-validation).
type hubspotScheme struct{ keys sharedKeys }

func newHubSpotScheme(o schemeOptions) (scheme, error) {
	keys, err := newSharedKeys(o, "raw")
	if err != nil {
		return nil, err
	}
	return hubspotScheme{keys}, nil
}

const (
	headerHubSpot3         = "X-Hubspot-Signature-V3"
	headerHubSpotTimestamp = "X-Hubspot-Request-Timestamp"
	headerHubSpot          = "X-Hubspot-Signature"
)

// hubspotEscapes are those escapes of a URL that HubSpot takes away before it
// signs.
var hubspotEscapes = strings.NewReplacer(
	"%3A", ":", "%2F", "/", "%3F", "?", "%40", "@", "%21", "!", "%24", "$",
	"%27", "'", "%28", "(", "%29", ")", "%2A", "*", "%2C", ",", "%3B", ";",
	"%3a", ":", "%2f", "/", "%3f", "?", "%2a", "*", "%2c", ",", "%3b", ";",
)

func (s hubspotScheme) verify(_ context.Context, in *inbound) (proof, error) {
	text, err := oneHeader(in.request, headerHubSpot3)
	if err != nil {
		return proof{}, err
	}
	timestamp, err := oneHeader(in.request, headerHubSpotTimestamp)
	if err != nil {
		return proof{}, err
	}
	signature, err := decodeSignature(text)
	if err != nil {
		return proof{}, err
	}
	// The timestamp follows the body, which may end in digits: with 13 digits it
	// can be cut off in one way only, until the year 2286.
	if len(timestamp) != 13 || strings.Trim(timestamp, "0123456789") != "" {
		return proof{}, fmt.Errorf("%w: %s must be Unix milliseconds in 13 digits", webhook.ErrSignatureMismatch, headerHubSpotTimestamp)
	}
	ms, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil {
		return proof{}, fmt.Errorf("%w: %w", webhook.ErrSignatureMismatch, err)
	}
	method, address := in.request.Method, signedAddress(in)
	// HubSpot's documentation takes escapes away, its library does not.
	for _, form := range []string{hubspotEscapes.Replace(address), address} {
		before := []byte(method + form)
		i := s.keys.match(sha256.New, signature, before, in.body, []byte(timestamp))
		if i < 0 {
			continue
		}
		// Nothing separates the URL from the body: with bytes moved from one to
		// the other it is still the same event.
		at := time.UnixMilli(ms)
		return proof{secret: i, timestamp: at, content: [2][]byte{before, in.body}}, checkAge(at, in.now, in.tolerance)
	}
	return proof{}, errUnsigned("this URL and this body: check that url is the address that HubSpot was told")
}

// hubspotHashScheme is X-HubSpot-Signature of the older versions: the hex of a
// plain SHA-256 over the secret and what follows it. Such a hash can be extended
// by whoever has seen it, but not without bytes that no JSON text has; so
// nothing but JSON is accepted.
type hubspotHashScheme struct {
	keys    sharedKeys
	withURL bool // version 2
}

func newHubSpotV1Scheme(o schemeOptions) (scheme, error) { return newHubSpotHashScheme(o, false) }

func newHubSpotV2Scheme(o schemeOptions) (scheme, error) { return newHubSpotHashScheme(o, true) }

func newHubSpotHashScheme(o schemeOptions, withURL bool) (scheme, error) {
	keys, err := newSharedKeys(o, "raw")
	if err != nil {
		return nil, err
	}
	return hubspotHashScheme{keys: keys, withURL: withURL}, nil
}

func (s hubspotHashScheme) verify(_ context.Context, in *inbound) (proof, error) {
	text, err := oneHeader(in.request, headerHubSpot)
	if err != nil {
		return proof{}, err
	}
	signature, err := hex.DecodeString(text)
	if err != nil {
		return proof{}, fmt.Errorf("%w: %s is not hex", webhook.ErrSignatureMismatch, headerHubSpot)
	}
	if !jsontext.Value(in.body).IsValid() {
		return proof{}, fmt.Errorf("%w: the body is not JSON, and this signature is only safe over JSON", webhook.ErrSignatureMismatch)
	}
	prefix := ""
	if s.withURL {
		prefix = in.request.Method + signedAddress(in)
	}
	for i, key := range s.keys {
		h := sha256.New()
		h.Write(key)
		h.Write([]byte(prefix))
		h.Write(in.body)
		if subtle.ConstantTimeCompare(h.Sum(nil), signature) == 1 {
			return proof{secret: i, content: [2][]byte{in.body}}, nil
		}
	}
	return proof{}, errUnsigned("this request")
}
