package caddymodule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/encode"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// publishPatience is how long an answer waits for its event to be stored.
const publishPatience = 30 * time.Second

// errAnswer means that an application has not said right what is to be published:
// trying again is of no use.
var errAnswer = errors.New("the application's answer cannot be published from")

// responsePublisher publishes what the answers of the handlers after it say.
type responsePublisher struct {
	sender  func(context.Context) (*sender.Sender, error)
	tenant  func(*http.Request) (string, bool) // nil: that of the event
	maxSize int64
	pass    bool // let an answer through whose event cannot be published
	log     *slog.Logger
}

func newResponsePublisher(app *App, p *Publish, tenant func(*http.Request) (string, bool), log *slog.Logger) *responsePublisher {
	maxSize := p.MaxSize
	if maxSize == 0 {
		maxSize = sender.DefaultMaxSize
	}
	return &responsePublisher{sender: app.senderFor, tenant: tenant, maxSize: maxSize, pass: p.OnError == onErrorPass, log: log}
}

// serve passes a request on, and publishes from the answer.
func (p *responsePublisher) serve(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	// Clients have no say in what is published, also by an application that
	// answers with what it was asked.
	removeEventHeaders(r.Header)
	removeEventHeaders(r.Trailer)
	askForReadable(r)
	pw := &publishingWriter{
		ResponseWriterWrapper: &caddyhttp.ResponseWriterWrapper{ResponseWriter: w},
		publisher:             p,
		request:               r,
		before:                maps.Clone(w.Header()),
	}
	defer removeEventHeaders(w.Header()) // as trailers, too
	return pw.finish(next.ServeHTTP(pw, r))
}

// askForReadable has a client that takes answers in several encodings ask the
// application for one that events can be read from: otherwise the client would
// decide whether its event is published.
func askForReadable(r *http.Request) {
	if len(r.Header["Accept-Encoding"]) == 0 {
		return
	}
	readable := "identity"
	if slices.Contains(encode.AcceptedEncodings(r, nil), "gzip") {
		readable = "gzip"
	}
	r.Header.Set("Accept-Encoding", readable)
}

// publish stores events. The client may have left: what the application has done
// is done.
func (p *responsePublisher) publish(r *http.Request, events []webhook.Event) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), publishPatience)
	defer cancel()
	if p.tenant != nil {
		tenant, known := p.tenant(r)
		if !known {
			return fmt.Errorf("%w: it is not known whose event it is: a placeholder in tenant is empty", errAnswer)
		}
		for i := range events {
			events[i].Tenant = tenant
		}
	}
	s, err := p.sender(ctx)
	if err != nil {
		return err
	}
	_, err = s.Publish(ctx, events...)
	if errors.Is(err, sender.ErrInvalid) || errors.Is(err, sender.ErrConflict) {
		return fmt.Errorf("%w: %w", errAnswer, err)
	}
	return err
}

// refuse answers in the application's place that its event was not published.
func (p *responsePublisher) refuse(w http.ResponseWriter, r *http.Request, err error) {
	problem := sender.Problem{Type: "about:blank", Status: http.StatusServiceUnavailable,
		Detail: "the event that belongs to the answer could not be stored: send the request again later"}
	if errors.Is(err, errAnswer) {
		problem.Status = http.StatusBadGateway
		problem.Detail = "the event that belongs to the answer is not as it should be: the log says why"
	} else {
		w.Header().Set("Retry-After", "5")
	}
	problem.Title = http.StatusText(problem.Status)
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(problem.Status)
	if r.Method != http.MethodHead {
		_ = json.NewEncoder(w).Encode(problem) // the client may be gone
	}
}

// isEventHeader tells whether a header is about events, in any of the spellings
// that become the same for an application (RFC 3875, section 4.1.18), and as a
// trailer, too.
func isEventHeader(name string) bool {
	name = strings.TrimPrefix(name, http.TrailerPrefix)
	const longest = len(headerEventData)
	if len(name) > longest || len(name) < len(headerEvent) || !strings.EqualFold(name[:len("webhook")], "webhook") {
		return false
	}
	name = strings.ReplaceAll(name, "_", "-")
	return strings.EqualFold(name, headerEvent) || strings.EqualFold(name, headerEventData)
}

// removeEventHeaders removes what is about events, and announces it as a trailer
// no more.
func removeEventHeaders(h http.Header) {
	for name := range h {
		if isEventHeader(name) {
			delete(h, name)
		}
	}
	announced, ok := h["Trailer"]
	if !ok {
		return
	}
	var kept []string
	for _, list := range announced {
		for name := range strings.SplitSeq(list, ",") {
			if name = strings.TrimSpace(name); name != "" && !isEventHeader(name) {
				kept = append(kept, name)
			}
		}
	}
	if h["Trailer"] = kept; len(kept) == 0 {
		delete(h, "Trailer")
	}
}
