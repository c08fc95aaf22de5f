package receiver

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"fmt"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/manysends/caddy-webhooks/webhook"
)

// newFusionAuthScheme is the token in X-FusionAuth-Signature-JWT, which holds
// the SHA-256 of the body in base64
// (fusionauth.io/docs/extend/events-and-webhooks/signing). A secret is an HMAC
// secret, or a public key in PEM form; which of them it is decides which
// algorithms it may be used for.
func newFusionAuthScheme(o schemeOptions) (scheme, error) {
	if o.key != "" && o.key != "raw" {
		return nil, fmt.Errorf("key is %s, and FusionAuth's keys are text: leave key out", o.key)
	}
	keys := make(configuredKeys, len(o.secrets))
	for i, secret := range o.secrets {
		if !isPEM(secret) {
			if len(secret) < minTokenSecret {
				return nil, fmt.Errorf("%w: an HMAC secret of FusionAuth has at least %d characters: copy the whole of it, or give the public key in PEM form", webhook.ErrKey, minTokenSecret)
			}
			keys[i] = []byte(secret)
			continue
		}
		key, err := parsePublicKey(secret)
		if err != nil {
			return nil, err
		}
		keys[i] = key
	}
	return &tokenScheme{
		header:     "X-Fusionauth-Signature-Jwt",
		algorithms: append([]jose.SignatureAlgorithm{jose.HS256, jose.HS384, jose.HS512}, publicAlgorithms...),
		keys:       keys,
		claims:     []string{"request_body_sha256"},
		check: func(in *inbound, claims object) (proof, error) {
			if !claims.holdsDigest("request_body_sha256", in.body) {
				return proof{}, fmt.Errorf("%w: the claim request_body_sha256 is not the SHA-256 of the body", webhook.ErrSignatureMismatch)
			}
			proven := proof{content: [2][]byte{in.body}}
			if outer, broken := readObject(in.body, "event"); broken == nil {
				if event, broken := readObject(outer["event"], "id", "type"); broken == nil {
					proven.id, _ = event.text("id")
					proven.eventType, _ = event.text("type")
				}
			}
			// FusionAuth does not promise a time, so a token without one counts.
			at, has, err := claims.time("iat")
			if err != nil || !has {
				return proven, err
			}
			proven.timestamp = at
			return proven, checkAge(at, in.now, in.tolerance)
		},
	}, nil
}

// minTokenSecret is how long an HMAC secret must be for HS256, in bytes (RFC
// 7518, section 3.2). No token is ever verified with a shorter one.
const minTokenSecret = 32

// configuredKeys are HMAC secrets, which are bytes, and public keys.
type configuredKeys []any

// find implements [tokenKeys]. A public key is never used as a secret.
func (c configuredKeys) find(_ context.Context, header jose.Header, _ time.Time) (found []tokenKey, err error) {
	for i, key := range c {
		var fits bool
		switch key.(type) {
		case []byte:
			fits = strings.HasPrefix(header.Algorithm, "HS")
		case *rsa.PublicKey:
			fits = strings.HasPrefix(header.Algorithm, "RS") || strings.HasPrefix(header.Algorithm, "PS")
		case *ecdsa.PublicKey:
			fits = strings.HasPrefix(header.Algorithm, "ES")
		case ed25519.PublicKey:
			fits = header.Algorithm == string(jose.EdDSA)
		}
		if fits {
			found = append(found, tokenKey{key: key, secret: i})
		}
	}
	return found, nil
}
