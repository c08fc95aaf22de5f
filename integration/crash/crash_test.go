package main

import (
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/integration/internal/loadtest"
)

// TestKilledInTheMidst is a short run of the command. A busy machine may take
// long to commit.
func TestKilledInTheMidst(t *testing.T) {
	if err := run(t.Context(), options{kills: 3 + len(moments), recent: time.Minute, seed: uint64(time.Now().UnixNano())}, false); err != nil {
		t.Error(err)
	}
}

// TestJudge guards the drill: one that finds nothing wrong with anything would
// prove nothing.
func TestJudge(t *testing.T) {
	for name, a := range map[string]loadtest.Account{
		"lost":           {Lost: []string{"a"}},
		"without a kill": {Repeats: []loadtest.Repeat{{ID: "a", Life: 1, Again: 1}}},
		"long before":    {Repeats: []loadtest.Repeat{{ID: "a", Life: 1, Again: 2, Age: time.Minute}}},
	} {
		if judge("fast", a, time.Second) == nil {
			t.Errorf("%s: nothing is found wrong", name)
		}
	}
	good := loadtest.Account{Promised: 1, Once: 1, Repeats: []loadtest.Repeat{{ID: "a", Life: 1, Again: 2, Age: time.Millisecond}}}
	if err := judge("fast", good, time.Second); err != nil {
		t.Error(err)
	}
}
