package settings

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/manysends/caddy-webhooks/sender"
)

// problem is an error as it is answered: problem details (RFC 9457).
type problem struct {
	sender.Problem

	// Field is the member of the body, or the parameter of the query, that is
	// to blame.
	Field string `json:"field,omitempty"`
}

// refusal is an error that the client is told in its own words.
type refusal struct {
	status        int
	field, detail string
	cause         error // for the log; nil when there is nothing more to say
}

func (e *refusal) Error() string {
	if e.cause != nil {
		return e.detail + ": " + e.cause.Error()
	}
	return e.detail
}

func (e *refusal) Unwrap() error { return e.cause }

// malformed is a refusal of a body that is not the JSON it should be.
func malformed(format string, args ...any) *refusal {
	return &refusal{status: http.StatusBadRequest, detail: fmt.Sprintf(format, args...)}
}

// wrong is a refusal of one member or parameter. The detail begins with its
// name.
func wrong(field, format string, args ...any) *refusal {
	return &refusal{
		status: http.StatusUnprocessableEntity,
		field:  field,
		detail: field + ": " + fmt.Sprintf(format, args...),
	}
}

// unavailable is a refusal for want of what it takes to answer.
func unavailable(cause error) *refusal {
	return &refusal{status: http.StatusServiceUnavailable, detail: "the webhook settings cannot be reached just now: try again in a few seconds", cause: cause}
}

// explain says how an error is answered. The noun is what the path names.
func explain(err error, noun string) *refusal {
	var own *refusal
	var field *sender.FieldError
	conflict := func(detail string) *refusal { return &refusal{status: http.StatusConflict, detail: detail} }
	switch {
	case errors.As(err, &own):
		return own
	case errors.Is(err, sender.ErrNotFound):
		// Nothing of the ID: the answer is the same whether it is somebody
		// else's or nobody's.
		return &refusal{status: http.StatusNotFound, detail: fmt.Sprintf("there is no %s of this ID: look it up in the list", noun)}
	case errors.Is(err, sender.ErrFollowers):
		return &refusal{status: http.StatusServiceUnavailable, detail: "too many streams are open already: close one, or try again in a few seconds", cause: err}
	case errors.Is(err, sender.ErrAmbiguous):
		return conflict("several tenants have an event of this ID: say whose is meant with the parameter tenant")
	case errors.Is(err, sender.ErrReadOnly):
		return conflict(sender.ErrReadOnly.Error())
	case errors.Is(err, sender.ErrUnderWay):
		return conflict("the delivery is being attempted, or about to be: wait for the outcome")
	case errors.Is(err, sender.ErrEnded):
		return conflict("the delivery has ended: there is nothing left to give up")
	case errors.Is(err, sender.ErrStale):
		return conflict("the " + noun + " was changed by somebody else meanwhile: read it again and repeat the change")
	case errors.Is(err, sender.ErrCursor):
		return wrong("cursor", "it was not made for this query: leave it out to begin again, and change nothing else between pages")
	case errors.As(err, &field):
		name := field.Field
		if name == "secrets" { // of which one is given at a time
			name = "secret"
		}
		return wrong(name, "%s", field.Err)
	case errors.Is(err, sender.ErrEndpoint):
		return invalid(err, sender.ErrEndpoint)
	case errors.Is(err, sender.ErrReplay):
		return invalid(err, sender.ErrReplay)
	case errors.Is(err, sender.ErrStats):
		return invalid(err, sender.ErrStats)
	}
	// The store's own words are for the log.
	return unavailable(err)
}

// invalid is a refusal of what the sender finds wrong. Its message begins with
// the kind of error and, where there is one to blame, the field.
func invalid(err, kind error) *refusal {
	detail := strings.TrimPrefix(err.Error(), kind.Error()+": ")
	field, _, found := strings.Cut(detail, ": ")
	if !found || strings.Contains(field, " ") {
		field = ""
	}
	return &refusal{status: http.StatusUnprocessableEntity, field: field, detail: detail}
}

// writeProblem answers with a refusal.
func writeProblem(w http.ResponseWriter, e *refusal) {
	body, err := marshal(problem{
		Problem: sender.Problem{Type: "about:blank", Title: http.StatusText(e.status), Status: e.status, Detail: e.detail},
		Field:   e.field,
	})
	if err != nil { // text and a number: there is always a form for them
		w.WriteHeader(e.status)
		return
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(e.status)
	_, _ = w.Write(body) // the client may be gone
}
