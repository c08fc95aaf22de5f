package stored

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/manysends/caddy-webhooks/sender"
)

// cursorVersion begins a cursor.
const cursorVersion = 1

var cursorEncoding = base64.RawURLEncoding

// Place is where a listing goes on: at an event, after some of its deliveries.
type Place struct {
	// Seq is the number of the event.
	Seq int64

	// Done is how many of the event's endpoints have been dealt with.
	Done int
}

// Cursor writes a place: the version, the direction, and the two numbers as
// unsigned varints, in base64.
func (p Place) Cursor(oldestFirst bool) string {
	b := []byte{cursorVersion, 0}
	if oldestFirst {
		b[1] = 1
	}
	b = binary.AppendUvarint(b, uint64(p.Seq))
	b = binary.AppendUvarint(b, uint64(p.Done))
	return cursorEncoding.EncodeToString(b)
}

// ParseCursor reads a cursor of a listing in the direction given. The error wraps
// [sender.ErrCursor].
func ParseCursor(cursor string, oldestFirst bool) (Place, error) {
	malformed := fmt.Errorf("%w: give back the one that came with the page before, with the same query", sender.ErrCursor)
	b, err := cursorEncoding.DecodeString(cursor)
	if err != nil || len(b) < 4 {
		return Place{}, malformed
	}
	seq, size := binary.Uvarint(b[2:])
	if size <= 0 || seq < 1 || seq > math.MaxInt64 {
		return Place{}, malformed
	}
	done, _ := binary.Uvarint(b[2+size:])
	if done > math.MaxInt32 {
		return Place{}, malformed
	}
	// There is one way to write a Place.
	if p := (Place{int64(seq), int(done)}); p.Cursor(oldestFirst) == cursor {
		return p, nil
	}
	return Place{}, malformed
}
