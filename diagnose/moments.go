package diagnose

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

// readTime reads a timestamp in any form, and tells which: unix, unix_ms,
// unix_us, unix_ns or rfc3339; empty where it is none.
func readTime(text string) (time.Time, string) {
	if text != "" && strings.Trim(text, "0123456789") == "" && len(text) <= 19 {
		n, err := strconv.ParseInt(text, 10, 64)
		switch {
		case err != nil:
		case len(text) <= 11:
			return time.Unix(n, 0), "unix"
		case len(text) <= 14:
			return time.UnixMilli(n), "unix_ms"
		case len(text) <= 17:
			return time.UnixMicro(n), "unix_us"
		default:
			return time.Unix(0, n), "unix_ns"
		}
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", time.RFC1123, time.RFC1123Z} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, "rfc3339"
		}
	}
	return time.Time{}, ""
}

// formNames are what forms of timestamps are called.
var formNames = map[string]string{
	"unix": "Unix seconds", "unix_ms": "Unix milliseconds", "unix_us": "Unix microseconds", "unix_ns": "Unix nanoseconds",
	"rfc3339": "a date and time", "auto": "Unix seconds, milliseconds, or a date and time",
}

// format is the form that timestamps must have.
func (r *Rule) format() string {
	if r.TimestampFormat == "" {
		return "unix"
	}
	return r.TimestampFormat
}

// explainTimestamp says whether the time of sending is there and can be read.
func (r *Rule) explainTimestamp(e *Explanation, verdict error) {
	if r.TimestampPlace == "" {
		return
	}
	want := r.format()
	text := r.Values.Timestamp
	at, form := readTime(text)
	switch {
	case text == "":
		e.add(checkTimestamp, false, fmt.Sprintf("The time of sending is not in %s.", r.TimestampPlace))
	case form == "":
		e.add(checkTimestamp, false, fmt.Sprintf("What is in %s is no time: %s is expected.", r.TimestampPlace, formNames[want]))
	case form != want && want != "auto" || errors.Is(verdict, webhook.ErrTimestampMalformed):
		e.add(checkTimestamp, false, fmt.Sprintf("The time in %s is %s, and %s are expected.", r.TimestampPlace, formNames[form], formNames[want]))
	default:
		e.add(checkTimestamp, true, fmt.Sprintf("The time of sending is %s, %s.", at.UTC().Format(time.RFC3339), ago(r.Now.Sub(at))))
	}
}

// ago says how long before now something was.
func ago(age time.Duration) string {
	switch age = age.Round(time.Second); {
	case age == 0:
		return "just now"
	case age < 0:
		return roughly(-age) + " ahead of this clock"
	}
	return roughly(age) + " ago"
}

// roughly is a duration for people.
func roughly(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d >= 2*day:
		return fmt.Sprintf("%d days", d/day)
	case d >= 2*time.Hour:
		d = d.Round(time.Minute)
		if minutes := d % time.Hour / time.Minute; minutes > 0 {
			return fmt.Sprintf("%d hours and %d minutes", d/time.Hour, minutes)
		}
		return fmt.Sprintf("%d hours", d/time.Hour)
	}
	return d.Round(time.Second).String()
}

// explainAge says whether the request was signed not too long ago.
func (r *Rule) explainAge(e *Explanation, verdict error) {
	at, _ := readTime(r.Values.Timestamp)
	age := r.Now.Sub(at)
	switch {
	case errors.Is(verdict, webhook.ErrTimestampMalformed):
		text := "The signature is right, but its timestamp cannot be read."
		for _, c := range e.Checks {
			if c.Name == checkTimestamp && !c.OK {
				text = c.Text
			}
		}
		e.fail(checkAge, MistakeTimestampForm, text, fmt.Sprintf("Have the sender write and sign the time as %s.", formNames[r.format()]))
	case errors.Is(verdict, webhook.ErrTimestampTooOld):
		cause := fmt.Sprintf("The signature is right, but too old: it was made %s, and %s is tolerated.", ago(age), r.Tolerance)
		remedy := "If this is a request captured earlier, all is well but its age; otherwise set the clocks by NTP on both sides, and have the sender sign each attempt anew."
		e.ageBlame(MistakeTooOld, cause, remedy, age)
	case errors.Is(verdict, webhook.ErrTimestampTooNew):
		cause := fmt.Sprintf("The signature is right, but of the future: it was made %s, and %s is tolerated.", ago(age), r.Tolerance)
		e.ageBlame(MistakeTooNew, cause, "Set the clocks by NTP on both sides.", age)
	case r.TimestampPlace == "" || r.Values.Timestamp == "":
	case r.Tolerance <= 0:
		e.add(checkAge, true, "The age is not checked.")
	default:
		e.add(checkAge, true, fmt.Sprintf("It was signed %s, and %s is tolerated.", ago(age), r.Tolerance))
	}
}

// ageBlame blames the age, or the time zone if it looks like that.
func (e *Explanation) ageBlame(mistake Mistake, cause, remedy string, age time.Duration) {
	if zone := zoneOf(age); zone != "" {
		cause += " That is " + zone + ", as if a local time had been taken for UTC."
		remedy = "Have the sender make the timestamp from UTC (Unix seconds know no time zone)."
	}
	e.fail(checkAge, mistake, cause, remedy)
}

// zoneSlack is how far an age may be from a time zone's offset to be taken for
// it.
const zoneSlack = 90 * time.Second

// zoneOf names the offset of a time zone that an age is, or is empty.
func zoneOf(age time.Duration) string {
	const half = 30 * time.Minute
	zone := age.Abs().Round(half)
	if zone < half || zone > 14*time.Hour || (age.Abs()-zone).Abs() > zoneSlack {
		return ""
	}
	if zone == time.Hour {
		return "just one hour"
	}
	return fmt.Sprintf("just %s hours", strconv.FormatFloat(zone.Hours(), 'f', -1, 64))
}

// otherTimes are times that may have been signed in place of the one that was
// sent.
func (r *Rule) otherTimes() []otherValue {
	if r.TimestampPlace == "" {
		return nil
	}
	var all []otherValue
	add := func(text string, f *finding) {
		v := r.Values
		v.Timestamp = text
		all = append(all, otherValue{v, *f})
	}
	at, form := readTime(r.Values.Timestamp)
	if form == "" {
		at = time.Time{}
	}
	if !at.IsZero() {
		for _, other := range []struct{ form, text string }{
			{"unix", strconv.FormatInt(at.Unix(), 10)},
			{"unix_ms", strconv.FormatInt(at.UnixMilli(), 10)},
			{"rfc3339", at.UTC().Format(time.RFC3339)},
			{"unix_us", strconv.FormatInt(at.UnixMicro(), 10)},
			{"unix_ns", strconv.FormatInt(at.UnixNano(), 10)},
		} {
			if other.text != r.Values.Timestamp {
				add(other.text, &finding{mistake: MistakeTimestampForm,
					cause:  fmt.Sprintf("The time was signed as %s, and sent as %s.", formNames[other.form], formNames[form]),
					remedy: "Sign the timestamp as the very text that is sent: " + formNames[r.format()] + "."})
			}
		}
	}
	if form == "unix" {
		for half := 1; half <= 28; half++ {
			for _, sign := range []time.Duration{1, -1} {
				off := sign * time.Duration(half) * 30 * time.Minute
				add(strconv.FormatInt(at.Add(off).Unix(), 10), differentTime(r, off))
			}
		}
	}
	for _, name := range []string{"Webhook-Timestamp", "Svix-Timestamp", "X-Webhook-Timestamp", "X-Timestamp", "X-Slack-Request-Timestamp", "Date"} {
		for _, value := range r.Header[name] {
			f := &finding{mistake: MistakeTimestampDifferent,
				cause:  "The time that was signed is that in the header " + name + ", not that in " + r.TimestampPlace + ".",
				remedy: "Send the time that is signed in " + r.TimestampPlace + "."}
			if r.Values.Timestamp == "" {
				f.mistake = MistakeTimestampMissing
				f.cause = "The time of sending is missing in " + r.TimestampPlace + "; the one that was signed is that in the header " + name + "."
			}
			add(value, f)
			if other, form := readTime(value); form != "" && form != "unix" {
				add(strconv.FormatInt(other.Unix(), 10), f)
			}
		}
	}
	return all
}

// differentTime says that the signed time is off from the one that was sent.
func differentTime(r *Rule, off time.Duration) *finding {
	direction := "after"
	if off < 0 {
		direction = "before"
	}
	f := &finding{mistake: MistakeTimestampDifferent,
		cause:  fmt.Sprintf("The time that was signed is %s %s the one in %s.", roughly(off.Abs()), direction, r.TimestampPlace),
		remedy: "Take the time once, and sign and send the same; let nothing on the way write the header anew."}
	if zoneOf(off) != "" {
		f.cause += " That is the offset of a time zone."
	}
	return f
}
