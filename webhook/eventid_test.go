package webhook_test

import (
	"strings"
	"testing"

	"github.com/manysends/caddy-webhooks/webhook"
)

func TestEventIDOf(t *testing.T) {
	for _, id := range []string{"", "evt_1", "72d3162e-cc78-11e3-81ab-4c9367dc0958", "a:b", strings.Repeat("x", 128)} {
		if got := webhook.EventIDOf(id); got != id {
			t.Errorf("EventIDOf(%q) = %q, want it as it is", id, got)
		}
	}
	made := make(map[string]string)
	for _, id := range []string{"a.b", "a_b.", "a b", "a/b", "é", "\xff", strings.Repeat("x", 129), strings.Repeat("x", 130), "a.b\n"} {
		got := webhook.EventIDOf(id)
		if err := webhook.CheckEventID(got); err != nil {
			t.Errorf("EventIDOf(%q) = %q: %v", id, got, err)
		}
		if other, twice := made[got]; twice {
			t.Errorf("%q and %q have the same ID %q", id, other, got)
		}
		made[got] = id
		if again := webhook.EventIDOf(id); again != got {
			t.Errorf("EventIDOf(%q) = %q, and then %q", id, got, again)
		}
	}
	if got := webhook.EventIDOf("a.b"); !strings.HasPrefix(got, "a_b-") {
		t.Errorf("EventIDOf(%q) = %q, which nobody recognises", "a.b", got)
	}
}
