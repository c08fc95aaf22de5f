package receiver

import (
	"errors"
	"fmt"
	"io"
	"net/http"
)

// ErrOneWay is wrapped by the errors of [Config.Signing] about providers whose
// signatures can be checked here and not made.
var ErrOneWay = errors.New("cannot be imitated")

// Signing is the other side of the rules of a provider, for those who send
// requests as the provider does. It reads a request exactly as the [Receiver]
// will that checks it. It is safe for concurrent use.
type Signing struct {
	// Template says how the provider signs, with the defaults filled in. It is
	// not to be changed.
	Template Template

	// Standard tells that the rules are those of Standard Webhooks, and that
	// secrets are written in its ways ("whsec_" and "whsk_"), so that the
	// package webhook can sign.
	Standard bool

	// WithURL tells that the signature covers the address that the request is
	// sent to.
	WithURL bool

	check *templateScheme // without secrets
}

// Signing is how requests are signed that a receiver of this configuration
// accepts. Only Provider, Template and Key count. Errors wrap [ErrConfig], and
// where the provider cannot be imitated also [ErrOneWay].
func (c Config) Signing() (*Signing, error) {
	var problems []error
	row := c.resolveProvider(func(format string, args ...any) {
		problems = append(problems, fmt.Errorf("%w: "+format, append([]any{ErrConfig}, args...)...))
	})
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	s := &Signing{Standard: row.standard && (c.Key == "" || c.Key == keyWhsec)}
	switch {
	case row.standard:
		s.Template = *headerTemplate
		s.Template.Key = keyWhsec
	case row.template != nil:
		s.Template = *row.template
	default:
		return nil, fmt.Errorf("%w: provider %s %w: its signature is inside the body, or made by rules that no template can express; use another provider, or custom with a template", ErrConfig, row.Name, ErrOneWay)
	}
	check, err := schemeOptions{key: c.Key}.compileWith(&s.Template)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	s.check = check
	s.WithURL = has(check.before, partURL) || has(check.after, partURL)
	s.Template.Key = check.key
	s.Template.Encoding = check.encoding
	s.Template.TimestampFormat = check.format
	if s.Template.Algorithm == "" {
		s.Template.Algorithm = algorithmHMACSHA256
	}
	return s, nil
}

// HMACKey reads a secret that is written as Template.Key says. Errors wrap
// webhook.ErrKey and never hold the secret.
func (s *Signing) HMACKey(secret string) ([]byte, error) { return readKey(secret, s.Template.Key) }

// Find is the event ID that a request has, and which of Template.ID it is in;
// without one it is empty, at -1. An error says in one sentence why it cannot
// be told.
func (s *Signing) Find(r *http.Request, body []byte) (id string, at int, err error) {
	c := checkings.Get().(*checking)
	defer c.free()
	c.doc.open(&s.check.paths, body)
	return s.check.id.one(&inbound{request: r, body: body}, &c.doc)
}

// Signed is what a receiver will read from a request.
type Signed struct {
	// ID is the event ID; empty where there is none.
	ID string

	// Timestamp is the time of sending, as it is written; empty where the
	// provider has none.
	Timestamp string
}

// WriteContent writes what is signed of a request, whose ID and timestamp are
// in their places already. The URL is the one that it is sent to, for
// providers that sign it. An error says what the request lacks.
func (s *Signing) WriteContent(w io.Writer, r *http.Request, url string, body []byte) (Signed, error) {
	c := checkings.Get().(*checking)
	defer c.free()
	c.doc.open(&s.check.paths, body)
	in := &inbound{request: r, url: url, body: body, tolerance: -1}
	content, err := s.check.assemble(c, in)
	if err != nil {
		return Signed{}, err
	}
	if err := s.check.checkTime(c, in, new(proof)); err != nil {
		return Signed{}, err
	}
	if !c.hasID {
		c.id, _, _ = s.check.id.one(in, &c.doc) // one that is ambiguous is none
	}
	for _, piece := range [][]byte{content.before, content.body, content.after} {
		if _, err := w.Write(piece); err != nil {
			return Signed{}, err
		}
	}
	return Signed{ID: c.id, Timestamp: c.timestamp}, nil
}
