package receiver

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

// Reason says why a request was refused. The set is bounded, so it may be the
// label of a metric. The zero value means that it was not refused.
type Reason string

// The reasons, with the status that each one answers.
const (
	ReasonClosed             Reason = "closed"              // 503: the State was closed
	ReasonMethod             Reason = "method"              // 405: not a POST
	ReasonTooLarge           Reason = "too_large"           // 413: the body exceeds MaxSize
	ReasonIPRate             Reason = "ip_rate"             // 429: over IPRate
	ReasonBodyUnreadable     Reason = "body_unreadable"     // 400: the body broke off
	ReasonEncoding           Reason = "encoding"            // 415: compressed in a way that is not known
	ReasonSignatureMissing   Reason = "signature_missing"   // 401: nothing to check
	ReasonSignatureMismatch  Reason = "signature_mismatch"  // 401: made with no configured secret
	ReasonTimestampMalformed Reason = "timestamp_malformed" // 401: not Unix seconds
	ReasonTooOld             Reason = "too_old"             // 401: signed too long ago
	ReasonTooNew             Reason = "too_new"             // 401: signed too far in the future
	ReasonKeysUnavailable    Reason = "keys_unavailable"    // 503: the provider's keys could not be had
	ReasonRate               Reason = "rate"                // 429: over Rate
	ReasonInProgress         Reason = "in_progress"         // 409: the same event is being processed
	ReasonUnavailable        Reason = "memory_unavailable"  // 503: the shared memory of events is away
)

// ErrClosed is wrapped by the [Refusal] of a request that came after
// [State.Close].
var ErrClosed = errors.New("the receiver is closed")

// Refusal is the error of [Receiver.Handle] for a request that was refused
// before the application was called. Nothing has been written for it then,
// except for headers such as Retry-After, which are set already.
type Refusal struct {
	// Status is the HTTP status to answer with.
	Status int

	// Reason says why. It is for the operator: the client should be told
	// nothing but the status.
	Reason Reason

	// RetryAfter is how long the client should wait, in whole seconds; zero
	// where there is nothing to wait for.
	RetryAfter time.Duration

	// Err is the cause, or nil. Its text never holds a secret or an expected
	// signature.
	Err error
}

// Error says why the request was refused. It never holds a secret.
func (r *Refusal) Error() string {
	if r.Err == nil {
		return fmt.Sprintf("webhook refused with status %d: %s", r.Status, r.Reason)
	}
	return fmt.Sprintf("webhook refused with status %d: %s: %v", r.Status, r.Reason, r.Err)
}

// Unwrap is the cause.
func (r *Refusal) Unwrap() error { return r.Err }

// keysRetry is how long a sender should wait whose request could not be
// verified.
const keysRetry = 10 * time.Second

// notAuthentic is the refusal for an error of a scheme: of package webhook, or
// if nothing could be found out about the request, any other.
func notAuthentic(err error) *Refusal {
	var reason Reason
	switch {
	case errors.Is(err, webhook.ErrSignatureMismatch):
		reason = ReasonSignatureMismatch
	case errors.Is(err, webhook.ErrSignatureMissing):
		reason = ReasonSignatureMissing
	case errors.Is(err, webhook.ErrTimestampMalformed):
		reason = ReasonTimestampMalformed
	case errors.Is(err, webhook.ErrTimestampTooOld):
		reason = ReasonTooOld
	case errors.Is(err, webhook.ErrTimestampTooNew):
		reason = ReasonTooNew
	default:
		return &Refusal{Status: http.StatusServiceUnavailable, Reason: ReasonKeysUnavailable, RetryAfter: keysRetry, Err: err}
	}
	return &Refusal{Status: http.StatusUnauthorized, Reason: reason, Err: err}
}
