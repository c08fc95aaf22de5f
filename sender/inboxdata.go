package sender

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/manysends/caddy-webhooks/webhook"
)

// jsonOf is the data of an event as one compact JSON value. It tells whether it
// is one: a body is when its content type says JSON, it is not compressed, and it
// is what would be taken in as data.
func jsonOf(e *webhook.Event) ([]byte, bool) {
	if e.ContentType == "" {
		return e.Data, true
	}
	if !isJSON(e.ContentType) || e.Headers.Get("Content-Encoding") != "" {
		return nil, false
	}
	data := jsontext.Value(bytes.Clone(e.Data))
	if compact(&data) != nil {
		return nil, false
	}
	return data, true
}

// laidOut is an event as its body is made from in a format: a body that is JSON
// is as good as other data, except where it goes out as it came.
func laidOut(e *webhook.Event, f webhook.Format) *webhook.Event {
	if e.ContentType == "" || f == webhook.FormatRaw {
		return e
	}
	data, ok := jsonOf(e)
	if !ok {
		return e
	}
	copied := *e
	copied.Data, copied.ContentType = data, ""
	return &copied
}
