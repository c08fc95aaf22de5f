package diagnose

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"
)

// variant is a body that may have been the one that was signed.
type variant struct {
	body          []byte
	mistake       Mistake
	cause, remedy string
}

const rawRemedy = "Check the raw bytes of the body, as they were received, and pass on the same ones: before any JSON parser, template or logger has touched them."

// maxVariants is how many bodies are tried, and maxWritten how many bytes they
// may have together.
const (
	maxVariants = 240
	maxWritten  = 32 << 20
)

// variantsOf yields what the body may have been, each once, the likely ones
// first.
func variantsOf(body []byte, header http.Header) iter.Seq[variant] {
	return func(yield func(variant) bool) {
		seen := map[string]bool{string(body): true}
		written := 0
		give := func(v variant) bool {
			if written += len(v.body); written > maxWritten {
				return false
			}
			if len(v.body) > MaxBody+1024 || seen[string(v.body)] {
				return true
			}
			if len(seen) > maxVariants {
				return false
			}
			seen[string(v.body)] = true
			return yield(v)
		}
		for _, vs := range []iter.Seq[variant]{
			endings(body), announced(body, header), lineBreaks(body), charsets(body),
			wrappings(body), compressions(body), serialisations(body),
		} {
			for v := range vs {
				if !give(v) {
					return
				}
			}
		}
	}
}

// finding says what was done to the body.
func (v *variant) finding(received []byte) *finding {
	f := &finding{mistake: v.mistake, cause: v.cause, remedy: v.remedy, body: v.body}
	if d := differenceOf(received, v.body); d != nil && v.mistake != MistakeBodyNewline && v.mistake != MistakeBodyExtended {
		f.cause = strings.TrimSuffix(f.cause, ".") + ": it differs " + d.where(len(received)) + "."
	}
	return f
}

// where says where a body of some length differs.
func (d *Difference) where(length int) string {
	switch {
	case d.Start == d.End && d.Start == length:
		return fmt.Sprintf("at its end, behind byte %d", length)
	case d.Start == d.End:
		return fmt.Sprintf("before byte %d, where something is missing", d.Start+1)
	case d.End == d.Start+1:
		return fmt.Sprintf("in byte %d", d.End)
	}
	return fmt.Sprintf("from byte %d to byte %d", d.Start+1, d.End)
}

// differenceOf is where one body is not the other, or nil.
func differenceOf(received, signed []byte) *Difference {
	if bytes.Equal(received, signed) {
		return nil
	}
	shorter := min(len(received), len(signed))
	start := 0
	for start < shorter && received[start] == signed[start] {
		start++
	}
	end := len(received)
	for n := len(signed); end > start && n > start && received[end-1] == signed[n-1]; n-- {
		end--
	}
	return &Difference{Start: start, End: end}
}

// endings take white space away from the ends of the body, and put it there.
func endings(body []byte) iter.Seq[variant] {
	const remedy = "Keep the body byte for byte: send it with curl --data-binary instead of -d, write it with printf instead of echo, and trim nothing."
	return func(yield func(variant) bool) {
		n := len(body)
		without := func(b []byte, what string) variant {
			return variant{b, MistakeBodyNewline, fmt.Sprintf("%s of the body, which was not signed.", what), remedy}
		}
		line := bytes.TrimSuffix(bytes.TrimSuffix(body, []byte("\n")), []byte("\r"))
		_ = yield(without(line, fmt.Sprintf("A line break was added at the end (byte %d)", n))) &&
			yield(without(bytes.TrimSuffix(body, []byte("\n")), fmt.Sprintf("A line feed was added at the end (byte %d)", n))) &&
			yield(without(bytes.TrimRight(body, " \t\r\n"), "White space was added at the end")) &&
			yield(without(bytes.TrimLeft(body, " \t\r\n"), "White space was added at the beginning")) &&
			yield(without(bytes.TrimSpace(body), "White space was added at both ends")) &&
			yield(variant{concat(body, "\n"), MistakeBodyNewline, "The line break at the end of the body is missing, and it was signed.", remedy}) &&
			yield(variant{concat(body, "\r\n"), MistakeBodyNewline, "The line break (CR LF) at the end of the body is missing, and it was signed.", remedy}) &&
			yield(variant{concat(bytes.TrimSpace(body), "\n"), MistakeBodyNewline, "The line breaks at the end of the body are not those that were signed.", remedy})
	}
}

func concat(b []byte, s string) []byte { return append(bytes.Clone(b), s...) }

// announced cuts the body off where the request says that it ends.
func announced(body []byte, header http.Header) iter.Seq[variant] {
	return func(yield func(variant) bool) {
		length, ok := contentLength(header)
		if !ok || length >= len(body) {
			return
		}
		yield(variant{body[:length], MistakeBodyExtended,
			fmt.Sprintf("At the end of the body something was added (%s): Content-Length is %d.", bytesOf(len(body)-length), length),
			"Take the body as long as Content-Length says."})
	}
}

// contentLength is the Content-Length, if there is one.
func contentLength(header http.Header) (int, bool) {
	n, err := strconv.Atoi(header.Get("Content-Length"))
	return n, err == nil && n >= 0
}

func lineBreaks(body []byte) iter.Seq[variant] {
	const remedy = "Transfer the body in binary mode: no editor, Git (autocrlf) or FTP client may convert its line breaks."
	return func(yield func(variant) bool) {
		unix := bytes.ReplaceAll(body, []byte("\r\n"), []byte("\n"))
		_ = yield(variant{unix, MistakeBodyLineBreaks, "The line breaks of the body were changed from LF to CR LF.", remedy}) &&
			yield(variant{bytes.ReplaceAll(unix, []byte("\n"), []byte("\r\n")), MistakeBodyLineBreaks, "The line breaks of the body were changed from CR LF to LF.", remedy})
	}
}

var byteOrderMark = []byte("\xef\xbb\xbf")

func charsets(body []byte) iter.Seq[variant] {
	return func(yield func(variant) bool) {
		const remedy = "Treat the body as bytes, and never as text of some encoding, until the signature is checked."
		if !yield(variant{bytes.TrimPrefix(body, byteOrderMark), MistakeBodyBOM, "A byte order mark was put before the body.", remedy}) ||
			!yield(variant{append(bytes.Clone(byteOrderMark), body...), MistakeBodyBOM, "The byte order mark before the body is missing, and it was signed.", remedy}) {
			return
		}
		if latin, ok := toLatin1(body); ok && !yield(variant{latin, MistakeBodyCharset, "The text of the body was converted to UTF-8, although it is another encoding (or was UTF-8 already).", remedy}) {
			return
		}
		if !isASCII(body) {
			yield(variant{fromLatin1(body), MistakeBodyCharset, "The text of the body was converted from UTF-8 to Latin-1.", remedy})
		}
	}
}

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// toLatin1 writes UTF-8 in Latin-1, if it can be.
func toLatin1(b []byte) ([]byte, bool) {
	if isASCII(b) || !utf8.Valid(b) {
		return nil, false
	}
	var latin []byte
	for _, r := range string(b) {
		if r > 0xff {
			return nil, false
		}
		latin = append(latin, byte(r))
	}
	return latin, true
}

func fromLatin1(b []byte) []byte {
	var text []byte
	for _, c := range b {
		text = utf8.AppendRune(text, rune(c))
	}
	return text
}

// wrappings takes a body out of what it was put into, and puts it there.
func wrappings(body []byte) iter.Seq[variant] {
	return func(yield func(variant) bool) {
		if b, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(body))); err == nil && len(b) > 0 &&
			!yield(variant{b, MistakeBodyWrapped, "The body is in base64, as some gateways and functions hand it over (isBase64Encoded).", "Decode the base64 before the signature is checked."}) {
			return
		}
		var text string
		if json.Unmarshal(body, &text) == nil &&
			!yield(variant{[]byte(text), MistakeBodyWrapped, "The body was put into a JSON string.", "Pass the body on as it is, not as a string in JSON."}) {
			return
		}
		const formRemedy = "Check the signature over the raw body, before a form is parsed."
		if form, err := url.ParseQuery(string(body)); err == nil && len(form["payload"]) == 1 &&
			!yield(variant{[]byte(form.Get("payload")), MistakeBodyWrapped, "The body is a form, and only its field payload was signed.", "Choose application/json as the content type in the sender."}) {
			return
		}
		if len(body) > 0 && body[0] == '{' {
			yield(variant{[]byte("payload=" + url.QueryEscape(string(body))), MistakeBodyWrapped, "The body that was signed is a form, of which this is the field payload.", formRemedy})
		}
	}
}

// compressions unpacks a body.
func compressions(body []byte) iter.Seq[variant] {
	return func(yield func(variant) bool) {
		reader, err := gzip.NewReader(bytes.NewReader(body))
		if err != nil {
			return
		}
		plain, err := io.ReadAll(io.LimitReader(reader, MaxBody+1))
		if err != nil || len(plain) > MaxBody {
			return
		}
		yield(variant{plain, MistakeBodyCompressed, "The body is compressed with gzip, and it was signed before that.",
			"Decompress it before the signature is checked (decompress in the configuration of the receiver)."})
	}
}

// isPlaceholderText tells whether the body is what a program prints for an
// object.
func isPlaceholderText(body []byte) bool {
	switch string(bytes.TrimSpace(body)) {
	case "[object Object]", "undefined", "null", "Array", "None":
		return true
	}
	return bytes.HasPrefix(body, []byte("{'")) || bytes.HasPrefix(body, []byte("map[")) || bytes.HasPrefix(body, []byte("Array\n("))
}
