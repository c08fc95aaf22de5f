package receiver

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"strconv"
	"time"
)

// HeaderDuplicate is set to "true" on the 200 that answers a duplicate.
const HeaderDuplicate = "Webhook-Duplicate"

// Receiver guards an HTTP endpoint. It is safe for concurrent use. Make one
// with [New]: the zero value is not usable.
type Receiver struct {
	settings
	keys     keyMaker
	state    *State
	logger   *slog.Logger
	now      func() time.Time
	clientIP func(*http.Request) netip.Addr
	source   func(*http.Request) string
	observe  func(*http.Request, Observation)
}

// Options are what a Receiver is given besides its [Config]. The zero value is
// fine.
type Options struct {
	// State is what the Receiver remembers. Default: one of its own, which
	// lives as long as the process; to end it, make it and close it yourself.
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

	// Source is the key that [Config].Rate counts a request against. Default:
	// the same for all.
	Source func(*http.Request) string

	// Observe is told what was decided about a request, exactly once: before
	// the application is called, or before a duplicate or a refusal is
	// answered. Default: nobody.
	Observe func(*http.Request, Observation)
}

// Observation is what was found out about a request when it was decided.
type Observation struct {
	// Provider is the name of the provider.
	Provider string

	// ID is the event ID, or empty. It is the sender's word, except with
	// provider manysends_body, whose signature does not cover it. Nothing of
	// a request that is not authentic is ever told.
	ID string

	// Type is the event type that an authentic body names, or empty.
	Type string

	// Timestamp is when the attempt was signed; zero where that is unknown.
	Timestamp time.Time

	// SecretIndex is which of the secrets matched, from 0; -1 for none.
	SecretIndex int

	// Duplicate tells that the event had been processed before.
	Duplicate bool

	// Reason is why the request was refused; empty when it was not.
	Reason Reason
}

// New makes a Receiver. It changes nothing in a shared State. Errors wrap
// [ErrConfig], and those about a secret also wrap webhook.ErrKey.
func New(cfg Config, o Options) (*Receiver, error) {
	settings, err := cfg.resolve()
	if err != nil {
		return nil, err
	}
	rc := &Receiver{
		settings: settings,
		keys:     newKeyMaker(cfg.Name, cfg.Provider),
		state:    o.State,
		logger:   o.Logger,
		now:      o.Now,
		clientIP: o.ClientIP,
		source:   o.Source,
		observe:  o.Observe,
	}
	if rc.now == nil {
		rc.now = time.Now
	}
	if rc.state == nil {
		rc.state = NewState(StateOptions{Now: rc.now})
	}
	if rc.logger == nil {
		rc.logger = slog.New(slog.DiscardHandler)
	}
	if rc.clientIP == nil {
		rc.clientIP = remoteAddr
	}
	if rc.source == nil {
		rc.source = func(*http.Request) string { return "" }
	}
	return rc, nil
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

// turn is what one accepted request needs while the application is called.
// The application may keep hold of the parts that it gets, so it is not used
// again.
type turn struct {
	claim  claim
	answer answer
	body   wholeBody
}

// Handle checks a request and calls next for it if it is authentic, within the
// limits and not a duplicate. The request that next gets is r itself with its
// exact body restored: Body, ContentLength and GetBody are set.
//
// A refused request is answered by the caller: the error is a [*Refusal], and
// nothing has been written but headers. A duplicate is answered by Handle. In
// all other cases the error is that of next, unchanged. The event counts as
// processed if next returned nil and its response is a 2xx; after anything
// else, panics included, the sender's next attempt gets through.
func (rc *Receiver) Handle(w http.ResponseWriter, r *http.Request, next func(http.ResponseWriter, *http.Request) error) error {
	seen := Observation{Provider: rc.provider.Name, SecretIndex: -1}
	if !rc.state.enter() {
		return rc.refuse(w, r, &seen, &Refusal{Status: http.StatusServiceUnavailable, Reason: ReasonClosed, RetryAfter: time.Second, Err: ErrClosed})
	}
	defer rc.state.leave()

	if refusal := rc.checkOutside(r); refusal != nil {
		return rc.refuse(w, r, &seen, refusal)
	}
	buffer := bodyBuffers.Get().(*bodyBuffer)
	proof, refusal := rc.checkInside(r, buffer, &seen)
	if refusal != nil {
		buffer.free()
		return rc.refuse(w, r, &seen, refusal)
	}
	t := new(turn)
	if rc.dedupe {
		rc.fillClaim(&t.claim, seen.ID, &proof)
		switch rc.state.seen.take(r.Context(), &t.claim, rc.wait) {
		case busy:
			buffer.free()
			return rc.refuse(w, r, &seen, inProgress(rc.wait))
		case duplicate:
			buffer.free()
			seen.Duplicate = true
			rc.tell(r, &seen)
			w.Header()[HeaderDuplicate] = headerTrue
			w.WriteHeader(http.StatusOK)
			return nil
		}
	}
	content := bytes.Clone(buffer.bytes)
	buffer.free()
	restoreBody(r, &t.body, content)
	return rc.call(w, r, t, &seen, next)
}

var headerTrue = []string{"true"}

// checkOutside checks what can be told without the body.
func (rc *Receiver) checkOutside(r *http.Request) *Refusal {
	if r.Method != http.MethodPost {
		return &Refusal{Status: http.StatusMethodNotAllowed, Reason: ReasonMethod, Err: errors.New("the method is not POST")}
	}
	if r.ContentLength > rc.maxSize {
		return tooLarge(rc.maxSize)
	}
	if rc.ipRate != nil {
		if wait, ok := rc.state.ip.allow(clientKey(rc.clientIP(r)), *rc.ipRate); !ok {
			return overRate(ReasonIPRate, wait)
		}
	}
	return nil
}

// checkInside reads the body into buffer and checks all that depends on it.
func (rc *Receiver) checkInside(r *http.Request, buffer *bodyBuffer, seen *Observation) (proof, *Refusal) {
	if refusal := buffer.read(r.Body, rc.maxSize); refusal != nil {
		return proof{}, refusal
	}
	proven, err := rc.scheme.verify(r.Header, buffer.bytes, rc.now(), rc.tolerance)
	if err == nil || isAboutTime(err) {
		seen.SecretIndex = proven.secret
		seen.Timestamp = proven.timestamp
		seen.ID = rc.provider.id.of(r)
		if rc.observe != nil {
			seen.Type = typeOf(buffer.bytes, rc.provider.eventType.member)
		}
	}
	if err != nil {
		return proof{}, notAuthentic(err)
	}
	if rc.rate != nil {
		if wait, ok := rc.state.source.allow(rc.source(r), *rc.rate); !ok {
			return proof{}, overRate(ReasonRate, wait)
		}
	}
	return proven, nil
}

// fillClaim adds the keys that the provider's events are told apart by.
func (rc *Receiver) fillClaim(c *claim, id string, proven *proof) {
	for _, of := range rc.provider.claims {
		switch of {
		case claimID:
			c.add(rc.keys.ofID(id))
		case claimContent:
			c.add(rc.keys.ofContent(proven.content[:]...))
		}
	}
}

// call calls the application and settles the claim by its answer, even if it
// panics.
func (rc *Receiver) call(w http.ResponseWriter, r *http.Request, t *turn, seen *Observation, next func(http.ResponseWriter, *http.Request) error) error {
	if !rc.dedupe {
		rc.tell(r, seen)
		return next(w, r)
	}
	t.answer.ResponseWriter = w
	returned := false
	defer func() {
		if returned && t.answer.succeeded() {
			rc.state.seen.commit(&t.claim, rc.ttl, rc.capacity)
		} else {
			rc.state.seen.release(&t.claim)
		}
	}()
	rc.tell(r, seen)
	err := next(&t.answer, r)
	returned = err == nil
	return err
}

// inProgress is the refusal of a request whose event is still being processed.
func inProgress(waited time.Duration) *Refusal {
	return &Refusal{
		Status: http.StatusConflict, Reason: ReasonInProgress,
		RetryAfter: max(time.Second, waited.Truncate(time.Second)),
		Err:        errors.New("another request with the same event is being processed"),
	}
}

// tell passes on what was decided.
func (rc *Receiver) tell(r *http.Request, seen *Observation) {
	if rc.observe != nil {
		rc.observe(r, *seen)
	}
}

// refuse sets the headers that belong to a refusal, logs it and passes it on.
func (rc *Receiver) refuse(w http.ResponseWriter, r *http.Request, seen *Observation, refusal *Refusal) error {
	seen.Reason = refusal.Reason
	if refusal.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(refusal.RetryAfter/time.Second)))
	}
	if refusal.Reason == ReasonMethod {
		w.Header().Set("Allow", http.MethodPost)
	}
	rc.log(r, seen, refusal)
	rc.tell(r, seen)
	return refusal
}

// log writes the line about a refused request.
func (rc *Receiver) log(r *http.Request, seen *Observation, refusal *Refusal) {
	level := slog.LevelInfo
	if refusal.Status == http.StatusUnauthorized {
		level = slog.LevelWarn
	}
	if !rc.logger.Enabled(r.Context(), level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("reason", string(refusal.Reason)),
		slog.Int("status", refusal.Status),
		slog.String("provider", seen.Provider),
		slog.String("client_ip", rc.clientIP(r).String()),
	}
	if seen.ID != "" && rc.provider.idSigned {
		attrs = append(attrs, slog.String("event_id", seen.ID))
	}
	if refusal.Err != nil {
		attrs = append(attrs, slog.String("error", refusal.Err.Error()))
	}
	rc.logger.LogAttrs(r.Context(), level, "webhook refused", attrs...)
}
