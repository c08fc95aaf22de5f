package integration

import (
	"testing"

	"go.uber.org/goleak"
)

// TestReloadLeavesNothing goes through a life with traffic and reloads, and
// finds no goroutine left after its end.
func TestReloadLeavesNothing(t *testing.T) {
	life := func(t *testing.T) {
		h := newInside(t)
		s := newScene(t, h)
		s.start()
		tr := newTraffic(s)
		tr.start()
		for i := range 4 {
			p := s.plan
			if i%2 > 0 {
				p.further = cannotStart
			}
			if _, err := h.load(s.caddyfile(p)); (err != nil) != (p.further != "") {
				t.Fatal(err)
			}
			tr.more(5)
		}
		tr.pause()
		tr.check("at the end")
	}
	// Caddy has some that it keeps for the whole process.
	t.Run("the first life", life)
	before := goleak.IgnoreCurrent()
	t.Run("another life", life)
	if err := goleak.Find(before); err != nil {
		t.Error(err)
	}
}
