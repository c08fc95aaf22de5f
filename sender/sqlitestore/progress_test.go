package sqlitestore

import (
	"fmt"
	"testing"
)

// TestPurgeProgress: each scope goes on where it was, unless something has
// happened before that; for too many of them nothing is remembered.
func TestPurgeProgress(t *testing.T) {
	p := newPurgeProgress()
	all, a := purgeScope{all: true}, purgeScope{tenant: "a"}
	begin := func(scope purgeScope, want position) {
		t.Helper()
		if got := p.begin(scope); got != want {
			t.Errorf("%+v begins at %v, want %v", scope, got, want)
		}
	}
	begin(all, beginning)
	begin(a, beginning)
	p.end(all, position{10, 5}, 5)
	p.end(a, position{beginning.due, 7}, 3)
	begin(all, position{10, 5})
	begin(a, position{beginning.due, 7})
	p.noteEnded(4)
	begin(a, position{beginning.due, 7}) // it had no reason to stay
	begin(all, beginning)
	p.end(all, position{10, 5}, 5)
	p.noteStored(10)
	begin(a, position{beginning.due, 7}) // what is stored later has a greater number
	begin(all, beginning)
	for i := range maxScopes + 10 {
		p.begin(purgeScope{tenant: fmt.Sprint(i)})
		if len(p.scopes) > maxScopes {
			t.Fatalf("%d scopes are remembered", len(p.scopes))
		}
	}
	begin(a, beginning)
}
