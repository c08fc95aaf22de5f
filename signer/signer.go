package signer

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/manysends/caddy-webhooks/internal/endtoend"
	"github.com/manysends/caddy-webhooks/webhook"
)

// Why a request was not signed. The errors of [Signer.Sign] wrap one of these,
// unless there was no randomness or no private key could be used.
var (
	// ErrTooLarge means that the body is larger than [Config].MaxSize. A server
	// answers it with 413.
	ErrTooLarge = errors.New("the body is too large to be signed")

	// ErrRequest means that the body could not be read, or that the request
	// lacks something that its provider signs. A server answers it with 400.
	ErrRequest = errors.New("the request cannot be signed")
)

// Signer signs requests. It is safe for concurrent use. Make one with [New]:
// the zero value is not usable.
type Signer struct {
	settings
	config Config
	ring   atomic.Pointer[keys] // those in force
	now    func() time.Time
	random io.Reader
	id     func(*http.Request) string
}

// Options are what a Signer is given besides its [Config]. The zero value is
// fine.
type Options struct {
	// Now tells the time of sending. Default: [time.Now].
	Now func() time.Time

	// Random is where new event IDs come from. Default: [crypto/rand.Reader].
	// Signatures do not use it.
	Random io.Reader

	// ID is the event ID of a request, which is empty where there is none.
	// Default: [Config].ID as it is.
	ID func(*http.Request) string
}

// New makes a Signer. Errors are those of [Config.Validate].
func New(cfg Config, o Options) (*Signer, error) {
	settings, err := cfg.resolve()
	if err != nil {
		return nil, err
	}
	s := &Signer{settings: settings, config: cfg, now: o.Now, random: o.Random, id: o.ID}
	s.ring.Store(&settings.keys)
	if s.now == nil {
		s.now = time.Now
	}
	if s.random == nil {
		s.random = rand.Reader
	}
	if s.id == nil {
		s.id = func(*http.Request) string { return cfg.ID }
	}
	return s, nil
}

// SetSecrets signs with other secrets from now on. If they cannot be used,
// those before stay in force. Errors are those of [Config.Validate].
func (s *Signer) SetSecrets(secrets []string) error {
	cfg := s.config
	cfg.Secrets = secrets
	settings, err := cfg.resolve()
	if err != nil {
		return err
	}
	s.ring.Store(&settings.keys)
	return nil
}

// Sign reads the body of a request, signs it as it is, and sets the headers;
// what the request brought along in their places is replaced, except for the
// event ID where it keeps its own. Afterwards the body can be sent, and its
// length is known. Whoever changes the body, the address or one of the headers
// later makes the signature wrong.
//
// After an error the request must not be sent: its body may have been read.
func (s *Signer) Sign(r *http.Request) error {
	if r.Method == http.MethodConnect {
		return fmt.Errorf("%w: CONNECT opens a tunnel, which has no end to wait for: send it past the signer", ErrRequest)
	}
	body, err := readBody(r, s.maxSize)
	if err != nil {
		return err
	}
	if r.Header == nil {
		r.Header = make(http.Header)
	}
	now := s.now()
	id, err := s.chooseID(r, body, now)
	if err != nil {
		return err
	}
	s.layout.clear(r.Header)
	begun := make(map[string]bool)
	timestamp := writtenTime(now, s.rules.Template.TimestampFormat)
	write(r.Header, begun, s.layout.timestamp, timestamp)
	if id != "" {
		write(r.Header, begun, s.layout.id, id)
	}
	if err := s.writeSignatures(r, begun, body, now, id, timestamp); err != nil {
		return err
	}
	endtoend.Keep(r.Header, s.layout.names)
	restoreBody(r, body)
	return nil
}

// writeSignatures makes one signature with each secret, and sets them.
func (s *Signer) writeSignatures(r *http.Request, begun map[string]bool, body []byte, now time.Time, id, timestamp string) error {
	ring := s.ring.Load()
	if s.rules.Standard {
		if err := s.writeContent(io.Discard, r, body, id, timestamp); err != nil {
			return err
		}
		r.Header[webhook.HeaderSignature] = []string{webhook.Sign(ring.standard, id, now, body)}
		return nil
	}
	made := make([]string, len(ring.other))
	for i, sign := range ring.other {
		var err error
		made[i], err = sign(func(w io.Writer) error { return s.writeContent(w, r, body, id, timestamp) })
		if err != nil {
			return err
		}
	}
	s.layout.writeSignatures(r.Header, begun, made)
	return nil
}

// writeContent writes what is signed, and makes sure that the receiver will
// take the ID and the time of sending for what they are: where a place that is
// no header has another one, that one could count.
func (s *Signer) writeContent(w io.Writer, r *http.Request, body []byte, id, timestamp string) error {
	signed, err := s.rules.WriteContent(w, r, s.url, body)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %s", ErrRequest, reasonOf(err))
	case len(s.layout.timestamp) > 0 && signed.Timestamp != timestamp:
		return fmt.Errorf("%w: it holds another time of sending, in a place that counts before the header: remove it there", ErrRequest)
	case id != "" && signed.ID != id:
		return fmt.Errorf("%w: it holds another ID, in a place that counts before the header: remove it there", ErrRequest)
	}
	return nil
}

// reasonOf is what package receiver says of a request, without what a receiver
// would make of it.
func reasonOf(err error) string {
	text := err.Error()
	for _, sentinel := range []error{webhook.ErrSignatureMissing, webhook.ErrSignatureMismatch} {
		text = strings.TrimPrefix(text, sentinel.Error()+": ")
	}
	return text
}

// writtenTime writes a time as a provider does. Those that are read in any
// format send milliseconds.
func writtenTime(at time.Time, format string) string {
	switch format {
	case "rfc3339":
		return at.UTC().Format(time.RFC3339)
	case "unix_ms", "auto":
		return strconv.FormatInt(at.UnixMilli(), 10)
	}
	return strconv.FormatInt(at.Unix(), 10)
}
