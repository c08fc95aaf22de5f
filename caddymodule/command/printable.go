package command

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Printable is text of others fit for a terminal, in one line: what could drive a
// terminal, change the direction of writing or end the line is escaped as Go has it.
func Printable(s string) string { return printable(s) }

// JSON is a value as JSON fit for a terminal, in one line or laid out over several,
// with a line break at the end. What could drive a terminal is escaped as JSON has it,
// so the value is the same. Errors are those of encoding it.
func JSON(value any, indented bool) (string, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if indented {
		encoder.SetIndent("", "  ")
	}
	if err := encoder.Encode(value); err != nil {
		return "", err
	}
	return escapeJSON(b.String()), nil
}

// printable makes text of others fit for a terminal: whatever could move the
// cursor, change the colours or the direction of writing, or end the line,
// is written out in the form of Go's escapes. Everything else stays.
func printable(s string) string {
	if isPrintable(s) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
		s = s[size:]
	}
	return b.String()
}

func isPrintable(s string) bool {
	for i, r := range s {
		if !unicode.IsPrint(r) {
			return false
		}
		if r == utf8.RuneError && !strings.HasPrefix(s[i:], string(utf8.RuneError)) {
			return false
		}
	}
	return true
}

// printableLines is printable for text of several lines, each of which begins
// with indent.
func printableLines(s, indent string) string {
	var b strings.Builder
	for line := range strings.SplitSeq(strings.TrimRight(s, "\r\n"), "\n") {
		line = strings.ReplaceAll(strings.TrimSuffix(line, "\r"), "\t", "    ")
		b.WriteString(indent + printable(line) + "\n")
	}
	return b.String()
}

// document lays a JSON value out over lines. What may not be printed stands in
// strings only, and is escaped there, so the value is the same.
func document(value json.RawMessage, indent string) (string, error) {
	var b bytes.Buffer
	if err := json.Indent(&b, value, indent, "  "); err != nil {
		return "", err
	}
	return escapeJSON(strings.TrimRight(b.String(), "\n")), nil
}

// line is a JSON value in one line.
func line(value json.RawMessage) (string, error) {
	var b bytes.Buffer
	if err := json.Compact(&b, value); err != nil {
		return "", err
	}
	return escapeJSON(b.String()), nil
}

func escapeJSON(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n' || unicode.IsPrint(r):
			b.WriteRune(r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		}
	}
	return b.String()
}
