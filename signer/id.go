package signer

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

// maxIDLength bounds an event ID, in bytes.
const maxIDLength = 256

// chooseID is the event ID to write into the request's headers; empty where it
// has none in a header.
func (s *Signer) chooseID(r *http.Request, body []byte, now time.Time) (string, error) {
	if len(s.layout.id) == 0 {
		return "", nil
	}
	if id := s.id(r); id != "" {
		return id, s.checkID(id)
	}
	id, at, err := s.rules.Find(r, body)
	switch {
	case err != nil:
		return "", fmt.Errorf("%w: its ID: %s", ErrRequest, reasonOf(err))
	case id == "":
		return s.newID(now)
	case s.rules.Template.ID[at].Header == "":
		return "", nil // it is in the body or the URL, and stays there
	}
	return id, s.checkID(id)
}

// checkID checks what comes from elsewhere and is written into headers.
func (s *Signer) checkID(id string) error {
	if len(id) > maxIDLength || !isHeaderValue(id) {
		return fmt.Errorf("%w: its ID is longer than %d bytes, or holds a character that a header cannot: use visible ASCII characters", ErrRequest, maxIDLength)
	}
	for _, p := range s.layout.id {
		if p.List != "" && strings.ContainsAny(id, p.List) {
			return fmt.Errorf("%w: its ID holds one of the characters %q, which end it in the header %s: use an ID without them", ErrRequest, p.List, p.Header)
		}
	}
	return nil
}

// isHeaderValue tells whether a text can stand in a header as it is: visible
// ASCII, and spaces but at its ends (RFC 9110, section 5.5).
func isHeaderValue(s string) bool {
	return s == strings.TrimSpace(s) && strings.IndexFunc(s, func(c rune) bool { return c < ' ' || c > '~' }) < 0
}

// newID makes an ID: as the sender does for Standard Webhooks, and as a plain
// UUID for the others, since many of them do (RFC 9562, section 5.7).
func (s *Signer) newID(now time.Time) (string, error) {
	id, err := webhook.NewEventID(now, s.random)
	if err != nil || s.rules.Standard {
		return id, err
	}
	uuid, err := hex.DecodeString(id[len(id)-32:])
	if err != nil {
		return "", fmt.Errorf("making an ID: %w", err)
	}
	return fmt.Sprintf("%x-%x-%x-%x-%x", uuid[:4], uuid[4:6], uuid[6:8], uuid[8:10], uuid[10:]), nil
}
