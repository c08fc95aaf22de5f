package webhook

import (
	"encoding/json"
	"fmt"
	"time"
)

// Format is how an event is laid out in the body of a delivery. The zero value
// is [FormatManySends].
type Format string

// The formats.
const (
	// FormatManySends is {"event","timestamp","data","signature"}, with the
	// signature that [SignBody] makes. Without a secret the signature member
	// is left out.
	FormatManySends Format = "manysends"

	// FormatStandard is {"type","timestamp","data"}, as Standard Webhooks
	// recommends ("Payload structure").
	FormatStandard Format = "standard"

	// FormatCloudEvents is the structured JSON form of CloudEvents 1.0
	// (cloudevents/spec, formats/json-format.md, section 3).
	FormatCloudEvents Format = "cloudevents"

	// FormatRaw is the event's data and content type as they were published. Its
	// headers are for the request, and not in the body.
	FormatRaw Format = "raw"
)

// cloudEventsSource is the source attribute of our CloudEvents: together with
// the ID it is unique, and a relative reference is allowed (CloudEvents 1.0,
// "source").
const cloudEventsSource = "/webhooks"

// ParseFormat reads the name of a format; an empty one is [FormatManySends].
func ParseFormat(s string) (Format, error) {
	switch f := Format(s); f {
	case "":
		return FormatManySends, nil
	case FormatManySends, FormatStandard, FormatCloudEvents, FormatRaw:
		return f, nil
	}
	return "", fmt.Errorf("format %q is unknown: use manysends, standard, cloudevents or raw", s)
}

// AppendBody appends the body of a delivery of e to dst and returns it with
// its content type. The members stand in the documented order, compact, and
// e.Data goes in byte for byte, so it must be one valid compact JSON value,
// unless e.ContentType says that it is a body of another kind: then it is wrapped
// up, in [FormatCloudEvents] as data_base64, and in [FormatManySends] and
// [FormatStandard] as data of {"content_type","content_encoding","text"}, or with
// "base64" in place of "text" where it is not UTF-8. The secret signs the body of [FormatManySends] and is
// not used otherwise; it may be nil.
func (f Format) AppendBody(dst []byte, e *Event, secret *Secret) (body []byte, contentType string) {
	switch f {
	case FormatStandard:
		dst = append(dst, `{"type":"`...)
		dst = append(dst, e.Type...)
		dst = append(dst, `","timestamp":"`...)
		dst = appendTimestamp(dst, e.Timestamp)
		dst = append(dst, `","data":`...)
		dst = appendData(dst, e)
		return append(dst, '}'), "application/json"

	case FormatCloudEvents:
		dst = append(dst, `{"specversion":"1.0","id":"`...)
		dst = append(dst, e.ID...)
		dst = append(dst, `","source":"`+cloudEventsSource+`","type":"`...)
		dst = append(dst, e.Type...)
		dst = append(dst, `","time":"`...)
		dst = appendTimestamp(dst, e.Timestamp)
		dst = append(dst, '"')
		dst = appendCloudEventsData(dst, e)
		return append(dst, '}'), "application/cloudevents+json; charset=utf-8"

	case FormatRaw:
		contentType = e.ContentType
		if contentType == "" {
			contentType = "application/json"
		}
		return append(dst, e.Data...), contentType
	}

	start := len(dst)
	dst = append(dst, `{"event":"`...)
	dst = append(dst, e.Type...)
	dst = append(dst, `","timestamp":"`...)
	dst = appendTimestamp(dst, e.Timestamp)
	dst = append(dst, `","data":`...)
	dst = appendData(dst, e)
	dst = append(dst, '}')
	if secret != nil {
		dst = append(dst[:start], SignBody(dst[start:], secret)...)
	}
	return dst, "application/json"
}

// appendTimestamp appends t in UTC as RFC 3339, with as many digits of the
// second as it has.
func appendTimestamp(dst []byte, t time.Time) []byte {
	return t.UTC().AppendFormat(dst, time.RFC3339Nano)
}

// UnmarshalJSON reads the name of a format and refuses unknown ones.
func (f *Format) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return err
	}
	parsed, err := ParseFormat(s)
	if err != nil {
		return err
	}
	*f = parsed
	return nil
}
