package receiver

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

func TestParseTime(t *testing.T) {
	at := time.Unix(1700000000, 0)
	for _, c := range []struct {
		text, format string
		want         time.Time // zero: malformed
	}{
		{"1700000000", "unix", at},
		{"1700000000", "auto", at},
		{"1700000000250", "unix_ms", at.Add(250 * time.Millisecond)},
		{"1700000000250", "auto", at.Add(250 * time.Millisecond)},
		{"2023-11-14T22:13:20Z", "rfc3339", at},
		{"2023-11-14T15:13:20-07:00", "auto", at},
		{"2023-11-14T22:13:20.123456789Z", "rfc3339", at.Add(123456789)},
		{"", "unix", time.Time{}},
		{"", "auto", time.Time{}},
		{"-170000000", "unix", time.Time{}},
		{"+170000000", "unix", time.Time{}},
		{" 170000000", "unix", time.Time{}},
		{"170000000", "unix", time.Time{}},
		{"17000000000", "unix", time.Time{}},
		{"1700000000.5", "unix", time.Time{}},
		{"170000000000", "auto", time.Time{}},
		{"1700000000", "unix_ms", time.Time{}},
		{"1700000000250", "unix", time.Time{}},
		{"2023-11-14 22:13:20", "rfc3339", time.Time{}},
		{"2023-11-14T22:13:20", "rfc3339", at},
		{"2023-11-14T22:13:20.25", "auto", at.Add(250 * time.Millisecond)},
	} {
		got, err := parseTime(c.text, c.format)
		if !got.Equal(c.want) || (err == nil) == c.want.IsZero() || err != nil && !errors.Is(err, webhook.ErrTimestampMalformed) {
			t.Errorf("%q as %s: %s, %v", c.text, c.format, got, err)
		}
	}
}

// TestTimeWithoutZone guards times without a zone against taking one, or a
// fraction, from what is signed behind them.
func TestTimeWithoutZone(t *testing.T) {
	for content, want := range map[string]verdict{
		"v1:{timestamp}:{body}": accepted,
		"{body}{timestamp}":     accepted,
		"{timestamp}{body}":     verdict(ReasonTimestampMalformed),
		"{timestamp}.{body}":    verdict(ReasonTimestampMalformed),
		"{timestamp}Z{body}":    verdict(ReasonTimestampMalformed),
	} {
		b := newBench(t, customConfig(func(t *Template) { t.Content, t.TimestampFormat = content, "rfc3339" }))
		at := b.clock.Now().UTC().Format("2006-01-02T15:04:05.000")
		signed := strings.NewReplacer("{timestamp}", at, "{body}", "text").Replace(content)
		if got := b.verdictOn(customRequest("text", "X-Time", at, "X-Sig", hexSHA256(plainSecret, signed))); got != want {
			t.Errorf("%s: %s, want %s", content, got, want)
		}
	}
}
