package webhook

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Duration is a [time.Duration] that reads and writes as text in
// configuration: "30s", "5m", "2h", and "d" for days of 24 hours ("30d").
// In JSON a whole number is read as nanoseconds, as Caddy does. The zero value
// is "0s"; what zero means is said by the field that holds it.
type Duration time.Duration

// ParseDuration reads a duration such as "5s", "1h30m" or "30d". It differs
// from [time.ParseDuration] in that it knows days.
func ParseDuration(s string) (Duration, error) {
	days := time.Duration(0)
	n, rest, found := strings.Cut(s, "d")
	if !found {
		rest = s
	} else {
		count, err := strconv.ParseUint(n, 10, 64)
		if count > uint64(math.MaxInt64/(24*time.Hour)) {
			return 0, tooLong(s)
		}
		if err != nil {
			return 0, fmt.Errorf("duration %q is not understood: write a whole number of days first, such as 30d or 1d12h", s)
		}
		days = time.Duration(count) * 24 * time.Hour
		if rest == "" {
			return Duration(days), nil
		}
	}
	d, err := time.ParseDuration(rest)
	if err != nil || found && d < 0 {
		return 0, fmt.Errorf("duration %q is not understood: write a number and a unit, such as 500ms, 30s, 5m, 2h or 30d", s)
	}
	if d > 0 && days+d < days { // past the range of int64
		return 0, tooLong(s)
	}
	return Duration(days + d), nil
}

func tooLong(s string) error {
	return fmt.Errorf("duration %q is too long: use less than 292 years", s)
}

// String writes the duration as people do: as [time.Duration] would, less the
// units that are zero at the end, such as "5m" and "24h".
func (d Duration) String() string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-len("0s")]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-len("0m")]
	}
	return s
}

// MarshalJSON writes the duration as text.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(d.String()) }

// UnmarshalJSON reads text that [ParseDuration] understands, or a whole number
// of nanoseconds.
func (d *Duration) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		var s string
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
		parsed, err := ParseDuration(s)
		if err != nil {
			return err
		}
		*d = parsed
		return nil
	}
	var n int64
	if err := json.Unmarshal(b, &n); err != nil {
		return fmt.Errorf("duration %s is not understood: write text such as \"30s\", or nanoseconds", b)
	}
	*d = Duration(n)
	return nil
}
