package sender

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

// signers are the secrets of an endpoint, made ready for use. They never
// change, but some of them end.
type signers struct {
	list   []webhook.Signer
	ends   []time.Time // of each; zero: never
	ending bool        // any of them does
}

// compileSigners parses secrets, the newest first. Errors never hold one.
func compileSigners(secrets []EndpointSecret) (signers, error) {
	var s signers
	for i := range secrets {
		if strings.TrimSpace(secrets[i].Secret) == "" {
			return s, fmt.Errorf("secret %d is empty, or nothing but white space: set it, or leave it out to send unsigned deliveries", i+1)
		}
		signer, err := webhook.ParseSigner(secrets[i].Secret)
		if err != nil {
			return s, err
		}
		s.list = append(s.list, signer)
		s.ends = append(s.ends, secrets[i].ExpiresAt)
		s.ending = s.ending || !secrets[i].ExpiresAt.IsZero()
	}
	return s, nil
}

// valid tells whether the nth secret signs at a time.
func (s *signers) valid(n int, now time.Time) bool {
	return s.ends[n].IsZero() || now.Before(s.ends[n])
}

// at returns those that sign at a time, the newest first.
func (s *signers) at(now time.Time) []webhook.Signer {
	if !s.ending {
		return s.list
	}
	var valid []webhook.Signer
	for i, signer := range s.list {
		if s.valid(i, now) {
			valid = append(valid, signer)
		}
	}
	return valid
}

// bodySecret returns the newest shared secret at a time, which makes the
// signature in the body; nil when there is none.
func (s *signers) bodySecret(now time.Time) *webhook.Secret {
	for i, signer := range s.list {
		if secret, ok := signer.(*webhook.Secret); ok && s.valid(i, now) {
			return secret
		}
	}
	return nil
}

// publicKeys are those that check the Ed25519 signatures of a time, the newest
// first.
func (s *signers) publicKeys(now time.Time) []string {
	var keys []string
	for _, signer := range s.at(now) {
		if key, ok := signer.(*webhook.SigningKey); ok {
			keys = append(keys, key.VerifyingKey().String())
		}
	}
	return keys
}

// ended tells that a secret does not sign any more.
func (s *EndpointSecret) ended(now time.Time) bool {
	return !s.ExpiresAt.IsZero() && !now.Before(s.ExpiresAt)
}

// dropEnded leaves out the secrets that do not sign any more.
func dropEnded(secrets []EndpointSecret, now time.Time) []EndpointSecret {
	return slices.DeleteFunc(slices.Clone(secrets), func(s EndpointSecret) bool { return s.ended(now) })
}

// signersAt are the secrets that sign a delivery at a time.
func (t *target) signersAt(now time.Time) []webhook.Signer { return t.signers.at(now) }

// bodySecretAt is the secret that signs in the body of a delivery at a time;
// nil when there is none.
func (t *target) bodySecretAt(now time.Time) *webhook.Secret { return t.signers.bodySecret(now) }
