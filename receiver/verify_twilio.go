package receiver

import (
	"context"
	"crypto/sha1" //nolint:gosec // it is what Twilio signs with
	"fmt"
	"mime"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/manysends/caddy-webhooks/webhook"
)

// twilioScheme is X-Twilio-Signature: the base64 of an HMAC-SHA1 over the URL
// and the form's parameters in order of their names. For other bodies the URL
// holds the SHA-256 of the body
// (twilio.com/docs/usage/security#validating-requests).
type twilioScheme struct{ keys sharedKeys }

func newTwilioScheme(o schemeOptions) (scheme, error) {
	keys, err := newSharedKeys(o, "raw")
	if err != nil {
		return nil, err
	}
	return twilioScheme{keys}, nil
}

const headerTwilioSignature = "X-Twilio-Signature"

func (s twilioScheme) verify(_ context.Context, in *inbound) (proof, error) {
	text, err := oneHeader(in.request, headerTwilioSignature)
	if err != nil {
		return proof{}, err
	}
	signature, err := decodeSignature(text)
	if err != nil {
		return proof{}, err
	}
	address := signedAddress(in)
	digest, form, err := readTwilio(in, address)
	if err != nil {
		return proof{}, err
	}
	var parameters []byte
	if digest == "" {
		parameters = appendTwilioForm(nil, form)
	}
	// Twilio is not consistent about the port, so either will do
	// (twilio.com/docs/usage/security#a-few-notes).
	withPort, withoutPort := portVariants(address)
	for _, variant := range []string{withoutPort, withPort} {
		i := s.keys.match(sha1.New, signature, []byte(variant), parameters)
		if i < 0 {
			continue
		}
		if digest != "" && !isDigestOf(in.body, digest) {
			return proof{}, fmt.Errorf("%w: bodySHA256 in the signed URL is not the SHA-256 of the body", webhook.ErrSignatureMismatch)
		}
		// The variants are the same request, so they must be the same event.
		return proof{secret: i, content: [2][]byte{[]byte(withoutPort), parameters}, eventType: twilioType(form)}, nil
	}
	return proof{}, errUnsigned("this URL and this body: check that url is the address that Twilio was told")
}

// readTwilio is what covers the body: a digest in the query, or the form.
// Errors wrap [webhook.ErrSignatureMismatch].
func readTwilio(in *inbound, address string) (digest string, form url.Values, err error) {
	_, query, _ := strings.Cut(address, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return "", nil, fmt.Errorf("%w: the query of the URL is malformed", webhook.ErrSignatureMismatch)
	}
	switch digests := values["bodySHA256"]; {
	case len(digests) == 1 && digests[0] != "":
		return digests[0], nil, nil
	case len(digests) > 0:
		return "", nil, fmt.Errorf("%w: bodySHA256 in the URL must be there once and not be empty", webhook.ErrSignatureMismatch)
	case len(in.body) == 0:
		return "", nil, nil
	}
	mediaType, _, err := mime.ParseMediaType(in.request.Header.Get("Content-Type"))
	if err != nil || mediaType != "application/x-www-form-urlencoded" {
		return "", nil, fmt.Errorf("%w: the signature covers a body only if it is a form, or if its digest is in the URL as bodySHA256", webhook.ErrSignatureMismatch)
	}
	form, err = url.ParseQuery(string(in.body))
	if err != nil {
		return "", nil, fmt.Errorf("%w: the form is malformed", webhook.ErrSignatureMismatch)
	}
	return "", form, nil
}

// appendTwilioForm appends the parameters as they are signed: each name with its
// value, without separators, in order. Of a parameter with several values, each
// different one counts.
func appendTwilioForm(dst []byte, form url.Values) []byte {
	names := make([]string, 0, len(form))
	for name := range form {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		values := slices.Clone(form[name])
		slices.Sort(values)
		for _, value := range slices.Compact(values) {
			dst = append(append(dst, name...), value...)
		}
	}
	return dst
}

// portVariants are the URL with its port, or the default one, and without it.
func portVariants(address string) (with, without string) {
	scheme, rest, ok := strings.Cut(address, "://")
	if !ok {
		return address, address
	}
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	authority, rest := rest[:end], rest[end:]
	host, _, err := net.SplitHostPort(authority)
	if err != nil { // it has no port
		port := "80"
		if scheme == "https" {
			port = "443"
		}
		return scheme + "://" + authority + ":" + port + rest, address
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return address, scheme + "://" + host + rest
}

// twilioType is what a form tells of an event's type: the status that it
// reports.
func twilioType(form url.Values) string {
	for _, name := range [...]string{"EventType", "MessageStatus", "SmsStatus", "CallStatus"} {
		if values := form[name]; len(values) == 1 {
			return values[0]
		}
	}
	return ""
}
