package loadtest

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestLedger: what never came is lost, and what came again is told with the
// kill that may be the reason.
func TestLedger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l Ledger
		for _, id := range []string{"lost", "once", "old", "recent", "same"} {
			l.Promise(id, "a")
		}
		arrive := func(id string, first bool) {
			t.Helper()
			if l.Arrive("a", id) != first {
				t.Errorf("%s: first is not %t", id, first)
			}
		}
		arrive("once", true)
		arrive("old", true)
		arrive("unpromised", true)
		time.Sleep(3 * time.Second)
		arrive("recent", true)
		time.Sleep(5 * time.Millisecond)
		l.Kill()
		time.Sleep(time.Second)
		l.Begin()
		arrive("old", false)
		arrive("recent", false)
		arrive("same", true)
		arrive("same", false)
		want := Account{
			Promised: 5, Lost: []string{"lost"}, Once: 2,
			Repeats: []Repeat{
				{ID: "old", Life: 0, Again: 1, Age: 3005 * time.Millisecond},
				{ID: "recent", Life: 0, Again: 1, Age: 5 * time.Millisecond},
				{ID: "same", Life: 1, Again: 1},
			},
			InHand: map[int]int{0: 1},
		}
		if diff := cmp.Diff(want, l.Account("a")); diff != "" {
			t.Errorf("account (-want +got):\n%s", diff)
		}
		if n := l.Missing(); n != 1 {
			t.Errorf("%d are missing, want 1", n)
		}
	})
}
