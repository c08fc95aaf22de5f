package receiver

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"github.com/manysends/caddy-webhooks/webhook"
)

// newTokenScheme is for any issuer of JSON Web Tokens that publishes its keys.
func newTokenScheme(o schemeOptions) (scheme, error) {
	issuer, audience, subject := o.parameters["issuer"], o.parameters["audience"], o.parameters["subject"]
	if issuer == "" || audience == "" {
		return nil, errors.New("parameters.issuer and parameters.audience must be set: without them, tokens that were issued for others would be accepted")
	}
	u, err := url.Parse(o.parameters["jwks_url"])
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return nil, errors.New("parameters.jwks_url must be an https URL, such as https://issuer.example.com/.well-known/jwks.json")
	}
	s := &tokenScheme{
		header: "Authorization", bearer: true, algorithms: publicAlgorithms,
		keys: newKeySet(o.client, u.String()),
	}
	if name := o.parameters["header"]; name != "" {
		s.header = http.CanonicalHeaderKey(name)
		s.bearer = s.header == "Authorization"
	}
	if names := o.parameters["algorithms"]; names != "" {
		s.algorithms = nil
		for name := range strings.SplitSeq(names, ",") {
			algorithm := jose.SignatureAlgorithm(strings.TrimSpace(name))
			if !slices.Contains(publicAlgorithms, algorithm) {
				return nil, fmt.Errorf("parameters.algorithms holds %q: use some of RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, ES512 and EdDSA, separated by commas", name)
			}
			s.algorithms = append(s.algorithms, algorithm)
		}
	}
	bodyClaim := o.parameters["body_claim"]
	s.claims = []string{"iss", "aud", "sub", "jti"}
	if bodyClaim != "" {
		if slices.Contains(append([]string{"exp", "nbf", "iat"}, s.claims...), bodyClaim) {
			return nil, fmt.Errorf("parameters.body_claim is %q, which has another meaning: name the claim that holds the SHA-256 of the body", bodyClaim)
		}
		s.claims = append(s.claims, bodyClaim)
	}
	s.check = func(in *inbound, claims object) (proof, error) {
		if iss, _ := claims.text("iss"); iss != issuer {
			return proof{}, fmt.Errorf("%w: the token is not of parameters.issuer", webhook.ErrSignatureMismatch)
		}
		if !claims.isFor(audience) {
			return proof{}, fmt.Errorf("%w: the token is not for parameters.audience", webhook.ErrSignatureMismatch)
		}
		if sub, _ := claims.text("sub"); subject != "" && sub != subject {
			return proof{}, fmt.Errorf("%w: the token is not about parameters.subject", webhook.ErrSignatureMismatch)
		}
		proven := proof{content: [2][]byte{claims[wholePayload], in.body}}
		if bodyClaim != "" {
			if !claims.holdsDigest(bodyClaim, in.body) {
				return proof{}, fmt.Errorf("%w: the claim of parameters.body_claim is not the SHA-256 of the body", webhook.ErrSignatureMismatch)
			}
			// Only a token that is for one body is for one event.
			proven.content = [2][]byte{in.body}
			proven.id, _ = claims.text("jti")
		}
		at, has, err := claims.time("iat")
		proven.timestamp = at
		if err != nil {
			return proven, err
		}
		if claims.has("exp") { // which checkTokenTimes looks at
			return proven, nil
		}
		if !has && in.tolerance > 0 {
			return proven, fmt.Errorf("%w: the token has neither a claim exp nor iat", webhook.ErrTimestampMalformed)
		}
		return proven, checkAge(at, in.now, in.tolerance)
	}
	return s, nil
}

// holdsDigest tells whether a claim is the SHA-256 of the body, in hex, base64
// or base64url.
func (o object) holdsDigest(name string, body []byte) bool {
	text, ok := o.text(name)
	if !ok {
		return false
	}
	want := sha256.Sum256(body)
	var got []byte
	var err error
	switch {
	case len(text) == hex.EncodedLen(len(want)):
		got, err = hex.DecodeString(text)
	case strings.ContainsAny(text, "-_"):
		got, err = base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
	default:
		got, err = base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
	}
	return err == nil && subtle.ConstantTimeCompare(got, want[:]) == 1
}
