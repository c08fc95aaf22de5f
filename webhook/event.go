package webhook

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Event is something that happened and that subscribers are told of.
type Event struct {
	// ID is unique and stable for the event, across endpoints and retries. It
	// is sent as webhook-id, and receivers drop duplicates by it. See
	// [CheckEventID] for what it may hold.
	ID string

	// Type says what happened, such as "conversation.created". See
	// [CheckEventType].
	Type string

	// Timestamp is when it happened. It is written in UTC, to the nanosecond
	// where there are any.
	Timestamp time.Time

	// Tenant is whose endpoints the event goes to; empty in a single-tenant
	// set-up. It is not sent.
	Tenant string

	// Data is the publisher's JSON value, compact and otherwise untouched; with a
	// ContentType it is a body of any kind, byte for byte.
	Data []byte

	// ContentType is empty when Data is a JSON value. Otherwise it is the media
	// type of the body that Data is, which may be JSON, too. [FormatRaw] sends it
	// as it is.
	ContentType string

	// Headers are what came with a body beside its ContentType and belongs to it,
	// under their canonical names: [FormatRaw] sends them. A Content-Encoding
	// among them says how Data is compressed. Most events have none.
	Headers http.Header

	// TraceParent is the W3C Trace Context traceparent of the publishing
	// request, or empty. It is sent as the header of that name.
	TraceParent string
}

// Size is how many bytes the data and the headers of the event take.
func (e *Event) Size() int {
	n := len(e.Data)
	for name, values := range e.Headers {
		for _, value := range values {
			n += len(name) + len(value)
		}
	}
	return n
}

// eventIDPrefix starts every event ID made by [NewEventID].
const eventIDPrefix = "evt_"

// maxEventIDLength keeps IDs cheap to index and to keep in memory.
const maxEventIDLength = 128

// NewEventID makes an event ID: "evt_" and a UUIDv7 (RFC 9562, section 5.7)
// in 32 hexadecimal digits, so that IDs sort by the time they were made, to
// the millisecond. It fails only when random does.
func NewEventID(now time.Time, random io.Reader) (string, error) {
	var uuid [16]byte
	if _, err := io.ReadFull(random, uuid[6:]); err != nil {
		return "", fmt.Errorf("making an event ID: %w", err)
	}
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(now.UnixMilli())<<16)
	copy(uuid[:6], ms[:6])
	uuid[6] = 0x70 | uuid[6]&0x0f // version 7
	uuid[8] = 0x80 | uuid[8]&0x3f // variant of RFC 9562
	var id [len(eventIDPrefix) + 32]byte
	copy(id[:], eventIDPrefix)
	hex.Encode(id[len(eventIDPrefix):], uuid[:])
	return string(id[:]), nil
}

// CheckEventID says what is wrong with an event ID chosen by a publisher, if
// anything. An ID has 1 to 128 letters, digits, "_", "-" or ":". A dot would
// make the signed content ambiguous (Standard Webhooks, "Signature scheme").
func CheckEventID(id string) error {
	if id == "" || len(id) > maxEventIDLength {
		return fmt.Errorf("id has %d characters: use 1 to %d, or leave it out to have one made", len(id), maxEventIDLength)
	}
	for _, c := range id {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_', c == '-', c == ':':
		default:
			return fmt.Errorf("id holds the character %q: use letters, digits, \"_\", \"-\" and \":\" only", c)
		}
	}
	return nil
}
