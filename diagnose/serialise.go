package diagnose

import (
	"bytes"
	"encoding/json"
	"iter"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// jsonValue is a JSON value as it is written: the members in their order, and
// numbers in their digits.
type jsonValue struct {
	kind    byte // one of { [ " and 0 for the rest
	text    string
	members []jsonMember // of an object
	items   []jsonValue  // of an array
}

type jsonMember struct {
	name  string
	value jsonValue
}

// maxNesting is how deep JSON is read.
const maxNesting = 64

// parseJSON reads one JSON value.
func parseJSON(body []byte) (jsonValue, bool) {
	if !json.Valid(body) {
		return jsonValue{}, false
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	return readJSON(d, 0)
}

func readJSON(d *json.Decoder, depth int) (jsonValue, bool) {
	token, err := d.Token()
	if err != nil || depth > maxNesting {
		return jsonValue{}, false
	}
	switch t := token.(type) {
	case json.Delim:
		v := jsonValue{kind: byte(t)}
		for d.More() {
			var name string
			if t == '{' {
				token, err := d.Token()
				if err != nil {
					return v, false
				}
				name, _ = token.(string)
			}
			item, ok := readJSON(d, depth+1)
			if !ok {
				return v, false
			}
			if t == '{' {
				v.members = append(v.members, jsonMember{name, item})
			} else {
				v.items = append(v.items, item)
			}
		}
		_, err = d.Token()
		return v, err == nil
	case string:
		return jsonValue{kind: '"', text: t}, true
	case json.Number:
		return jsonValue{text: t.String()}, true
	case bool:
		return jsonValue{text: strconv.FormatBool(t)}, true
	}
	return jsonValue{text: "null"}, true
}

// style is how a program writes JSON.
type style struct {
	indent   string
	newlines bool
	comma    string // between values on a line
	colon    string
	ascii    bool // characters beyond ASCII as \u
	html     bool // <, > and & as \u, as Go does it
	slashes  bool // / as \/, as PHP does it
}

// spacings are how programs lay JSON out.
var spacings = []struct {
	style style
	what  string
}{
	{style{comma: ",", colon: ":"}, "compact"},
	{style{comma: ", ", colon: ": "}, "with a space behind each comma and colon, as Python writes it"},
	{style{comma: ",", colon: ": ", newlines: true, indent: "  "}, "indented by 2 spaces"},
	{style{comma: ",", colon: ": ", newlines: true, indent: "    "}, "indented by 4 spaces"},
	{style{comma: ",", colon: ": ", newlines: true, indent: "\t"}, "indented by tabs"},
	{style{comma: ", ", colon: ":"}, "with a space behind each comma"},
}

// escapings are how programs write characters.
var escapings = []struct {
	set  func(*style)
	what string
}{
	{func(*style) {}, ""},
	{func(s *style) { s.ascii = true }, ", with characters beyond ASCII written as \\u"},
	{func(s *style) { s.html = true }, ", with <, > and & written as \\u"},
	{func(s *style) { s.slashes = true }, ", with slashes written as \\/"},
	{func(s *style) { s.slashes, s.ascii = true, true }, ", with slashes and characters beyond ASCII escaped, as PHP writes it"},
}

// orders are in what order programs write members. The names of the members of
// an envelope have an order of their own.
var orders = []struct {
	apply func(*jsonValue)
	what  string
}{
	{func(*jsonValue) {}, ""},
	{orderEnvelope, ", with the members of the envelope in their order"},
	{sortMembers, ", with sorted members"},
}

// numberings are how programs write numbers.
var numberings = []struct {
	apply func(string) string
	what  string
}{
	{func(s string) string { return s }, ""},
	{shortNumber, ", with numbers in their shortest form (1 for 1.0)"},
	{longNumber, ", with whole numbers written as 1.0"},
}

// serialisations writes the JSON of the body anew, as various programs would.
func serialisations(body []byte) iter.Seq[variant] {
	return func(yield func(variant) bool) {
		value, ok := parseJSON(body)
		if !ok {
			return
		}
		write := func(v *jsonValue, s style, what string) bool {
			end := ""
			for _, end = range []string{"", "\n"} {
				if !yield(variant{append(s.append(nil, v, 0), end...), MistakeBodyReserialised,
					"The body is not what was signed, but the same JSON written anew; what was signed is " + what + ".", rawRemedy}) {
					return false
				}
			}
			return true
		}
		for _, order := range orders {
			ordered := value.clone()
			order.apply(&ordered)
			for _, spacing := range spacings {
				for _, escaping := range escapings {
					s := spacing.style
					escaping.set(&s)
					if !write(&ordered, s, spacing.what+escaping.what+order.what) {
						return
					}
				}
			}
		}
		for _, numbering := range numberings[1:] {
			for _, spacing := range spacings {
				renumbered := value.clone()
				renumbered.eachNumber(numbering.apply)
				if !write(&renumbered, spacing.style, spacing.what+numbering.what) {
					return
				}
			}
		}
	}
}

func (v *jsonValue) clone() jsonValue {
	c := *v
	c.members, c.items = slices.Clone(v.members), slices.Clone(v.items)
	for i := range c.members {
		c.members[i].value = c.members[i].value.clone()
	}
	for i := range c.items {
		c.items[i] = c.items[i].clone()
	}
	return c
}

// eachNumber changes all numbers.
func (v *jsonValue) eachNumber(change func(string) string) {
	if v.kind == 0 && v.text != "" && strings.IndexByte("-0123456789", v.text[0]) >= 0 {
		v.text = change(v.text)
	}
	for i := range v.members {
		v.members[i].value.eachNumber(change)
	}
	for i := range v.items {
		v.items[i].eachNumber(change)
	}
}

func shortNumber(s string) string {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || !strings.ContainsAny(s, ".eE") {
		return s
	}
	return strconv.FormatFloat(f, 'f', -1, 64)
}

func longNumber(s string) string {
	if strings.ContainsAny(s, ".eE") {
		return s
	}
	return s + ".0"
}

// envelope is the order of the members of the envelopes that this module sends.
var envelope = []string{"specversion", "id", "source", "event", "type", "timestamp", "time", "datacontenttype", "data", "signature"}

func orderEnvelope(v *jsonValue) {
	place := func(m jsonMember) int {
		if i := slices.Index(envelope, m.name); i >= 0 {
			return i
		}
		return len(envelope)
	}
	slices.SortStableFunc(v.members, func(a, b jsonMember) int { return place(a) - place(b) })
}

func sortMembers(v *jsonValue) {
	slices.SortStableFunc(v.members, func(a, b jsonMember) int { return strings.Compare(a.name, b.name) })
	for i := range v.members {
		sortMembers(&v.members[i].value)
	}
	for i := range v.items {
		sortMembers(&v.items[i])
	}
}

// append writes a value.
func (s *style) append(dst []byte, v *jsonValue, depth int) []byte {
	line := func(depth int) {
		if s.newlines {
			dst = append(dst, '\n')
			for range depth {
				dst = append(dst, s.indent...)
			}
		}
	}
	switch v.kind {
	case '{', '[':
		dst = append(dst, v.kind)
		n := max(len(v.members), len(v.items))
		for i := range n {
			if i > 0 {
				dst = append(dst, s.comma...)
			}
			line(depth + 1)
			if v.kind == '[' {
				dst = s.append(dst, &v.items[i], depth+1)
				continue
			}
			dst = s.appendString(dst, v.members[i].name)
			dst = append(dst, s.colon...)
			dst = s.append(dst, &v.members[i].value, depth+1)
		}
		if n > 0 {
			line(depth)
		}
		return append(dst, v.kind+2) // } and ] are two behind { and [
	case '"':
		return s.appendString(dst, v.text)
	}
	return append(dst, v.text...)
}

// appendString writes a string.
func (s *style) appendString(dst []byte, text string) []byte {
	const digits = "0123456789abcdef"
	unit := func(u uint16) {
		dst = append(dst, '\\', 'u', digits[u>>12], digits[u>>8&15], digits[u>>4&15], digits[u&15])
	}
	dst = append(dst, '"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\' || r == '/' && s.slashes:
			dst = append(dst, '\\', byte(r))
		case r < ' ':
			if i := strings.IndexByte("\b\f\n\r\t", byte(r)); i >= 0 {
				dst = append(dst, '\\', "bfnrt"[i])
				break
			}
			unit(uint16(r))
		case s.html && (r == '<' || r == '>' || r == '&' || r == '\u2028' || r == '\u2029'):
			unit(uint16(r))
		case s.ascii && r >= utf8.RuneSelf && r > 0xffff:
			high, low := utf16.EncodeRune(r)
			unit(uint16(high))
			unit(uint16(low))
		case s.ascii && r >= utf8.RuneSelf:
			unit(uint16(r))
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}
