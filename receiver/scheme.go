package receiver

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

// A scheme finds a request's signature and checks it. It is safe for concurrent
// use.
type scheme interface {
	// verify returns what the request proves. With an error about the
	// timestamp the result still holds what was proven; with any other error
	// it holds nothing. Errors wrap one of the reasons of package webhook, and
	// never hold a secret or an expected signature.
	verify(ctx context.Context, in *inbound) (proof, error)
}

// inbound is a request as a scheme sees it.
type inbound struct {
	// request is the request; its body has been read.
	request *http.Request

	// url is the address that the provider was told, if it is configured; see
	// [inbound.address].
	url string

	// body is the whole body, decompressed where the provider signs it so. It
	// must not be kept.
	body []byte

	// now is the time, and tolerance how far the signed time may be from it,
	// before or after; negative: as far as it likes.
	now       time.Time
	tolerance time.Duration
}

// address is the URL that the provider was told: the configured one, or else
// the one that the request was sent to, as this connection shows it. What a
// proxy says of it is not believed here.
func (in *inbound) address() string {
	if in.url != "" {
		return in.url
	}
	r := in.request
	target := r.RequestURI
	if !strings.HasPrefix(target, "/") { // not from a server, or in absolute form
		target = r.URL.RequestURI()
	}
	if r.TLS != nil {
		return "https://" + r.Host + target
	}
	return "http://" + r.Host + target
}

// schemeOptions are what a scheme is made from.
type schemeOptions struct {
	secrets    []string // at least one, none empty, unless the provider takes none
	key        string   // how they are written; empty: the provider's way
	template   *Template
	parameters map[string]string

	// client fetches certificates and keys, for providers that publish them.
	client *http.Client
}

// proof is what an authentic request says of itself.
type proof struct {
	// timestamp is when the attempt was signed; zero where nothing says so.
	timestamp time.Time

	// secret is the index of the secret that matched.
	secret int

	// content is what the signature covers of the event, in pieces: of the
	// body, and not the time of sending, which differs between attempts at the
	// same event. They are valid as long as the body is.
	content [2][]byte

	// id and eventType are those of the event, where the scheme has read them
	// anyway; empty where the provider's row says where they are.
	id, eventType string
}

// headerScheme is the signature of Standard Webhooks, in three headers.
type headerScheme struct{ keys []webhook.Verifier }

// newHeaderScheme reads "whsec_" and "whpk_" keys, or secrets that are written
// in another way. Errors about a secret wrap [webhook.ErrKey].
func newHeaderScheme(o schemeOptions) (scheme, error) {
	if o.key != "" && o.key != keyWhsec {
		return o.compileWith(headerTemplate)
	}
	keys := make([]webhook.Verifier, len(o.secrets))
	for i, s := range o.secrets {
		key, err := webhook.ParseVerifier(s)
		if err != nil {
			return nil, err
		}
		keys[i] = key
	}
	return headerScheme{keys}, nil
}

// headerTemplate is the signature of Standard Webhooks as a template. It has no
// type, which the provider's row says.
var headerTemplate = &Template{
	Content:   "{id}.{timestamp}.{body}",
	Encoding:  encodingBase64,
	Signature: []Place{{Header: webhook.HeaderSignature, List: " ", Prefix: "v1,"}},
	Timestamp: []Place{{Header: webhook.HeaderTimestamp}},
	ID:        []Place{{Header: webhook.HeaderID}},
}

func (s headerScheme) verify(_ context.Context, in *inbound) (proof, error) {
	v, err := webhook.Verify(s.keys, in.request.Header, in.body, in.now, in.tolerance)
	if err != nil && !isAboutTime(err) {
		return proof{}, err
	}
	return proof{timestamp: v.Timestamp, secret: v.Key, content: [2][]byte{in.body}}, err
}

// isAboutTime tells whether the signature was right and only its age was not.
func isAboutTime(err error) bool {
	return errors.Is(err, webhook.ErrTimestampTooOld) || errors.Is(err, webhook.ErrTimestampTooNew) || errors.Is(err, webhook.ErrTimestampMalformed)
}

// bodyScheme is the signature member at the end of a ManySends body.
type bodyScheme struct{ secrets []*webhook.Secret }

// newBodyScheme reads "whsec_" secrets. Errors about a secret wrap
// [webhook.ErrKey].
func newBodyScheme(o schemeOptions) (scheme, error) {
	if o.key != "" && o.key != keyWhsec {
		return nil, fmt.Errorf("key is %s, and secrets of manysends_body start with \"whsec_\": leave key out", o.key)
	}
	list := make([]*webhook.Secret, len(o.secrets))
	for i, s := range o.secrets {
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

func (s bodyScheme) verify(_ context.Context, in *inbound) (proof, error) {
	body := in.body
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
