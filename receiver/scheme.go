package receiver

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

// A scheme finds a request's signature and checks it.
type scheme interface {
	// verify returns what the request proves. With an error about the
	// timestamp the result still holds what was proven; with any other error
	// it holds nothing. Errors wrap one of the reasons of package webhook.
	verify(h http.Header, body []byte, now time.Time, tolerance time.Duration) (proof, error)
}

// proof is what an authentic request says of itself.
type proof struct {
	// timestamp is when the attempt was signed; zero where nothing says so.
	timestamp time.Time

	// secret is the index of the secret that matched.
	secret int

	// content is what the signature covers of the body, in pieces. They are
	// valid as long as the body is.
	content [2][]byte
}

// headerScheme is the signature of Standard Webhooks, in three headers.
type headerScheme struct{ keys []webhook.Verifier }

// newHeaderScheme reads "whsec_" and "whpk_" keys. Errors wrap
// [webhook.ErrKey].
func newHeaderScheme(secrets []string) (scheme, error) {
	keys := make([]webhook.Verifier, len(secrets))
	for i, s := range secrets {
		key, err := webhook.ParseVerifier(s)
		if err != nil {
			return nil, err
		}
		keys[i] = key
	}
	return headerScheme{keys}, nil
}

func (s headerScheme) verify(h http.Header, body []byte, now time.Time, tolerance time.Duration) (proof, error) {
	v, err := webhook.Verify(s.keys, h, body, now, tolerance)
	if err != nil && !isAboutTime(err) {
		return proof{}, err
	}
	return proof{timestamp: v.Timestamp, secret: v.Key, content: [2][]byte{body}}, err
}

// isAboutTime tells whether the signature was right and only its age was not.
func isAboutTime(err error) bool {
	return errors.Is(err, webhook.ErrTimestampTooOld) || errors.Is(err, webhook.ErrTimestampTooNew) || errors.Is(err, webhook.ErrTimestampMalformed)
}

// bodyScheme is the signature member at the end of a ManySends body.
type bodyScheme struct{ secrets []*webhook.Secret }

// newBodyScheme reads "whsec_" secrets. Errors wrap [webhook.ErrKey].
func newBodyScheme(secrets []string) (scheme, error) {
	list := make([]*webhook.Secret, len(secrets))
	for i, s := range secrets {
		if strings.HasPrefix(s, "whpk_") {
			return nil, fmt.Errorf("%w: the signature member of a body is made with the shared secret only: give the one that starts with \"whsec_\" instead of a verifying key", webhook.ErrKey)
		}
		secret, err := webhook.ParseSecret(s)
		if err != nil {
			return nil, err
		}
		list[i] = secret
	}
	return bodyScheme{list}, nil
}

func (s bodyScheme) verify(_ http.Header, body []byte, _ time.Time, _ time.Duration) (proof, error) {
	i, err := webhook.VerifyBody(s.secrets, body)
	if err != nil {
		return proof{}, err
	}
	// The member itself is left out: after a change of secrets the same event
	// comes with another signature.
	cut := len(body) - webhook.BodySignatureLength
	return proof{secret: i, content: [2][]byte{body[:cut], closingBrace}}, nil
}

var closingBrace = []byte{'}'}
