package receiver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/manysends/caddy-webhooks/internal/endtoend"
)

// HeaderDuplicate is set to "true" on the 200 that answers a duplicate.
const HeaderDuplicate = "Webhook-Duplicate"

// Receiver guards an HTTP endpoint. It is safe for concurrent use. Make one
// with [New]: the zero value is not usable.
type Receiver struct {
	settings
	config   Config
	client   *http.Client
	enforce  bool
	policy   []string // the RateLimit-Policy of every answer, or nil
	ring     atomic.Pointer[keyring]
	keys     keyMaker
	state    *State
	series   func() *series
	logger   *slog.Logger
	now      func() time.Time
	clientIP func(*http.Request) netip.Addr
	source   func(r *http.Request, limit int) string
	observe  func(*http.Request, Observation)
}

// keyring is what requests are verified with at a time.
type keyring struct {
	scheme  scheme
	secrets []string

	// challenge meets what the provider expects besides an answer, or is nil.
	challenge func(ctx context.Context, in *inbound, p proof) (handled bool, err error)
}

func newKeyring(s scheme, secrets []string) *keyring {
	k := &keyring{scheme: s, secrets: secrets}
	if c, ok := s.(interface {
		handshake(ctx context.Context, in *inbound, p proof) (handled bool, err error)
	}); ok {
		k.challenge = c.handshake
	}
	return k
}

// secret is the one of that index, or the first.
func (k *keyring) secret(index int) string {
	if index < 0 || index >= len(k.secrets) {
		index = 0
	}
	if len(k.secrets) == 0 {
		return ""
	}
	return k.secrets[index]
}

// Options are what a Receiver is given besides its [Config]. The zero value is
// fine.
type Options struct {
	// State is what the Receiver remembers. Default: one of its own, which
	// lives as long as the process; to end it, make it and close it yourself.
	// One that is given must have been opened with the file that
	// [Dedupe].Persist names.
	State *State

	// Logger gets one line for each refused request, and none for accepted
	// ones. Default: nothing is logged.
	Logger *slog.Logger

	// Now tells the time that signatures are compared with. Default:
	// [time.Now].
	Now func() time.Time

	// ClientIP tells whom a request came from, for [Config].IPRate and the
	// log. Default: the address of the connection.
	ClientIP func(*http.Request) netip.Addr

	// Source is the key that the limit of that index in [Config].Rates counts a
	// request against. Default: the same for all.
	Source func(r *http.Request, limit int) string

	// Client fetches the certificates and keys of providers that publish them.
	// Default: one that connects to public addresses only.
	Client *http.Client

	// Observe is told what was decided about a request, exactly once: before
	// the application is called, or before a handshake, a duplicate or a
	// refusal is answered. Default: nobody.
	Observe func(*http.Request, Observation)
}

// New makes a Receiver. It changes nothing in a shared State. Errors wrap
// [ErrConfig], and those about a secret also wrap webhook.ErrKey.
func New(cfg Config, o Options) (*Receiver, error) {
	settings, err := cfg.resolve(o.Client)
	if err != nil {
		return nil, err
	}
	rc := &Receiver{
		settings: settings,
		config:   cfg,
		client:   o.Client,
		enforce:  !cfg.EnforceOff,
		policy:   rateLimitPolicy(&settings),
		keys:     newKeyMaker(cfg.Name, cfg.Provider),
		state:    o.State,
		logger:   o.Logger,
		now:      o.Now,
		clientIP: o.ClientIP,
		source:   o.Source,
		observe:  o.Observe,
	}
	if cfg.Dedupe.Capacity == 0 && cfg.Dedupe.CapacityBytes > 0 {
		rc.capacity = int(max(1, cfg.Dedupe.CapacityBytes/bytesPerKey))
	}
	rc.ring.Store(newKeyring(settings.scheme, cfg.Secrets))
	if rc.now == nil {
		rc.now = time.Now
	}
	if rc.logger == nil {
		rc.logger = slog.New(slog.DiscardHandler)
	}
	if rc.clientIP == nil {
		rc.clientIP = remoteAddr
	}
	if rc.source == nil {
		rc.source = func(*http.Request, int) string { return "" }
	}
	if err := rc.useState(); err != nil {
		return nil, err
	}
	rc.series = sync.OnceValue(func() *series { return rc.state.metrics.of(rc.provider.Name, len(rc.rates)) })
	return rc, nil
}

// decompresses tells whether the signature covers the body as it was before it
// was compressed.
func (rc *Receiver) decompresses() bool {
	if rc.config.Decompress != nil {
		return *rc.config.Decompress
	}
	return rc.provider.decompress
}

// bytesPerKey is about what a remembered key takes.
const bytesPerKey = 200

// useState checks the State that was given, or opens one.
func (rc *Receiver) useState() error {
	path := rc.config.Dedupe.Persist
	if rc.state == nil {
		var err error
		rc.state, err = OpenState(StateOptions{Name: rc.config.Name, Path: path, Logger: rc.logger, Now: rc.now})
		if err != nil {
			return fmt.Errorf("%w: dedupe.persist: %w", ErrConfig, err)
		}
		return nil
	}
	if path == "" || !rc.dedupe {
		return nil
	}
	if has := rc.state.path(); has != path {
		if has == "" {
			has = "memory alone"
		}
		return fmt.Errorf("%w: dedupe.persist is %s, but the State that was given keeps its events in %s: open it with that file", ErrConfig, path, has)
	}
	return nil
}

// SetSecrets replaces the secrets that requests may be signed with, as
// [Config].Secrets has them. Requests that are being verified finish with the
// old ones. After an error, which wraps [ErrConfig], the old ones stay.
func (rc *Receiver) SetSecrets(secrets []string) error {
	cfg := rc.config
	cfg.Secrets = append([]string(nil), secrets...)
	fresh, err := cfg.resolve(rc.client)
	if err != nil {
		return err
	}
	rc.ring.Store(newKeyring(fresh.scheme, cfg.Secrets))
	return nil
}

// Middleware guards next. Refused requests get their status and a short plain
// text that says no more than the status does.
func (rc *Receiver) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := rc.Handle(w, r, func(w http.ResponseWriter, r *http.Request) error {
			next.ServeHTTP(w, r)
			return nil
		})
		if refusal, ok := errors.AsType[*Refusal](err); ok {
			http.Error(w, http.StatusText(refusal.Status), refusal.Status)
		}
	})
}

// Handle checks a request and calls next for it if it is authentic, within the
// limits and not a duplicate. The request that next gets is r itself with its
// exact body restored: Body, ContentLength and GetBody are set.
//
// A refused request is answered by the caller: the error is a [*Refusal], and
// nothing has been written but headers. A duplicate is answered by Handle, and
// so is a handshake, with which some providers make sure of an endpoint. In
// all other cases the error is that of next, unchanged. The event counts as
// processed if next returned nil and its response is a 2xx; after anything
// else, panics included, the sender's next attempt gets through.
func (rc *Receiver) Handle(w http.ResponseWriter, r *http.Request, next func(http.ResponseWriter, *http.Request) error) error {
	seen := Observation{Provider: rc.provider.Name, SecretIndex: -1, Enforced: true}
	if !rc.state.enter() {
		return rc.refuseUnread(w, r, &seen, &Refusal{Status: http.StatusServiceUnavailable, Reason: ReasonClosed, RetryAfter: time.Second, Err: ErrClosed})
	}
	defer rc.state.leave()

	if rc.config.Headers {
		stripHeaders(r.Header)
	}
	known, refusal := rc.checkOutside(w, r, &seen)
	if refusal != nil {
		return rc.refuseUnread(w, r, &seen, refusal)
	}
	if r.Method != http.MethodPost {
		return rc.handleOther(w, r, &seen, next)
	}
	buffer := bodyBuffers.Get().(*bodyBuffer)
	found, refusal := rc.checkInside(w, r, buffer, &seen)
	if refusal != nil {
		buffer.free()
		rc.took(&found)
		return rc.refuse(w, r, &seen, refusal)
	}
	if !known && found.proven {
		rc.state.ip.know(keyOfClient(rc.clientIP(r)), *rc.ipRate)
	}
	if found.reply != nil {
		buffer.free()
		rc.took(&found)
		return rc.greet(w, r, &seen, found.reply)
	}
	t := new(turn)
	if rc.dedupe && found.authentic {
		t.id = seen.ID
		rc.fillClaim(&t.claim, seen.ID, &found.proof, buffer.bytes)
		if refusal := rc.claim(r, t, &seen, &found); refusal != nil {
			buffer.free()
			return rc.refuse(w, r, &seen, refusal)
		}
		if seen.Duplicate && seen.Enforced {
			buffer.free()
			rc.tell(r, &seen)
			w.Header()[HeaderDuplicate] = headerTrue
			w.WriteHeader(http.StatusOK)
			return nil
		}
	} else {
		rc.took(&found)
	}
	content := bytes.Clone(buffer.bytes)
	buffer.free()
	restoreBody(r, &t.body, content)
	if found.inflated {
		dropCoding(r, len(content))
	}
	if rc.config.Headers && found.authentic {
		setHeaders(r.Header, &seen)
		endtoend.Keep(r.Header, isOwnHeader)
	}
	return rc.call(w, r, t, &seen, next)
}

var headerTrue = []string{"true"}
