package sender

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"

	"github.com/manysends/caddy-webhooks/internal/unread"
	"github.com/manysends/caddy-webhooks/webhook"
)

// Inbox is the HTTP handler that takes webhooks in: whatever is posted to it
// becomes an event, and an endpoint with the format raw gets it as it came, with
// its bytes, its content type and the headers that are kept of it, however long
// that takes. It answers 202 and {"id"} once the event is on disk, 200 and {"id"}
// when it was before, and problem details (RFC 9457) otherwise: 503 with
// Retry-After when it cannot be stored just now. It does not check where a
// request comes from: put it behind whatever does.
//
// When an ID was used for other content before, the event is stored all the same,
// under that ID with a digest of the content added: nothing is lost, and the same
// request again is a duplicate.
type Inbox struct {
	// Sender returns the sender to publish to, or an error when there is none
	// for the time being, which is answered with 503.
	Sender func(context.Context) (*Sender, error)

	// Type says what type the event of a request has. What a type cannot hold is
	// replaced as [webhook.EventTypeOf] does.
	Type func(*http.Request) string

	// ID says what the ID of a request's event is; empty when it has none, and
	// then one is made. What an ID cannot hold is replaced as [webhook.EventIDOf]
	// does. Default: one is made for each.
	ID func(*http.Request) string

	// Headers name those of a request that are kept with the event, at most 64
	// values and 8 KiB of them; one that ends with "*" names all that begin so.
	// Credentials, and what belongs to the connection or is set by a delivery, are
	// never kept. Content-Type and Content-Encoding always are.
	Headers []string

	// MaxSize is how large a body may be, in bytes. Default: 1 MiB.
	MaxSize int64

	// Tenant says whose event a request is; not ok means that it is nobody's, and
	// then the request is refused with 403. Default: nobody's in particular.
	Tenant func(*http.Request) (tenant string, ok bool)
}

// Validate says what is wrong with the settings, if anything.
func (i *Inbox) Validate() error {
	if i.MaxSize < 0 {
		return fmt.Errorf("max_size: %d is negative: write a size such as 1MiB", i.MaxSize)
	}
	for _, pattern := range i.Headers {
		if err := checkHeaderPattern(pattern); err != nil {
			return fmt.Errorf("headers: %w", err)
		}
	}
	return nil
}

// ServeHTTP publishes the request.
func (i *Inbox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s, err := i.Sender(r.Context())
	if err != nil {
		w.Header().Set("Retry-After", "1")
		unread.Discard(w, r, 0, false)
		writeProblem(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	receipt, status, err := i.publish(s, w, r)
	if err != nil {
		if status < http.StatusInternalServerError {
			// Who has sent it will not tell anybody.
			s.log.Warn("an inbound request was refused", "path", r.URL.Path, "status", status, "error", err)
		}
		unread.Discard(w, r, 0, false)
		writeProblem(w, status, err.Error())
		return
	}
	w.Header()["Content-Type"] = []string{"application/json"}
	w.WriteHeader(status)
	_, _ = w.Write(appendReceipts(make([]byte, 0, 64), []Receipt{receipt}, false)) // the client may be gone
}

// publish does the work of ServeHTTP and says with which status to answer.
func (i *Inbox) publish(s *Sender, w http.ResponseWriter, r *http.Request) (receipt Receipt, status int, err error) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return receipt, http.StatusMethodNotAllowed, fmt.Errorf("the method %s is not allowed: send webhooks with POST", r.Method)
	}
	if err := s.busy(w, r, i.MaxSize); err != nil {
		status, err = s.refused(w, err)
		return receipt, status, err
	}
	body, status, err := readBody(w, r, i.MaxSize, nil)
	if err != nil {
		return receipt, status, err
	}
	event, err := i.event(r, body)
	if err != nil {
		s.metrics.refused(refusedInvalid)
		return receipt, publishStatus(err), err
	}
	if receipt, err = s.publishInbound(r.Context(), event); err != nil {
		status, err = s.refused(w, err)
		if status == http.StatusInsufficientStorage {
			status = http.StatusServiceUnavailable // which everybody understands as: send it again
		}
		return receipt, status, err
	}
	if receipt.Duplicate {
		return receipt, http.StatusOK, nil
	}
	return receipt, http.StatusAccepted, nil
}

// event is the event of a request with its body.
func (i *Inbox) event(r *http.Request, body []byte) (webhook.Event, error) {
	e := webhook.Event{
		Type:        webhook.EventTypeOf(i.Type(r)),
		Data:        body,
		ContentType: r.Header.Get("Content-Type"),
		Headers:     keptRequestHeaders(r.Header, i.Headers),
	}
	if e.ContentType == "" {
		e.ContentType = "application/octet-stream" // as recipients may take it for (RFC 9110, section 8.3)
	}
	if i.ID != nil {
		e.ID = webhook.EventIDOf(i.ID(r))
	}
	if i.Tenant != nil {
		tenant, known := i.Tenant(r)
		if !known {
			return e, errNobody
		}
		e.Tenant = tenant
	}
	if parent := r.Header.Get("Traceparent"); isTraceParent(parent) {
		e.TraceParent = parent
	}
	return e, nil
}

// publishInbound publishes an event, and if its ID belongs to another one, under
// an ID of its own.
func (s *Sender) publishInbound(ctx context.Context, e webhook.Event) (receipt Receipt, err error) {
	events := []webhook.Event{e} // with what is filled in
	ctx, end := s.tracing.startPublish(ctx, events)
	receipts, err := s.accept(ctx, events)
	if errors.Is(err, ErrConflict) {
		s.log.Warn("an inbound request has the ID of another one, and is kept under an ID of its own", "event_id", e.ID, "event", e.Type)
		e.ID = idOfContent(&e)
		receipts, err = s.accept(ctx, []webhook.Event{e})
	}
	end(err)
	if err != nil {
		if !errors.Is(err, context.Canceled) {
			s.metrics.refused(refusalOf(err))
		}
		return receipt, err
	}
	return receipts[0], nil
}

// idOfContent is an event's ID with a digest of its content added.
func idOfContent(e *webhook.Event) string {
	digest := sha256.New()
	_, _ = fmt.Fprintf(digest, "%s\n%s\n", e.Type, e.ContentType) // a digest takes everything
	_, _ = digest.Write(e.Data)
	const room = 128 - 1 - 32
	return e.ID[:min(len(e.ID), room)] + ":" + hex.EncodeToString(digest.Sum(nil)[:16])
}
