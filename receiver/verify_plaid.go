package receiver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/manysends/caddy-webhooks/webhook"
)

// newPlaidScheme is the token in the Plaid-Verification header, which holds the
// SHA-256 of the body; Plaid gives out its keys to its customers one by one
// (plaid.com/docs/api/webhooks/webhook-verification).
func newPlaidScheme(o schemeOptions) (scheme, error) {
	if o.key != "" && o.key != "raw" {
		return nil, fmt.Errorf("key is %s, and Plaid's API secret is text: leave key out", o.key)
	}
	clientID := o.parameters["client_id"]
	if clientID == "" {
		return nil, errors.New("parameters.client_id is not set: write the client_id of your Plaid account, which Plaid gives out its keys to")
	}
	keys := &plaidKeys{}
	switch environment := o.parameters["environment"]; environment {
	case "", "production":
		keys.url = "https://production.plaid.com/webhook_verification_key/get"
	case "sandbox":
		keys.url = "https://sandbox.plaid.com/webhook_verification_key/get"
	default:
		return nil, fmt.Errorf("parameters.environment is %q: use production or sandbox", environment)
	}
	keys.client, keys.clientID, keys.secrets = fetchingClient(o.client), clientID, o.secrets
	keys.cache = newKeyCache(keys.fetch)
	return &tokenScheme{
		header: "Plaid-Verification", algorithms: []jose.SignatureAlgorithm{jose.ES256},
		keys:   keys,
		claims: []string{"request_body_sha256"},
		check: func(in *inbound, claims object) (proof, error) {
			digest, ok := claims.text("request_body_sha256")
			if !ok || !isDigestOf(in.body, digest) {
				return proof{}, fmt.Errorf("%w: the claim request_body_sha256 is not the SHA-256 of the body", webhook.ErrSignatureMismatch)
			}
			at, err := claims.issued(in)
			proven := proof{timestamp: at, content: [2][]byte{in.body}}
			if o, broken := readObject(in.body, "webhook_type", "webhook_code"); broken == nil {
				kind, _ := o.text("webhook_type")
				code, _ := o.text("webhook_code")
				proven.eventType = kind + "." + code
			}
			return proven, err
		},
	}, nil
}

// plaidKeys asks Plaid's API for keys.
type plaidKeys struct {
	url, clientID string
	secrets       []string
	client        *http.Client
	cache         *keyCache[plaidKey]
}

// plaidKey is a key, and the index of the secret that it was asked for with.
type plaidKey struct {
	key    any
	secret int
}

// find implements [tokenKeys].
func (p *plaidKeys) find(ctx context.Context, header jose.Header, now time.Time) ([]tokenKey, error) {
	if header.KeyID == "" {
		return nil, fmt.Errorf("%w: the token names no key", webhook.ErrSignatureMismatch)
	}
	k, err := p.cache.get(ctx, header.KeyID, now, 0)
	if err != nil {
		return nil, err
	}
	return []tokenKey{{key: k.key, secret: k.secret}}, nil
}

// fetch asks for a key with each secret in turn.
func (p *plaidKeys) fetch(ctx context.Context, name string) (plaidKey, time.Duration, error) {
	var err error
	for i, secret := range p.secrets {
		var text []byte
		if text, err = p.ask(ctx, name, secret); err != nil {
			continue
		}
		var key any
		key, err = parsePlaidKey(text)
		return plaidKey{key: key, secret: i}, keySetKept, err
	}
	return plaidKey{}, 0, err
}

func (p *plaidKeys) ask(ctx context.Context, name, secret string) ([]byte, error) {
	question, err := json.Marshal(map[string]string{"client_id": p.clientID, "secret": secret, "key_id": name})
	if err != nil {
		return nil, fmt.Errorf("%w: the key ID is not text", errNotPublished)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(question))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeysUnavailable, err)
	}
	r.Header.Set("Content-Type", "application/json")
	return send(p.client, r, maxKeySetText)
}

// parsePlaidKey reads the answer of Plaid. A key with a time of expiry is not in
// use any more.
func parsePlaidKey(text []byte) (any, error) {
	var answer struct {
		Key jsontext.Value `json:"key"`
	}
	var expiry struct {
		ExpiredAt *jsontext.Value `json:"expired_at"`
	}
	var key jose.JSONWebKey
	if json.Unmarshal(text, &answer) != nil || json.Unmarshal(answer.Key, &expiry) != nil || key.UnmarshalJSON(answer.Key) != nil {
		return nil, fmt.Errorf("%w: Plaid's answer holds no key", ErrKeysUnavailable)
	}
	if expiry.ExpiredAt != nil && expiry.ExpiredAt.Kind() != 'n' {
		return nil, fmt.Errorf("%w: the key has expired", errNotPublished)
	}
	if !isVerifyingKey(&key) {
		return nil, fmt.Errorf("%w: Plaid's key is weak or of a kind that is not known", ErrKeysUnavailable)
	}
	return key.Key, nil
}
