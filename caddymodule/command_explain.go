package caddymodule

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/manysends/caddy-webhooks/caddymodule/command"
	"github.com/manysends/caddy-webhooks/diagnose"
	"github.com/manysends/caddy-webhooks/sender"
)

// isTerminal tells whether people look at what is written there.
func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// shownCheck is a check as it is shown: what was looked at, whether it is well,
// what was found, and what to do.
type shownCheck struct {
	name, text, remedy string
	ok                 bool
}

// checkLines lays checks out in columns, each line behind indent.
func checkLines(checks []shownCheck, indent string) string {
	width := 0
	for _, c := range checks {
		width = max(width, len(c.name))
	}
	var b strings.Builder
	for _, c := range checks {
		verdict := "ok    "
		if !c.ok {
			verdict = "failed"
		}
		fmt.Fprintf(&b, "%s%s  %-*s  %s\n", indent, verdict, width, c.name, oneLine(c.text))
		if c.remedy != "" {
			fmt.Fprintf(&b, "%s%s  %-*s  -> %s\n", indent, "      ", width, "", oneLine(c.remedy))
		}
	}
	return b.String()
}

// oneLine makes a text that comes from elsewhere fit for a line on a terminal.
func oneLine(text string) string {
	return command.Printable(text)
}

// explanationLines is an explanation as it is shown, each line behind indent.
func explanationLines(e *diagnose.Explanation, body []byte, indent string) string {
	checks := make([]shownCheck, len(e.Checks))
	for i, c := range e.Checks {
		checks[i] = shownCheck{name: c.Name, ok: c.OK, text: c.Text}
	}
	var b strings.Builder
	b.WriteString(checkLines(checks, indent))
	if e.Cause != "" {
		fmt.Fprintf(&b, "\n%sCause:   %s\n%sRemedy:  %s\n", indent, oneLine(e.Cause), indent, oneLine(e.Remedy))
	}
	if place := placeOf(e.Difference, body); place != "" {
		fmt.Fprintf(&b, "%sPlace:   %s\n", indent, place)
	}
	return b.String()
}

// How much of a body is shown around a difference, and of the difference
// itself, in bytes.
const (
	shownAround     = 24
	shownDifference = 40
)

// placeOf is the part of a body that is not what was signed, in brackets, with
// what is around it.
func placeOf(d *diagnose.Difference, body []byte) string {
	if d == nil || d.Start > d.End || d.End > len(body) {
		return ""
	}
	quote := func(from, until int) string {
		text := strconv.Quote(string(body[from:until]))
		return strings.ReplaceAll(text[1:len(text)-1], `\"`, `"`)
	}
	// Characters stay whole at the ends.
	before, after := max(0, d.Start-shownAround), min(len(body), d.End+shownAround)
	for before > 0 && before < d.Start && !utf8.RuneStart(body[before]) {
		before++
	}
	for after < len(body) && after > d.End && !utf8.RuneStart(body[after]) {
		after--
	}
	middle := quote(d.Start, min(d.End, d.Start+shownDifference))
	if d.End > d.Start+shownDifference {
		middle += "…"
	}
	place := quote(before, d.Start) + "[" + middle + "]" + quote(d.End, after)
	if before > 0 {
		place = "…" + place
	}
	if after < len(body) {
		place += "…"
	}
	return place
}

// reportLines is the report of a test as it is shown.
func reportLines(r *sender.TestReport) string {
	checks := make([]shownCheck, len(r.Checks))
	for i, c := range r.Checks {
		checks[i] = shownCheck{name: c.Name, ok: c.OK, text: c.Detail, remedy: c.Remedy}
	}
	verdict := "ok"
	if !r.OK {
		verdict = "failed"
	}
	return checkLines(checks, "") + "\n" + verdict + ": " + oneLine(r.Summary) + "\n"
}
