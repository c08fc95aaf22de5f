package settings

import (
	"strings"

	"github.com/manysends/caddy-webhooks/sender"
)

// curl is a request as a command line, for a POSIX shell. What is hidden in it
// has to be filled in.
func curl(r *sender.TestRequest) string {
	if r.URL == "" {
		return ""
	}
	var b strings.Builder
	b.WriteString("curl -g -i -X " + r.Method + " " + quoted(r.URL))
	for _, h := range headerList(r.Headers) {
		b.WriteString(" \\\n  -H " + quoted(h.Name+": "+h.Value))
	}
	b.WriteString(" \\\n  --data-binary " + quoted(r.Body))
	return b.String()
}

// quoted is a text as a shell takes it for itself (POSIX, section 2.2.2).
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
