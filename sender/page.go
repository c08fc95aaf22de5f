package sender

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// PageQuery says which part of a list is wanted. The zero value is all of it.
type PageQuery struct {
	// Limit is how many to list at most; 0 means all.
	Limit int

	// Cursor is Next of the page before; empty to begin.
	Cursor string
}

// position is where a list goes on: after the item that was made at a time and
// has an ID. Items that come and go meanwhile move nothing else.
type position struct {
	list string // which list it belongs to
	made time.Time
	id   string
}

// String is the position as a cursor.
func (p position) String() string {
	return base64.RawURLEncoding.EncodeToString([]byte(p.list + " " + strconv.FormatInt(p.made.UnixNano(), 36) + " " + p.id))
}

// parsePosition reads a cursor of one of the lists.
func parsePosition(cursor string, lists ...string) (position, error) {
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return position{}, ErrCursor
	}
	for _, list := range lists {
		rest, ok := strings.CutPrefix(string(text), list+" ")
		if !ok {
			continue
		}
		made, id, ok := strings.Cut(rest, " ")
		n, err := strconv.ParseInt(made, 36, 64)
		if !ok || err != nil {
			return position{}, fmt.Errorf("%w: it is damaged", ErrCursor)
		}
		return position{list, time.Unix(0, n), id}, nil
	}
	return position{}, ErrCursor
}

// compare orders items by when they were made, and those made at the same time
// by their IDs.
func (p position) compare(made time.Time, id string) int {
	if c := p.made.Compare(time.Unix(0, made.UnixNano())); c != 0 {
		return c
	}
	return strings.Compare(p.id, id)
}
