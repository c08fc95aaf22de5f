package receiver

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const (
	maxKeySetText = 256 << 10
	maxKeySet     = 64
	keySetKept    = time.Hour
)

// keySet finds keys in a JSON Web Key Set that is published under a URL
// (RFC 7517).
type keySet struct {
	url   string
	cache *keyCache[[]jose.JSONWebKey]
}

func newKeySet(client *http.Client, address string) *keySet {
	client = fetchingClient(client)
	return &keySet{url: address, cache: newKeyCache(func(ctx context.Context, name string) ([]jose.JSONWebKey, time.Duration, error) {
		text, err := get(ctx, client, name, maxKeySetText)
		if err != nil {
			// The address is configured, so that nothing is published there is
			// not the request's fault.
			return nil, 0, fmt.Errorf("%w: %w", ErrKeysUnavailable, err)
		}
		keys, err := parseKeySet(text)
		return keys, keySetKept, err
	})}
}

// parseKeySet reads those keys of a set that signatures can be verified with.
// Errors wrap [ErrKeysUnavailable].
func parseKeySet(text []byte) ([]jose.JSONWebKey, error) {
	var set struct {
		Keys []jsontext.Value `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil || len(set.Keys) > maxKeySet {
		return nil, fmt.Errorf("%w: what was published is not a set of at most %d keys", ErrKeysUnavailable, maxKeySet)
	}
	var keys []jose.JSONWebKey
	for _, raw := range set.Keys {
		var key jose.JSONWebKey
		if key.UnmarshalJSON(raw) != nil || !isVerifyingKey(&key) {
			continue // of another kind, or for another use
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("%w: what was published holds no key to verify signatures with", ErrKeysUnavailable)
	}
	return keys, nil
}

// isVerifyingKey tells whether a key is public, strong, and for signatures.
func isVerifyingKey(k *jose.JSONWebKey) bool {
	return (k.Use == "" || k.Use == "sig") && isStrong(k.Key)
}

// find implements [tokenKeys]. A key that is not in the set may have been added
// since.
func (s *keySet) find(ctx context.Context, header jose.Header, now time.Time) ([]tokenKey, error) {
	keys, err := s.cache.get(ctx, s.url, now, 0)
	if err != nil {
		return nil, err
	}
	found := matchingKeys(keys, header)
	if len(found) > 0 {
		return found, nil
	}
	if keys, err = s.cache.get(ctx, s.url, now, unknownAfter); err != nil {
		return nil, err
	}
	return matchingKeys(keys, header), nil
}

// matchingKeys are the keys that a header may mean: those of its key ID, or all
// of them where it has none, and of its algorithm.
func matchingKeys(keys []jose.JSONWebKey, header jose.Header) (found []tokenKey) {
	for _, k := range keys {
		if header.KeyID != "" && k.KeyID != header.KeyID {
			continue
		}
		if k.Algorithm != "" && k.Algorithm != header.Algorithm {
			continue
		}
		found = append(found, tokenKey{key: k.Key})
	}
	return found
}
