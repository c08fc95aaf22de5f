package sender

import (
	"encoding/json"
	"testing"
)

// TestNames: statuses and verdicts are written the same everywhere and read
// back.
func TestNames(t *testing.T) {
	statuses := map[Status]string{Pending: "pending", Blocked: "blocked", Succeeded: "succeeded", Failed: "failed", Cancelled: "cancelled"}
	for s, want := range statuses {
		var back Status
		b, err := json.Marshal(s)
		if err != nil || string(b) != `"`+want+`"` || s.String() != want {
			t.Errorf("status %d is written %s (%v) and %q, want %q", s, b, err, s, want)
		} else if err := json.Unmarshal(b, &back); err != nil || back != s {
			t.Errorf("status %s is read back as %s (%v)", s, back, err)
		}
	}
	verdicts := map[Verdict]string{VerdictSucceeded: "succeeded", VerdictRetry: "retry", VerdictGone: "gone", VerdictBlocked: "blocked"}
	for v, want := range verdicts {
		var back Verdict
		b, err := json.Marshal(v)
		if err != nil || string(b) != `"`+want+`"` || v.String() != want {
			t.Errorf("verdict %d is written %s (%v) and %q, want %q", v, b, err, v, want)
		} else if err := json.Unmarshal(b, &back); err != nil || back != v {
			t.Errorf("verdict %s is read back as %s (%v)", v, back, err)
		}
	}
	if got := Status(0).String(); got != "status(0)" {
		t.Errorf("the zero status is %q", got)
	}
	if got := Verdict(99).String(); got != "verdict(99)" {
		t.Errorf("verdict 99 is %q", got)
	}
	var s Status
	if err := s.UnmarshalText([]byte("")); err == nil || s != 0 {
		t.Errorf("an empty status is read as %s", s)
	}
	if err := s.UnmarshalText([]byte("done")); err == nil || err.Error() != `status "done" is unknown: use pending, blocked, succeeded, failed or cancelled` {
		t.Errorf("an unknown status: %v", err)
	}
	var v Verdict
	if err := v.UnmarshalText([]byte("fine")); err == nil || err.Error() != `verdict "fine" is unknown` {
		t.Errorf("an unknown verdict: %v", err)
	}
}
