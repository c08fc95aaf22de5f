package settings

import (
	"fmt"
	"net/http"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	jsonv1 "github.com/go-json-experiment/json/v1"

	"github.com/manysends/caddy-webhooks/webhook"
)

// answerOptions are how Go values are written as JSON.
var answerOptions = json.JoinOptions(
	// The sender's types are tagged with omitempty in the sense of encoding/json.
	jsonv1.OmitEmptyWithLegacySemantics(true),
	json.Deterministic(true),
	// A publisher's data goes out as it came in.
	jsontext.PreserveRawStrings(true),
	// An endpoint's answer may hold anything.
	jsontext.AllowInvalidUTF8(true),
	json.WithMarshalers(json.MarshalToFunc(func(e *jsontext.Encoder, r webhook.Rate) error {
		return e.WriteToken(jsontext.String(r.String()))
	})),
)

// marshal writes a value as JSON, with a line break at its end.
func marshal(v any) ([]byte, error) {
	b, err := json.Marshal(v, answerOptions)
	if err != nil {
		return nil, fmt.Errorf("writing the answer as JSON: %w", err)
	}
	return append(b, '\n'), nil
}

// answer writes a value as the answer.
func (c *call) answer(status int, v any) error {
	body, err := marshal(v)
	if err != nil {
		return &refusal{status: http.StatusInternalServerError, detail: "the answer could not be written: tell whoever operates the server", cause: err}
	}
	c.w.Header().Set("Content-Type", "application/json")
	c.w.WriteHeader(status)
	_, _ = c.w.Write(body) // the client may be gone
	return nil
}

// created answers with something new. Its address is relative to that of the
// request (RFC 9110, section 10.2.2), so that it holds wherever the handler is
// mounted.
func (c *call) created(under, id string, v any) error {
	c.w.Header().Set("Location", under+"/"+id)
	return c.answer(http.StatusCreated, v)
}
