package settings

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/manysends/caddy-webhooks/webhook"
)

// moment is a time as pages show it: how long ago, and when in full.
type moment struct {
	ISO, Full, Text string
}

// moment describes a time; nil stands for none.
func (c *call) moment(t time.Time) *moment {
	if t.IsZero() {
		return nil
	}
	return momentAt(c.Now(), t)
}

func momentAt(now, t time.Time) *moment {
	t = t.UTC()
	return &moment{ISO: t.Format("2006-01-02T15:04:05.000Z07:00"), Full: t.Format("2 January 2006, 15:04:05 UTC"), Text: relative(t.Sub(now))}
}

// relative says how long ago or ahead something is.
func relative(d time.Duration) string {
	ahead := d > 0
	d = d.Abs()
	var text string
	switch {
	case d < 10*time.Second && !ahead:
		return "just now"
	case d < time.Minute:
		text = fmt.Sprintf("%d s", max(1, int(d/time.Second)))
	case d < time.Hour:
		text = fmt.Sprintf("%d min", int(d/time.Minute))
	case d < 48*time.Hour:
		text = fmt.Sprintf("%d h", int(d/time.Hour))
	default:
		text = fmt.Sprintf("%d days", int(d/(24*time.Hour)))
	}
	if ahead {
		return "in " + text
	}
	return text + " ago"
}

// took is a duration as people read it: three digits and a unit.
func took(d webhook.Duration) string {
	switch t := time.Duration(d); {
	case t <= 0:
		return "0 ms"
	case t < 10*time.Millisecond:
		return strconv.FormatFloat(float64(t)/1e6, 'f', 1, 64) + " ms"
	case t < time.Second:
		return strconv.FormatInt(t.Milliseconds(), 10) + " ms"
	case t < 10*time.Second:
		return strconv.FormatFloat(t.Seconds(), 'f', 2, 64) + " s"
	case t < 2*time.Minute:
		return strconv.FormatFloat(t.Seconds(), 'f', 1, 64) + " s"
	default:
		return d.String()
	}
}

// countText writes a number with its thousands apart.
func countText(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// share is a part of a whole in percent, rounded down so that 100 % is all of
// it.
func share(part, whole int64) string {
	if whole == 0 {
		return ""
	}
	tenths := part * 1000 / whole
	if tenths == 1000 || tenths%10 == 0 {
		return strconv.FormatInt(tenths/10, 10) + " %"
	}
	return fmt.Sprintf("%d.%d %%", tenths/10, tenths%10)
}

// sentence makes a sentence of a clause that may begin with the name of a
// field, which stays as it is.
func sentence(s string) string {
	if s == "" {
		return ""
	}
	r, size := utf8.DecodeRuneInString(s)
	if field, _, found := strings.Cut(s, ": "); !found || strings.Contains(field, " ") {
		s = string(unicode.ToUpper(r)) + s[size:]
	}
	if strings.HasSuffix(s, ".") {
		return s
	}
	return s + "."
}

// visible makes text of others harmless to the eye: what has no form of its own
// or turns the direction of writing is shown by its number.
func visible(s string) string {
	if !strings.ContainsFunc(s, unseen) && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if unseen(r) {
			fmt.Fprintf(&b, "\\u%04x", r)
			continue
		}
		b.WriteRune(r) // what is not UTF-8 comes as U+FFFD
	}
	return b.String()
}

func unseen(r rune) bool {
	switch {
	case r == '\n', r == '\t':
		return false
	case unicode.IsControl(r):
		return true
	}
	// Bidi_Control (UAX #9) and what has no width.
	return r == 0x061c || 0x200b <= r && r <= 0x200f || 0x2028 <= r && r <= 0x202e || 0x2060 <= r && r <= 0x2069 || r == 0xfeff
}

// shortened cuts the middle out of a long text.
func shortened(s string, most int) string {
	s = visible(s)
	if len(s) <= most {
		return s
	}
	head, tail := s[:most*2/3], s[len(s)-most/4:]
	for !utf8.RuneStart(tail[0]) {
		tail = tail[1:]
	}
	return string(withoutPartialRune([]byte(head))) + "…" + tail
}
