package command

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
)

// TestPrintable guards the terminal against text of others.
func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"":                        "",
		"plain, ünïcode, 日本 😀":    "plain, ünïcode, 日本 😀",
		"\x1b]0;title\x07":        `\x1b]0;title\x07`,
		"\x1b[2J":                 `\x1b[2J`,
		"a\nb\r\tc\x00\x7f":       `a\nb\r\tc\x00\x7f`,
		"\u009b31m":               `\u009b31m`, // CSI in one character
		"\x9b31m":                 `\x9b31m`,   // the same as a byte, which is no UTF-8
		"user\u202egnp.exe":       `user\u202egnp.exe`,
		"a\u200bb\ufeff\u2028":    `a\u200bb\ufeff\u2028`,
		"tag\U000e0041":           `tag\U000e0041`,
		"real \ufffd, not broken": "real \ufffd, not broken",
	} {
		if got := printable(in); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

func FuzzPrintable(f *testing.F) {
	f.Add("\x1b[31m\u009b\xff\U000e0041\n")
	f.Fuzz(func(t *testing.T, s string) {
		got := printable(s)
		if i := strings.IndexFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
			t.Errorf("%q became %q", s, got)
		}
		value, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		text, err := line(value)
		if err != nil {
			t.Fatal(err)
		}
		if i := strings.IndexFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }); i >= 0 {
			t.Errorf("the JSON %s became %q", value, text)
		}
		var before, after string
		if err := json.Unmarshal(value, &before); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(text), &after); err != nil || before != after {
			t.Errorf("the JSON %s became another one: %s, %v", value, text, err)
		}
	})
}

// TestDocument keeps what a JSON document says, byte for byte where it can.
func TestDocument(t *testing.T) {
	got, err := document(json.RawMessage(`{"n":1.50e3,"b":"`+"\u009b\u202e\U000e0041"+`","a":[{},[]]}`), "")
	want := `{
  "n": 1.50e3,
  "b": "\u009b\u202e\udb40\udc41",
  "a": [
    {},
    []
  ]
}`
	if err != nil || got != want {
		t.Error(err, cmp.Diff(want, got))
	}
}

func TestPrintableLines(t *testing.T) {
	if got, want := printableLines("a\tb\r\n\x1b[1mc\n\n", "> "), "> a    b\n> \\x1b[1mc\n"; got != want {
		t.Errorf("became %q, want %q", got, want)
	}
}
