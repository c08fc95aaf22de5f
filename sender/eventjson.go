package sender

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/manysends/caddy-webhooks/internal/jsonkind"
	"github.com/manysends/caddy-webhooks/webhook"
)

// errMalformed means that a published body is not the JSON object it should
// be.
var errMalformed = errors.New("malformed body")

// parseEvent reads an event as it is published:
//
//	{"event": "conversation.created", "data": …, "id"?, "timestamp"?, "tenant"?}
//
// The JSON must be valid UTF-8 without duplicate member names (RFC 7493).
// Other members are refused, so that a misspelt one is not silently lost. The
// data is compacted and otherwise left alone. Errors wrap errMalformed when
// the body is not such JSON, and ErrInvalid when a member is wrong. Nothing of
// the event is part of the body.
func parseEvent(body []byte) (webhook.Event, error) {
	var e webhook.Event
	d := decode(body)
	defer d.done()
	switch kind := d.PeekKind(); {
	case kind != '{' && kind != 0:
		return e, fmt.Errorf("%w: the body is a JSON %s: send an object such as {\"event\":\"conversation.created\",\"data\":{}}", errMalformed, jsonkind.Name(kind))
	case kind == 0 && len(bytes.TrimSpace(body)) == 0:
		return e, fmt.Errorf("%w: the body is empty: send an object such as {\"event\":\"conversation.created\",\"data\":{}}", errMalformed)
	}
	if _, err := d.ReadToken(); err != nil {
		return e, notJSON(err)
	}
	for d.PeekKind() != '}' {
		token, err := d.ReadToken()
		if err != nil {
			return e, notJSON(err)
		}
		if err := readMember(&e, token.String(), d.Decoder); err != nil {
			return e, err
		}
	}
	if _, err := d.ReadToken(); err != nil {
		return e, notJSON(err)
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return e, fmt.Errorf("%w: something follows the JSON object: send one event and nothing else", errMalformed)
	}
	if e.Data == nil {
		return e, fmt.Errorf("%w: data is missing: add a JSON value that describes the event", ErrInvalid)
	}
	return e, nil
}

// decoder reads JSON that lies in memory.
type decoder struct {
	*jsontext.Decoder
	text bytes.Buffer
}

var decoders = sync.Pool{New: func() any { return &decoder{Decoder: new(jsontext.Decoder)} }}

// decode returns a decoder, which must be told when it is done.
func decode(text []byte) *decoder {
	d := decoders.Get().(*decoder)
	d.reset(text)
	return d
}

// done makes the decoder free for others.
func (d *decoder) done() {
	d.reset(nil)
	decoders.Put(d)
}

func (d *decoder) reset(text []byte) {
	d.text = *bytes.NewBuffer(text)
	d.Reset(&d.text)
}

// readMember reads one member of a published event.
func readMember(e *webhook.Event, name string, d *jsontext.Decoder) error {
	if name == "data" {
		value, err := d.ReadValue()
		if err != nil {
			return notJSON(err)
		}
		e.Data = appendCompact(make([]byte, 0, len(value)), value)
		return nil
	}
	var field *string
	var timestamp string
	switch name {
	case "event":
		field = &e.Type
	case "id":
		field = &e.ID
	case "tenant":
		field = &e.Tenant
	case "timestamp":
		field = &timestamp
	default:
		if len(name) > 64 {
			name = name[:64] + "…"
		}
		return fmt.Errorf("%w: the member %q is unknown: an event has event, data, id, timestamp and tenant; put everything else into data", ErrInvalid, name)
	}
	token, err := d.ReadToken()
	if err != nil {
		return notJSON(err)
	}
	if token.Kind() != '"' {
		return fmt.Errorf("%w: %s is a JSON %s: write it as a string", ErrInvalid, name, jsonkind.Name(token.Kind()))
	}
	if *field = token.String(); *field == "" && name != "tenant" {
		return fmt.Errorf("%w: %s is an empty string: give it a value, or leave the member out", ErrInvalid, name)
	}
	if name == "timestamp" {
		if e.Timestamp, err = parseRFC3339(timestamp); err != nil {
			return fmt.Errorf("%w: timestamp is not in RFC 3339 form: write it such as 2024-03-05T10:30:00Z", ErrInvalid)
		}
		if e.Timestamp.IsZero() { // which would stand for one that was not given
			return errYear(e.Timestamp)
		}
	}
	return nil
}

// parseRFC3339 reads a time in exactly the form of RFC 3339, in which t and z may
// be small letters (section 5.6). [time.Parse] does not take those, but an hour of
// one digit, a comma before the fraction, and zones of more than a day.
func parseRFC3339(s string) (time.Time, error) {
	s = strings.ToUpper(s)
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return t, err
	}
	zone := s[len(s)-len("07:00"):]
	if s[len("2006-01-02T1")] == ':' || strings.Contains(s, ",") || !strings.HasSuffix(s, "Z") && (zone[:2] > "23" || zone[3:] > "59") {
		return t, errors.New("it is not exactly of that form")
	}
	return t, nil
}

// compact removes white space from JSON and refuses invalid UTF-8 and
// duplicate names.
func compact(v *jsontext.Value) error {
	err := v.Compact(jsontext.AllowDuplicateNames(false), jsontext.AllowInvalidUTF8(false))
	if err != nil {
		return fmt.Errorf("is not valid JSON: %s", jsonProblem(err))
	}
	return nil
}

// notJSON explains a syntax error.
func notJSON(err error) error {
	return fmt.Errorf("%w: the body is not valid JSON: %s", errMalformed, jsonProblem(err))
}

// jsonProblem says what is wrong in the words of people who send JSON.
func jsonProblem(err error) string {
	var syntax *jsontext.SyntacticError
	if !errors.As(err, &syntax) {
		if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
			return "it ends too early"
		}
		return err.Error()
	}
	const maxPointer = 200 // it is as long as the JSON is deep
	where := fmt.Sprintf(" (at byte %d", syntax.ByteOffset)
	if p := syntax.JSONPointer; len(p) > maxPointer {
		where += ", " + strings.ToValidUTF8(string(p[:maxPointer]), "") + "…"
	} else if p != "" {
		where += ", " + string(p)
	}
	where += ")"
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		return "a member name stands twice in the same object: remove one" + where
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "it ends too early" + where
	case strings.Contains(syntax.Err.Error(), "UTF-8"):
		return "it holds bytes that are not UTF-8: encode the text as UTF-8" + where
	}
	return strings.TrimPrefix(syntax.Err.Error(), "jsontext: ") + where
}
