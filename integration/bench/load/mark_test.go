package load

import (
	"math"
	"strings"
	"testing"

	"github.com/manysends/caddy-webhooks/webhook"
)

func TestMarks(t *testing.T) {
	for _, m := range []Mark{{}, {Run: 1, Number: 2, At: 3}, {Run: math.MaxUint16, Number: math.MaxUint32, At: math.MaxInt64}} {
		id := m.String()
		got, ok := parseMark([]byte(id))
		if !ok || got != m {
			t.Errorf("%s reads as %+v, %v; want %+v", id, got, ok, m)
		}
		if err := webhook.CheckEventID(id); err != nil {
			t.Errorf("%s is no event ID: %v", id, err)
		}
	}
}

func TestOtherIDsAreNoMarks(t *testing.T) {
	good := Mark{Run: 7, Number: 8, At: 9}.String()
	for _, id := range []string{
		"", "evt_0192f0c1a2b37c4d8e5f60718293a4b5", good[1:], good + "0", "x" + good[1:],
		strings.Replace(good, "7-", "g-", 1), strings.Replace(good, "-0000000", "_0000000", 1), strings.ToUpper(good),
	} {
		if m, ok := parseMark([]byte(id)); ok {
			t.Errorf("%q reads as %+v", id, m)
		}
	}
}
