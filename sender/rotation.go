package sender

import (
	"context"
	"slices"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

// defaultOverlap is how long a secret goes on to sign after its rotation.
const defaultOverlap = 24 * time.Hour

// maxSecrets bounds how many secrets of one endpoint may sign at once.
const maxSecrets = 5

// RotateSecret gives an endpoint a new secret and returns it. The one before
// goes on to sign beside it for a while, so that the receiver can change over.
// Errors wrap [ErrNotFound], [ErrReadOnly] or [ErrEndpoint], or are the
// store's.
func (s *Sender) RotateSecret(ctx context.Context, tenant, id string, r Rotation) (EndpointInfo, string, error) {
	secret := r.Secret
	info, err := s.change(ctx, tenant, id, func(m *managedEndpoint) (err error) {
		now := s.clock.Now()
		if secret == "" && r.Signing != SigningNone {
			kind := r.Signing
			if kind == "" && len(m.Secrets) > 0 {
				kind = kindOf(m.Secrets[0].Secret)
			}
			if secret, err = s.generateSecret(kind); err != nil {
				return err
			}
		}
		m.Secrets = dropEnded(m.Secrets, now)
		if slices.ContainsFunc(m.Secrets, func(s EndpointSecret) bool { return s.Secret == secret }) {
			return wrongField("secret", "the endpoint has it already: give another one, or leave it out")
		}
		until := now.Add(time.Duration(orDefault(r.Overlap, webhook.Duration(defaultOverlap))))
		for i := range m.Secrets {
			if old := &m.Secrets[i]; old.ExpiresAt.IsZero() || until.Before(old.ExpiresAt) {
				old.ExpiresAt = until
			}
		}
		m.Secrets = dropEnded(m.Secrets, now)
		if len(m.Secrets) >= maxSecrets {
			return wrongField("secret", "%d secrets sign already: wait until one has ended, or rotate without an overlap", len(m.Secrets))
		}
		if secret != "" {
			m.Secrets = slices.Insert(m.Secrets, 0, EndpointSecret{Secret: secret, CreatedAt: now})
		}
		return nil
	})
	if err != nil {
		return EndpointInfo{}, "", err
	}
	return info, secret, nil
}

// kindOf is what kind of secret one is.
func kindOf(secret string) Signing {
	if _, err := webhook.ParseSigningKey(secret); err == nil {
		return SigningEd25519
	}
	return SigningHMAC
}

// Secrets reveals the secrets that an endpoint signs with, the newest first.
// The error wraps [ErrNotFound] when the tenant has none of this ID.
func (s *Sender) Secrets(_ context.Context, tenant, id string) ([]EndpointSecret, error) {
	s.changing.Lock()
	defer s.changing.Unlock()
	t, err := s.targetOf(tenant, id)
	if err != nil {
		return nil, err
	}
	if m := s.managed[id]; m != nil {
		return dropEnded(m.Secrets, s.clock.Now()), nil
	}
	secrets := make([]EndpointSecret, len(t.config.Secrets))
	for i, secret := range t.config.Secrets {
		secrets[i].Secret = secret
	}
	return secrets, nil
}

// generateSecret makes a secret.
func (s *Sender) generateSecret(kind Signing) (string, error) {
	switch kind {
	case "", SigningHMAC:
		secret, err := webhook.GenerateSecret(s.random)
		if err != nil {
			return "", err
		}
		return secret.Reveal(), nil
	case SigningEd25519:
		key, err := webhook.GenerateSigningKey(s.random)
		if err != nil {
			return "", err
		}
		return key.Reveal(), nil
	}
	return "", wrongField("signing", "%q is unknown: use hmac, ed25519 or none", string(kind))
}
