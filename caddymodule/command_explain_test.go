package caddymodule

import (
	"strings"
	"testing"

	"github.com/manysends/caddy-webhooks/diagnose"
)

// TestPlaceOf guards that the place of a difference is shown with what is
// around it, in whole characters, and nothing that drives a terminal.
func TestPlaceOf(t *testing.T) {
	long := strings.Repeat("é", 40)
	tests := []struct {
		name, body string
		d          *diagnose.Difference
		want       string
	}{
		{"none", "abc", nil, ""},
		{"at the end", "{\"a\":1}\n", &diagnose.Difference{Start: 7, End: 8}, `{"a":1}[\n]`},
		{"missing", "ab", &diagnose.Difference{Start: 1, End: 1}, `a[]b`},
		{"in the middle", long + "\x1b" + long, &diagnose.Difference{Start: 80, End: 81}, "…" + strings.Repeat("é", 12) + `[\x1b]` + strings.Repeat("é", 12) + "…"},
		{"long", strings.Repeat("a", 100), &diagnose.Difference{Start: 0, End: 100}, "[" + strings.Repeat("a", 40) + "…]"},
		{"beyond the body", "ab", &diagnose.Difference{Start: 1, End: 9}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := placeOf(tt.d, []byte(tt.body)); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}
