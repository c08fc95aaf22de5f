package caddymodule

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// The headers of an answer that say what is to be published.
const (
	headerEvent     = "Webhook-Event"
	headerEventData = "Webhook-Event-Data"
)

// eventHeaders are what the headers of an answer say.
type eventHeaders struct {
	whole    []webhook.Event // with their data
	fromBody []bodyEvent
}

// bodyEvent is an event whose data is in the answer's body.
type bodyEvent struct {
	eventType string
	path      string // to the part of the body; empty: all of it
}

func (h *eventHeaders) none() bool { return len(h.whole)+len(h.fromBody) == 0 }

// readEventHeaders reads what an answer says about events. Errors wrap errAnswer.
func readEventHeaders(header http.Header) (h eventHeaders, err error) {
	values := header[headerEvent]
	if len(values) == 0 {
		return h, nil
	}
	var types []string
	for _, value := range values {
		value = strings.TrimSpace(value)
		if webhook.CheckEventType(value) == nil {
			types = append(types, value)
			continue
		}
		events, err := parseEventHeader(value)
		if err != nil {
			return h, fmt.Errorf("%w: %s: %w", errAnswer, headerEvent, err)
		}
		h.whole = append(h.whole, events...)
	}
	sources := header[headerEventData]
	if len(sources) != len(types) && (len(sources) != 1 || len(types) == 0) {
		return h, fmt.Errorf("%w: %s names %d event types, and %s says %d times where their data is: send %s: body, or body:<path>, for each or for all",
			errAnswer, headerEvent, len(types), headerEventData, len(sources), headerEventData)
	}
	for i, eventType := range types {
		path, err := parseSource(sources[min(i, len(sources)-1)])
		if err != nil {
			return h, err
		}
		h.fromBody = append(h.fromBody, bodyEvent{eventType, path})
	}
	return h, nil
}

// parseEventHeader reads events as they are published, in JSON or base64 of it.
func parseEventHeader(value string) ([]webhook.Event, error) {
	text := []byte(value)
	if !strings.HasPrefix(value, "{") && !strings.HasPrefix(value, "[") {
		plain := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(value, "="))
		var err error
		if text, err = base64.RawStdEncoding.DecodeString(plain); err != nil {
			return nil, fmt.Errorf("the value is no event type, no JSON object and no base64: send such as conversation.created, or base64 of {\"event\":\"conversation.created\",\"data\":{}}")
		}
	}
	return sender.ParseEvents(text)
}

// parseSource reads where in an answer the data of an event is.
func parseSource(value string) (path string, err error) {
	value = strings.TrimSpace(value)
	if value == "body" {
		return "", nil
	}
	path, ok := strings.CutPrefix(value, "body:")
	if !ok || path == "" {
		return "", fmt.Errorf("%w: %s is neither body nor body:<path>: send such as body:data.conversation", errAnswer, headerEventData)
	}
	return path, nil
}

// events are what is to be published, given the answer's body. Errors wrap
// errAnswer.
func (h *eventHeaders) events(header http.Header, body []byte, maxSize int64) ([]webhook.Event, error) {
	if len(h.fromBody) == 0 {
		return h.whole, nil
	}
	body, err := decoded(header.Get("Content-Encoding"), body, maxSize)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errAnswer, err)
	}
	if len(body) == 0 { // such as 204 and 304 never have one
		return nil, fmt.Errorf("%w: it has no body: say the data in %s", errAnswer, headerEvent)
	}
	if !json.Valid(body) {
		return nil, fmt.Errorf("%w: its body is not JSON: say the data in %s", errAnswer, headerEvent)
	}
	events := h.whole
	for _, e := range h.fromBody {
		data, err := partOf(body, e.path)
		if err != nil {
			return nil, fmt.Errorf("%w: %s: %w", errAnswer, headerEventData, err)
		}
		events = append(events, webhook.Event{Type: e.eventType, Data: data})
	}
	return events, nil
}

// decoded is a body before it was compressed.
func decoded(encoding string, body []byte, maxSize int64) ([]byte, error) {
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "", "identity":
		return body, nil
	case "gzip", "x-gzip":
	default:
		return nil, fmt.Errorf("its body has the content encoding %q: answer without one, or with gzip; Caddy's encode compresses for the client", encoding)
	}
	reader, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("its body is no gzip: %w", err)
	}
	plain, err := io.ReadAll(io.LimitReader(reader, maxSize+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("its body is no gzip: %w", err)
	case int64(len(plain)) > maxSize:
		return nil, fmt.Errorf("its body is larger than %d bytes: say the data in %s, or raise max_size", maxSize, headerEvent)
	}
	return plain, nil
}

// partOf is the part of a JSON body at a path: names of members and numbers of
// elements, from 0, joined by dots.
func partOf(body []byte, path string) (json.RawMessage, error) {
	part := json.RawMessage(body)
	if path == "" {
		return part, nil
	}
	for step := range strings.SplitSeq(path, ".") {
		var members map[string]json.RawMessage
		var elements []json.RawMessage
		found := false
		if json.Unmarshal(part, &members) == nil {
			part, found = members[step]
		} else if n, err := strconv.Atoi(step); err == nil && json.Unmarshal(part, &elements) == nil && n >= 0 && n < len(elements) {
			part, found = elements[n], true
		}
		if !found {
			return nil, fmt.Errorf("there is no %q at body:%s: name a member that the body has", step, path)
		}
	}
	return part, nil
}
