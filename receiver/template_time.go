package receiver

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

// The digits of a Unix time from 2001 to 2286.
const (
	digitsOfSeconds      = 10
	digitsOfMilliseconds = 13
)

// utcWithoutZone is how Orb writes a time.
const utcWithoutZone = "2006-01-02T15:04:05"

// parseTime reads a timestamp in one of the formats of
// [Template].TimestampFormat. A number must have its usual length: where nothing
// separates it from what is signed beside it, digits could be moved between the
// two otherwise. Errors wrap [webhook.ErrTimestampMalformed].
func parseTime(text, format string) (time.Time, error) {
	isNumber := strings.Trim(text, "0123456789") == ""
	if format == formatAuto {
		format = formatRFC3339
		if isNumber {
			format = map[bool]string{false: formatUnix, true: formatUnixMS}[len(text) == digitsOfMilliseconds]
		}
	}
	if format == formatRFC3339 {
		at, err := time.Parse(time.RFC3339Nano, text)
		if err != nil {
			at, err = time.Parse(utcWithoutZone, text)
		}
		if err != nil {
			return time.Time{}, fmt.Errorf("%w: it must be a time such as 2006-01-02T15:04:05Z", webhook.ErrTimestampMalformed)
		}
		return at, nil
	}
	number, err := strconv.ParseInt(text, 10, 64)
	switch {
	case format == formatUnixMS && isNumber && len(text) == digitsOfMilliseconds && err == nil:
		return time.UnixMilli(number), nil
	case format == formatUnixMS:
		return time.Time{}, fmt.Errorf("%w: it must be Unix milliseconds, which are %d digits", webhook.ErrTimestampMalformed, digitsOfMilliseconds)
	case isNumber && len(text) == digitsOfSeconds && err == nil:
		return time.Unix(number, 0), nil
	}
	return time.Time{}, fmt.Errorf("%w: it must be Unix seconds, which are %d digits", webhook.ErrTimestampMalformed, digitsOfSeconds)
}

// checkAge compares the signed time with now; a tolerance of zero or less
// accepts any. Errors wrap [webhook.ErrTimestampTooOld] or
// [webhook.ErrTimestampTooNew].
func checkAge(at, now time.Time, tolerance time.Duration) error {
	if tolerance <= 0 {
		return nil
	}
	switch age := now.Sub(at); {
	case age > tolerance:
		return fmt.Errorf("%w: signed %s ago, %s is tolerated", webhook.ErrTimestampTooOld, age.Round(time.Second), tolerance)
	case age < -tolerance:
		return fmt.Errorf("%w: signed %s ahead of this clock, %s is tolerated", webhook.ErrTimestampTooNew, (-age).Round(time.Second), tolerance)
	}
	return nil
}

// isZoneless tells whether a time names no zone.
func isZoneless(text string) bool {
	_, err := time.Parse(utcWithoutZone, text)
	return err == nil
}
