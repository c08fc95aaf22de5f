package caddymodule

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/manysends/caddy-webhooks/caddymodule/command"
)

// What is shown of a request, in bytes.
const (
	maxShownHeader = 100
	maxShownBody   = 16 << 10
)

// listenOutput is where requests are shown.
type listenOutput struct {
	w        io.Writer
	json     bool
	terminal bool
	shown    int
}

// show shows a request.
func (o *listenOutput) show(r *listened) {
	o.shown++
	if o.json {
		if r.Body = string(r.body); !utf8.ValidString(r.Body) {
			r.Body, r.BodyBase64 = "", r.body
		}
		if text, err := command.JSON(r, false); err == nil {
			_, _ = io.WriteString(o.w, text) // nobody is left to be told
		}
		return
	}
	_, _ = io.WriteString(o.w, r.lines(o.terminal))
}

// verdictWords are what the verdicts are called to people.
var verdictWords = map[string]string{
	verdictAuthentic:    "authentic",
	verdictDuplicate:    "authentic, and a duplicate of one that was taken",
	verdictHandshake:    "a handshake, which was answered",
	verdictNotAuthentic: "NOT AUTHENTIC",
	verdictRefused:      "refused",
	verdictUnverified:   "not verified",
}

// lines are a request as people see it. On a terminal JSON is indented.
func (r *listened) lines(indented bool) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s %s from %s: %s\n", r.Time.Format("15:04:05"), oneLine(r.Method), oneLine(r.URL), oneLine(r.Remote), verdictWords[r.Verdict])
	if r.ID != "" || r.Type != "" {
		fmt.Fprintf(&b, "  Event %s of type %s\n", orDash(r.ID), orDash(r.Type))
	}
	for _, name := range shownHeaders(r.Headers) {
		fmt.Fprintf(&b, "  %s: %s\n", oneLine(name), shortened(r.Headers[name]))
	}
	b.WriteString("\n" + bodyLines(r.body, indented))
	if r.Explanation != nil {
		b.WriteString("\n" + explanationLines(r.Explanation, r.body, "  "))
	}
	if r.Problem != "" {
		fmt.Fprintf(&b, "\n  Note: %s\n", oneLine(r.Problem))
	}
	fmt.Fprintf(&b, "\n  Answered %d after %.0f ms\n\n", r.Status, r.Milliseconds)
	return b.String()
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return oneLine(s)
}

// dullHeaders are those that say nothing of a webhook.
var dullHeaders = []string{"Accept", "Accept-Encoding", "Connection", "Content-Length"}

func shownHeaders(headers map[string]string) []string {
	var names []string
	for name := range headers {
		if !slices.Contains(dullHeaders, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// shortened is a value in a line that is not too long.
func shortened(value string) string {
	if len(value) > maxShownHeader {
		value = strings.ToValidUTF8(value[:maxShownHeader], "") + "…"
	}
	return oneLine(value)
}

// bodyLines are a body, each line behind two spaces.
func bodyLines(body []byte, indented bool) string {
	if len(body) == 0 {
		return "  (no body)\n"
	}
	text := body
	var pretty bytes.Buffer
	if indented && json.Indent(&pretty, bytes.TrimSpace(body), "", "  ") == nil {
		text = pretty.Bytes()
	}
	rest := ""
	if len(text) > maxShownBody {
		rest = fmt.Sprintf("  … and %d bytes more\n", len(text)-maxShownBody)
		text = text[:maxShownBody]
	}
	var b strings.Builder
	for line := range strings.SplitSeq(strings.TrimSuffix(string(text), "\n"), "\n") {
		b.WriteString("  " + visible(strings.TrimSuffix(line, "\r")) + "\n")
	}
	return b.String() + rest
}
