package settings

import (
	"encoding/hex"
	"html/template"
	"maps"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// maxShown bounds how much of a text a page shows, in bytes of HTML, so that
// pages stay small whatever an endpoint answers.
const maxShown = 12 << 10

// shownBody is a body as a page shows it.
type shownBody struct {
	Text string
	Kind string // "JSON", "Text" or "Binary"
	Cut  bool
	Size int64 // in bytes, of all of it
}

// shownText makes a body ready to be read: JSON is indented, what is no text is
// dumped, and no more than so many bytes of HTML come of it.
func shownText(body []byte, most int) shownBody {
	s := shownBody{Size: int64(len(body)), Kind: "Text"}
	text := string(body)
	switch indented, ok := indent(body, most); {
	case ok:
		s.Kind, text = "JSON", indented
	case !utf8.Valid(withoutPartialRune(body)) || strings.ContainsRune(text, 0):
		s.Kind = "Binary"
		text = hex.Dump(body[:min(len(body), 1024)])
		s.Cut = len(body) > 1024
	default:
		text = string(withoutPartialRune(body))
	}
	text, cut := within(visible(text), most)
	s.Text, s.Cut = text, s.Cut || cut
	return s
}

// indent indents JSON, unless that makes it so much larger that it had to be
// cut: then nothing is gained.
func indent(body []byte, most int) (string, bool) {
	if len(body) == 0 || len(body) > most {
		return "", false
	}
	value := jsontext.Value(body).Clone()
	if value.Kind() != '{' && value.Kind() != '[' {
		return "", false
	}
	if depth(body) > 64 || value.Indent(jsontext.WithIndent("  ")) != nil || len(value) > most {
		return "", false
	}
	return string(value), true
}

// depth is at most how deeply JSON is nested.
func depth(body []byte) (deepest int) {
	at := 0
	for _, b := range body {
		switch b {
		case '{', '[':
			at++
			deepest = max(deepest, at)
		case '}', ']':
			at--
		}
	}
	return deepest
}

// within cuts a text to so many bytes of HTML.
func within(s string, most int) (text string, cut bool) {
	size := 0
	for i, r := range s {
		n := utf8.RuneLen(r)
		if strings.ContainsRune("<>&'\"+", r) {
			n = len("&#34;")
		}
		if size += max(n, 1); size > most {
			return s[:i], true
		}
	}
	return s, false
}

// headerList are headers in the order of their names, at most so many that a
// page stays small.
func headerList(h http.Header) (list []setting) {
	const most = 6 << 10
	size := 0
	for _, name := range slices.Sorted(maps.Keys(h)) {
		for _, value := range h[name] {
			text, _ := within(visible(value), 1024)
			if size += len(template.HTMLEscapeString(name + text)); size > most {
				return append(list, setting{"…", "more headers are not shown"})
			}
			list = append(list, setting{visible(name), text})
		}
	}
	return list
}
