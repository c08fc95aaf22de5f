package postgresstore

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/sender/internal/stored"
	"github.com/manysends/caddy-webhooks/sender/internal/storedtest"
	"github.com/manysends/caddy-webhooks/webhook"
)

// oddAttempt is an attempt with what seldom is in one.
func oddAttempt() sender.Attempt {
	return sender.Attempt{
		Number: 3, StartedAt: start, Duration: webhook.Duration(25 * time.Millisecond), StatusCode: 503, Verdict: sender.VerdictRetry,
		Error: "é: it is away", Timings: sender.Timings{DNS: 1, FirstByte: -1}, RemoteAddr: "[2001:db8::1]:443",
		RequestHeaders: http.Header{"Webhook-Id": {"1"}}, ResponseHeaders: http.Header{"Retry-After": {"5"}, "X-\xff": {"\x00", ""}},
	}
}

func TestAttempt(t *testing.T) {
	whole := storedtest.WholeAttempt()
	whole.ResponseBody = nil // has a column of its own
	for name, a := range map[string]sender.Attempt{
		"whole": whole,
		"odd":   oddAttempt(),
		"plain": {Number: 1, StartedAt: start, Verdict: sender.VerdictSucceeded, StatusCode: 200},
		"early": {Number: 1 << 30, StartedAt: time.UnixMilli(-5).UTC(), Duration: -1},
	} {
		encoded := encodeAttempt(&a)
		got, err := decodeAttempt(encoded, false)
		if diff := cmp.Diff(a, got); diff != "" || err != nil {
			t.Errorf("%s (-want +got):\n%s%v", name, diff, err)
		}
		a.RequestHeaders, a.ResponseHeaders = nil, nil
		if got, err = decodeAttempt(encoded, true); err != nil || !cmp.Equal(a, got) {
			t.Errorf("%s without headers is %+v, %v", name, got, err)
		}
	}
	odd := oddAttempt()
	encoded := encodeAttempt(&odd)
	for n := range encoded {
		// What is cut off between the error and the detail is an attempt without one.
		got, err := decodeAttempt(encoded[:n], false)
		if err == nil && !cmp.Equal(got, sender.Attempt{Number: 3, StartedAt: start, Duration: odd.Duration, StatusCode: 503,
			Verdict: sender.VerdictRetry, Error: odd.Error}) {
			t.Errorf("the first %d bytes of %d are read as %+v", n, len(encoded), got)
		}
	}
}

// FuzzAttempt reads any bytes without harm, and what it reads can be written and
// read again.
func FuzzAttempt(f *testing.F) {
	whole, odd := storedtest.WholeAttempt(), oddAttempt()
	f.Add(encodeAttempt(&whole))
	f.Add(encodeAttempt(&odd))
	f.Add([]byte{})
	f.Add([]byte{attemptVersion, 2, 0, 0, 0, 0, 0})
	f.Add([]byte{attemptVersion, 2, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, encoded []byte) {
		a, err := decodeAttempt(encoded, false)
		if err != nil {
			if !errors.Is(err, errAttempt) && !errors.Is(err, stored.ErrDetail) {
				t.Fatalf("%x: %v", encoded, err)
			}
			return
		}
		again, err := decodeAttempt(encodeAttempt(&a), false)
		if diff := cmp.Diff(a, again, cmpopts.EquateEmpty()); diff != "" || err != nil {
			t.Fatalf("%x is read otherwise the second time (-want +got):\n%s%v", encoded, diff, err)
		}
	})
}

// FuzzNote reads any text without harm, and what it reads is written as the same
// text.
func FuzzNote(f *testing.F) {
	f.Add("12 d endpoint ep_1")
	f.Add("12 h  lane x y")
	f.Add("")
	f.Add("x a  ")
	f.Add("1 aa  ")
	f.Add("-1 a  \x00")
	f.Fuzz(func(t *testing.T, note string) {
		instance, m, ok := parseNote(note)
		if !ok {
			return
		}
		again, same, ok := parseNote(m.note(instance))
		if !ok || again != instance || same != m {
			t.Fatalf("%q is read as %d, %v and then as %d, %v", note, instance, m, again, same)
		}
	})
}
