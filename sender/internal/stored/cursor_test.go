package stored

import (
	"errors"
	"math"
	"testing"

	"github.com/manysends/caddy-webhooks/sender"
)

func TestCursor(t *testing.T) {
	for _, p := range []Place{{1, 0}, {1, 1}, {127, 128}, {1 << 40, 1000}, {math.MaxInt64, math.MaxInt32}} {
		for _, oldestFirst := range []bool{false, true} {
			cursor := p.Cursor(oldestFirst)
			if got, err := ParseCursor(cursor, oldestFirst); err != nil || got != p {
				t.Errorf("%v is written as %q and read as %v, %v", p, cursor, got, err)
			}
			if got, err := ParseCursor(cursor, !oldestFirst); !errors.Is(err, sender.ErrCursor) {
				t.Errorf("the cursor of %v is read in the other direction as %v, %v", p, got, err)
			}
		}
	}
	for name, b := range map[string][]byte{
		"empty":              {},
		"cut short":          {cursorVersion, 0, 1},
		"another version":    {cursorVersion + 1, 0, 1, 0},
		"no direction":       {cursorVersion, 2, 1, 0},
		"no event":           {cursorVersion, 0, 0, 0},
		"an event too large": {cursorVersion, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0},
		"done too large":     {cursorVersion, 0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1},
		"written otherwise":  {cursorVersion, 0, 0x81, 0, 0},
		"more than a cursor": {cursorVersion, 0, 1, 0, 0},
	} {
		if got, err := ParseCursor(cursorEncoding.EncodeToString(b), false); !errors.Is(err, sender.ErrCursor) {
			t.Errorf("%s: %v is read as %v, %v", name, b, got, err)
		}
	}
}

// FuzzCursor reads any text without harm; what it reads is a Place, which is
// written as the same text.
func FuzzCursor(f *testing.F) {
	f.Add(Place{5, 2}.Cursor(false), false)
	f.Add(Place{1 << 50, 0}.Cursor(true), true)
	f.Add("", false)
	f.Add("AQABAA==", false)
	f.Add("AQAB\nAA", true)
	f.Fuzz(func(t *testing.T, cursor string, oldestFirst bool) {
		p, err := ParseCursor(cursor, oldestFirst)
		if err != nil {
			if !errors.Is(err, sender.ErrCursor) || p != (Place{}) {
				t.Fatalf("%q is read as %v, %v", cursor, p, err)
			}
			return
		}
		if p.Seq < 1 || p.Done < 0 || p.Cursor(oldestFirst) != cursor {
			t.Fatalf("%q is read as %v", cursor, p)
		}
	})
}
