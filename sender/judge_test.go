package sender

import (
	"net/http"
	"testing"
	"time"
)

// judgedAt is the time at which the answers of these tests are judged.
var judgedAt = time.Date(2024, 3, 5, 10, 30, 0, 0, time.UTC)

func TestJudge(t *testing.T) {
	tests := []struct {
		status int
		after  string
		want   Verdict
		rest   time.Duration
	}{
		{status: 200, want: VerdictSucceeded},
		{status: 202, want: VerdictSucceeded},
		{status: 204, want: VerdictSucceeded},
		{status: 299, want: VerdictSucceeded},
		{status: 200, after: "60", want: VerdictSucceeded},
		{status: 101, want: VerdictRetry},
		{status: 199, want: VerdictRetry},
		{status: 300, want: VerdictRetry},
		{status: 301, want: VerdictRetry},
		{status: 304, want: VerdictRetry},
		{status: 308, want: VerdictRetry},
		{status: 400, want: VerdictRetry},
		{status: 401, want: VerdictRetry},
		{status: 404, want: VerdictRetry},
		{status: 409, want: VerdictRetry},
		{status: 410, want: VerdictGone},
		{status: 410, after: "60", want: VerdictGone},
		{status: 429, want: VerdictRetry},
		{status: 429, after: "60", want: VerdictRetry, rest: time.Minute},
		{status: 500, want: VerdictRetry},
		{status: 500, after: "60", want: VerdictRetry},
		{status: 502, after: "60", want: VerdictRetry},
		{status: 503, want: VerdictRetry},
		{status: 503, after: "Tue, 05 Mar 2024 10:31:00 GMT", want: VerdictRetry, rest: time.Minute},
		{status: 599, want: VerdictRetry},
		{status: 999, want: VerdictRetry},
	}
	for _, test := range tests {
		h := http.Header{}
		if test.after != "" {
			h.Set("Retry-After", test.after)
		}
		got, rest := judge(test.status, h, judgedAt)
		if got != test.want || rest != test.rest {
			t.Errorf("judge(%d, Retry-After: %q) = %s, %s; want %s, %s", test.status, test.after, got, rest, test.want, test.rest)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	const day = 24 * time.Hour
	tests := []struct {
		name, header string
		want         time.Duration
	}{
		{"absent", "", 0},
		{"seconds", "120", 2 * time.Minute},
		{"white space around", "  120\t", 2 * time.Minute},
		{"leading zeros", "000120", 2 * time.Minute},
		{"zero", "0", 0},
		{"exactly a day", "86400", day},
		{"more than a day", "86401", day},
		{"the largest that fits into 64 bits", "9223372036854775807", day},
		{"one that does not fit into 64 bits", "9223372036854775808", day},
		{"forty digits", "9999999999999999999999999999999999999999", day},
		{"date, the form of today", "Tue, 05 Mar 2024 10:32:00 GMT", 2 * time.Minute},
		{"date, RFC 850", "Tuesday, 05-Mar-24 10:32:00 GMT", 2 * time.Minute},
		{"date, asctime", "Tue Mar  5 10:32:00 2024", 2 * time.Minute},
		{"date, white space around", " Tue, 05 Mar 2024 10:32:00 GMT ", 2 * time.Minute},
		{"date, now", "Tue, 05 Mar 2024 10:30:00 GMT", 0},
		{"date in the past", "Tue, 05 Mar 2024 10:29:59 GMT", 0},
		{"date long past", "Thu, 01 Jan 1970 00:00:00 GMT", 0},
		{"date in more than a day", "Fri, 08 Mar 2024 10:30:00 GMT", day},
		{"date past what a duration holds", "Fri, 31 Dec 9999 23:59:59 GMT", day},
		{"negative", "-5", 0},
		{"signed", "+5", 0},
		{"fraction", "1.5", 0},
		{"unit", "5s", 0},
		{"exponent", "1e3", 0},
		{"digits of another script", "٣", 0},
		{"two values", "5, 6", 0},
		{"word", "soon", 0},
		{"RFC 3339", "2024-03-05T10:32:00Z", 0},
		{"NUL", "\x00", 0},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := retryAfter(test.header, judgedAt); got != test.want {
				t.Errorf("retryAfter(%q) = %s, want %s", test.header, got, test.want)
			}
		})
	}
}

// FuzzRetryAfter: whatever an endpoint asks for, a lane rests between nothing
// and a day.
func FuzzRetryAfter(f *testing.F) {
	for _, s := range []string{"", "120", "99999999999999999999", "-1", "Tue, 05 Mar 2024 10:32:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got := retryAfter(s, judgedAt); got < 0 || got > maxRetryAfter {
			t.Errorf("retryAfter(%q) = %s, outside of 0 to %s", s, got, maxRetryAfter)
		}
	})
}
