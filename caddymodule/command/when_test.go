package command

import (
	"testing"
	"time"
)

func TestRelative(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0:                        "now",
		999 * time.Millisecond:   "now",
		-999 * time.Millisecond:  "now",
		time.Second:              "1s ago",
		-5 * time.Second:         "in 5s",
		119 * time.Second:        "1m ago",
		-90 * time.Minute:        "in 1h",
		47 * time.Hour:           "47h ago",
		49 * time.Hour:           "2d ago",
		-30 * 24 * time.Hour:     "in 30d",
		3 * 365 * 24 * time.Hour: "1095d ago",
	} {
		if got := relative(now, now.Add(-d)); got != want {
			t.Errorf("%v before is %q, want %q", d, got, want)
		}
	}
}

func TestParseTime(t *testing.T) {
	zone := time.FixedZone("", 3600)
	for s, want := range map[string]string{
		"90m":                       "2024-03-05T09:10:00Z",
		"7d":                        "2024-02-27T10:40:00Z",
		"1d12h":                     "2024-03-03T22:40:00Z",
		"2024-03-05":                "2024-03-04T23:00:00Z",
		"2024-03-05 10:30":          "2024-03-05T09:30:00Z",
		"2024-03-05T10:30":          "2024-03-05T09:30:00Z",
		"2024-03-05 10:30:05":       "2024-03-05T09:30:05Z",
		"2024-03-05T10:30:05.25Z":   "2024-03-05T10:30:05.25Z",
		"2024-03-05T10:30:00-02:00": "2024-03-05T12:30:00Z",
	} {
		got, err := parseTime(s, now, zone)
		if text := got.UTC().Format(time.RFC3339Nano); err != nil || text != want {
			t.Errorf("%q is %s, %v, want %s", s, text, err, want)
		}
	}
	for _, s := range []string{"", "soon", "-1h", "10", "2024-13-01", "05.03.2024"} {
		if got, err := parseTime(s, now, zone); err == nil {
			t.Errorf("%q is taken for %v", s, got)
		}
	}
}

func TestTook(t *testing.T) {
	for in, want := range map[string]string{
		"4.308171ms": "4.31ms", "999.6µs": "1ms", "12ms": "12ms", "110.5µs": "111µs", "1.23456789s": "1.23s", "30s": "30s",
		"2m3.456s": "2m3s", "0s": "0s", "1d": "1d", "": "",
	} {
		if got := (&attempt{Duration: in}).took(); got != want {
			t.Errorf("%q is shown as %q, want %q", in, got, want)
		}
	}
}
