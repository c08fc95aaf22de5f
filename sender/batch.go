package sender

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/manysends/caddy-webhooks/webhook"
)

// bodyForm is how the events of a published body are laid out.
type bodyForm int

const (
	formJSON  bodyForm = iota // one object, or an array of them
	formLines                 // one object on each line (NDJSON)
)

// ParseEvents reads one event, or a batch of them, in the JSON that [Intake] takes.
// The error says what is wrong with it.
func ParseEvents(body []byte) ([]webhook.Event, error) {
	events, _, err := parseEvents(body, formJSON)
	return events, err
}

// parseEvents reads the events of a published body: one object, an array of
// objects or, in formLines, an object on each line. It tells whether they are a
// batch, which is also one of a single event. In a batch the error names the
// event, counted from 1. Errors wrap errMalformed or ErrInvalid.
func parseEvents(body []byte, form bodyForm) (events []webhook.Event, batch bool, err error) {
	if form == formLines {
		events, err = parseLines(body)
		return events, true, err
	}
	if trimmed := bytes.TrimLeft(body, " \t\r\n"); len(trimmed) > 0 && trimmed[0] == '[' {
		events, err = parseArray(body)
		return events, true, err
	}
	event, err := parseEvent(body)
	return []webhook.Event{event}, false, err
}

func parseArray(body []byte) (events []webhook.Event, err error) {
	d := decode(body)
	defer d.done()
	if _, err := d.ReadToken(); err != nil {
		return nil, notJSON(err)
	}
	for d.PeekKind() != ']' {
		value, err := d.ReadValue()
		if err != nil {
			return nil, inBatch(len(events), notJSON(err))
		}
		if events, err = appendEvent(events, value); err != nil {
			return nil, err
		}
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, notJSON(err)
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: something follows the JSON array: send one array and nothing else", errMalformed)
	}
	return someEvents(events)
}

func parseLines(body []byte) (events []webhook.Event, err error) {
	for line := range bytes.Lines(body) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if events, err = appendEvent(events, line); err != nil {
			return nil, err
		}
	}
	return someEvents(events)
}

// appendEvent parses the next event of a batch.
func appendEvent(events []webhook.Event, value []byte) ([]webhook.Event, error) {
	if len(events) == maxBatch {
		return nil, fmt.Errorf("%w: the batch has more than %d events: publish 1 to %d at a time", ErrInvalid, maxBatch, maxBatch)
	}
	event, err := parseEvent(value)
	if err != nil {
		return nil, inBatch(len(events), err)
	}
	return append(events, event), nil
}

func someEvents(events []webhook.Event) ([]webhook.Event, error) {
	if len(events) == 0 {
		return nil, fmt.Errorf("%w: the batch is empty: publish 1 to %d events at a time", ErrInvalid, maxBatch)
	}
	return events, nil
}

// inBatch says which event of a batch an error is about.
func inBatch(index int, err error) error { return fmt.Errorf("event %d: %w", index+1, err) }

// ofBatch says which event an error is about, where there are several.
func ofBatch(events []webhook.Event, index int, err error) error {
	if len(events) == 1 {
		return err
	}
	return inBatch(index, err)
}

// formOf tells how the events of a media type are laid out.
func formOf(contentType string) bodyForm {
	media, _, _ := strings.Cut(contentType, ";")
	switch strings.ToLower(strings.TrimSpace(media)) {
	case "application/x-ndjson", "application/ndjson", "application/jsonl":
		return formLines
	}
	return formJSON
}
