package sqlitestore

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

// place is where a listing goes on: at an event, after some of its deliveries.
type place struct {
	seq  int64
	done int // of the event's endpoints
}

// cursor writes a place: the version, the direction, and the two numbers as
// unsigned varints, in base64.
func (p place) cursor(oldestFirst bool) string {
	b := []byte{cursorVersion, 0}
	if oldestFirst {
		b[1] = 1
	}
	b = binary.AppendUvarint(b, uint64(p.seq))
	b = binary.AppendUvarint(b, uint64(p.done))
	return cursorEncoding.EncodeToString(b)
}

// parseCursor reads a cursor of a listing in the direction given.
func parseCursor(cursor string, oldestFirst bool) (place, error) {
	malformed := fmt.Errorf("%w: give back the one that came with the page before, with the same query", sender.ErrCursor)
	b, err := cursorEncoding.DecodeString(cursor)
	if err != nil || len(b) < 4 {
		return place{}, malformed
	}
	seq, size := binary.Uvarint(b[2:])
	if size <= 0 || seq < 1 || seq > math.MaxInt64 {
		return place{}, malformed
	}
	done, _ := binary.Uvarint(b[2+size:])
	if done > math.MaxInt32 {
		return place{}, malformed
	}
	// There is one way to write a place.
	if p := (place{int64(seq), int(done)}); p.cursor(oldestFirst) == cursor {
		return p, nil
	}
	return place{}, malformed
}
