package receiver

import (
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/manysends/caddy-webhooks/internal/unread"
)

// Observation is what was found out about a request when it was decided.
type Observation struct {
	// Provider is the name of the provider.
	Provider string

	// ID is the event ID, or empty. It is the sender's word, except with
	// providers that sign it. Nothing of a request that is not authentic is
	// ever told.
	ID string

	// Type is the event type that an authentic request names, or empty.
	Type string

	// Timestamp is when the attempt was signed; zero where that is unknown.
	Timestamp time.Time

	// SecretIndex is which of the secrets matched, from 0; -1 for none.
	SecretIndex int

	// Duplicate tells that the event had been processed before.
	Duplicate bool

	// Handshake tells that the request was the provider's way to make sure of
	// the endpoint. The receiver answers it itself.
	Handshake bool

	// Reason is why the request was refused, or would have been if the
	// receiver enforced it; empty when there was nothing against it.
	Reason Reason

	// Enforced tells that the receiver acts on what it finds. It is false where
	// [Config].EnforceOff let the request through although there was a Reason
	// against it, or it was a Duplicate.
	Enforced bool
}

// HeaderPrefix begins the names of the header fields that [Config].Headers
// adds.
const HeaderPrefix = "X-Webhook-"

// The header fields that the application is told by, in the canonical form of
// net/http.
const (
	headerProvider  = HeaderPrefix + "Provider"
	headerID        = HeaderPrefix + "Id"
	headerType      = HeaderPrefix + "Type"
	headerTimestamp = HeaderPrefix + "Timestamp"
)

// stripHeaders removes what only the receiver may say.
func stripHeaders(h http.Header) {
	for name := range h {
		if isOwnHeader(name) {
			delete(h, name)
		}
	}
}

// isOwnHeader tells whether a field is one that only the receiver may set, in
// any of the spellings that become the same for an application (RFC 3875,
// section 4.1.18).
func isOwnHeader(name string) bool {
	if len(name) < len(HeaderPrefix) || name[0] != 'X' && name[0] != 'x' {
		return false
	}
	switch http.CanonicalHeaderKey(strings.ReplaceAll(name, "_", "-")) {
	case headerProvider, headerID, headerType, headerTimestamp:
		return true
	}
	return false
}

// setHeaders tells the application what is known of an authentic request.
func setHeaders(h http.Header, o *Observation) {
	h[headerProvider] = []string{o.Provider}
	if isFieldValue(o.ID) {
		h[headerID] = []string{o.ID}
	}
	if isFieldValue(o.Type) {
		h[headerType] = []string{o.Type}
	}
	if !o.Timestamp.IsZero() {
		h[headerTimestamp] = []string{strconv.FormatInt(o.Timestamp.Unix(), 10)}
	}
}

// isFieldValue tells whether s can be sent as a header field: what a JSON body
// names may hold anything.
func isFieldValue(s string) bool {
	if s == "" {
		return false
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return false
		}
	}
	return true
}

// tell counts what was decided and passes it on.
func (rc *Receiver) tell(r *http.Request, seen *Observation) {
	rc.series().count(seen)
	if rc.observe != nil {
		rc.observe(r, *seen)
	}
}

// refuse sets the headers that belong to a refusal, logs it and passes it on.
func (rc *Receiver) refuse(w http.ResponseWriter, r *http.Request, seen *Observation, refusal *Refusal) error {
	seen.Reason, seen.Enforced = refusal.Reason, true
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

// refuseUnread refuses a request whose body nobody has read, and takes that away:
// the client must get to see the refusal.
func (rc *Receiver) refuseUnread(w http.ResponseWriter, r *http.Request, seen *Observation, refusal *Refusal) error {
	var size int64
	if refusal.Reason == ReasonTooLarge {
		size = rc.maxSize
	}
	unread.Discard(w, r, size, false)
	return rc.refuse(w, r, seen, refusal)
}

// overlook tells whether a request is let through in spite of a refusal, and
// notes the first one.
func (rc *Receiver) overlook(r *http.Request, seen *Observation, refusal *Refusal) bool {
	if rc.enforce {
		return false
	}
	if seen.Reason == "" {
		seen.Reason, seen.Enforced = refusal.Reason, false
		rc.log(r, seen, refusal)
	}
	return true
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
	if seen.ID != "" && rc.provider.IDSigned {
		attrs = append(attrs, slog.String("event_id", seen.ID))
	}
	if refusal.Err != nil {
		attrs = append(attrs, slog.String("error", refusal.Err.Error()))
	}
	text := "webhook refused"
	if !seen.Enforced {
		text = "webhook let through that would be refused"
	}
	rc.logger.LogAttrs(r.Context(), level, text, attrs...)
}
