package sender

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxRetryAfter bounds how long an endpoint may ask to be left alone.
const maxRetryAfter = 24 * time.Hour

// judge says what an answer's status means for the delivery and, for 429 and
// 503, how long the endpoint asked to be left alone (0: it did not).
func judge(status int, h http.Header, now time.Time) (Verdict, time.Duration) {
	switch {
	case status >= 200 && status <= 299:
		return VerdictSucceeded, 0
	case status == http.StatusGone:
		return VerdictGone, 0
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable:
		return VerdictRetry, retryAfter(h.Get("Retry-After"), now)
	}
	return VerdictRetry, 0
}

// retryAfter reads a Retry-After header (RFC 9110, section 10.2.3): seconds or
// an HTTP date. What cannot be read, or lies in the past, is 0; more than a
// day is a day.
func retryAfter(s string, now time.Time) time.Duration {
	s = strings.TrimSpace(s)
	if s == "" {
		return 0
	}
	if strings.Trim(s, "0123456789") == "" {
		seconds, err := strconv.ParseInt(s, 10, 64)
		if err != nil || seconds > int64(maxRetryAfter/time.Second) {
			return maxRetryAfter // more digits than fit is very long, too
		}
		return time.Duration(seconds) * time.Second
	}
	at, err := http.ParseTime(s)
	if err != nil {
		return 0
	}
	return min(max(at.Sub(now), 0), maxRetryAfter)
}
