package command

import (
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// when is a time in a table: how long ago to people, and a time that can be
// sorted elsewhere. Empty when it has not come.
func (c *call) when(t time.Time) string {
	switch {
	case t.IsZero():
		return ""
	case c.out.isTerminal():
		return relative(c.now(), t)
	}
	return t.In(c.zone).Format(time.RFC3339)
}

// moment is a time with how long ago that was.
func (c *call) moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(c.zone).Format("2006-01-02 15:04:05 MST") + " (" + relative(c.now(), t) + ")"
}

// relative says how far a time is from now, in its greatest unit.
func relative(now, t time.Time) string {
	d := now.Sub(t)
	if d < 0 {
		if d > -time.Second {
			return "now"
		}
		return "in " + span(-d)
	}
	if d < time.Second {
		return "now"
	}
	return span(d) + " ago"
}

// span is a duration in its greatest unit, rounded down.
func span(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < 2*day:
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return fmt.Sprintf("%dd", d/day)
}

// timeLayouts are the ways to write a time in a flag, the zone being that of
// the user where none is given.
var timeLayouts = []string{
	time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02",
}

// parseTime reads a time, or how long ago it was.
func parseTime(s string, now time.Time, zone *time.Location) (time.Time, error) {
	for _, layout := range timeLayouts {
		if t, err := time.ParseInLocation(layout, s, zone); err == nil {
			return t, nil
		}
	}
	if d, err := caddy.ParseDuration(s); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	return time.Time{}, fmt.Errorf("%q is no time: write how long ago it was, such as 90m, 2h or 7d, or a time such as 2024-03-05, \"2024-03-05 10:30\" or 2024-03-05T10:30:00Z", s)
}
