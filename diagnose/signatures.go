package diagnose

import (
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"strings"
)

// candidate is something in a request that may be the signature.
type candidate struct {
	bytes   []byte
	mistake Mistake // empty: written as it should be, where it should be
	cut     bool    // it can only be the beginning of one
	how     string  // how it is written
	header  string  // the header that it was found in, if it is not in its place
}

// Bounds of what is looked at: candidates, and the text of one in bytes.
const (
	maxCandidates = 96
	maxText       = 1024
	maxSignatures = 16
)

// candidates are what may be signatures: first those in their place and in
// their form, then in other forms, then in other headers.
func (r *Rule) candidates() []candidate {
	var all []candidate
	add := func(c candidate) {
		if len(all) == maxCandidates || len(c.bytes) < minRight ||
			slices.ContainsFunc(all, func(o candidate) bool { return string(o.bytes) == string(c.bytes) && o.cut == c.cut }) {
			return
		}
		all = append(all, c)
	}
	own := r.Signatures[:min(len(r.Signatures), maxSignatures)]
	for _, text := range own {
		if b, ok := decodeSignature(text, r.Encoding); ok && len(text) <= maxText {
			add(candidate{bytes: b})
		}
	}
	for _, text := range own {
		for _, c := range readings(text) {
			c.mistake = MistakeSignatureForm
			add(c)
		}
	}
	for _, name := range signatureHeaders(r.Header) {
		for _, value := range r.Header[name] {
			for _, token := range tokens(value) {
				for _, c := range readings(token) {
					c.mistake, c.header = MistakeSignatureElsewhere, name
					if r.isPlace(name) {
						c.mistake = MistakeSignatureForm
					}
					add(c)
				}
			}
		}
	}
	return all
}

// isPlace tells whether a header is where the rule looks.
func (r *Rule) isPlace(header string) bool {
	return strings.EqualFold(strings.TrimPrefix(r.Place, "the header "), header)
}

// decodeSignature decodes what is written in the rule's encoding.
func decodeSignature(s, encoding string) ([]byte, bool) {
	var b []byte
	var err error
	switch encoding {
	case "base64":
		b, err = base64.RawStdEncoding.Strict().DecodeString(strings.TrimRight(s, "="))
	case "base64url":
		b, err = base64.RawURLEncoding.Strict().DecodeString(strings.TrimRight(s, "="))
	default:
		b, err = hex.DecodeString(s)
	}
	return b, err == nil && !strings.ContainsAny(s, "\r\n")
}

// readings are what a text may stand for, in all encodings of signatures.
func readings(text string) []candidate {
	if len(text) > maxText {
		return nil
	}
	var all []candidate
	text = strings.Trim(text, " \t\"'<>")
	if unescaped, err := url.PathUnescape(text); err == nil {
		text = unescaped
	}
	// What stands before it: a version, or the name of the algorithm.
	for _, t := range []string{text, behind(text, "="), behind(text, ","), behind(text, ":")} {
		if t == "" {
			continue
		}
		if b, err := hex.DecodeString(t); err == nil {
			how := "hex"
			if t != strings.ToLower(t) {
				how = "upper-case hex"
			}
			all = append(all, candidate{bytes: b, how: how})
			continue
		}
		if b, err := hex.DecodeString(t[:len(t)-1]); err == nil && len(t) > 2*minRight {
			all = append(all, candidate{bytes: b, how: "hex", cut: true})
			continue
		}
		unpadded := strings.TrimRight(t, "=")
		if b, err := base64.RawStdEncoding.DecodeString(unpadded); err == nil {
			all = append(all, candidate{bytes: b, how: "base64"})
			if inner, err := hex.DecodeString(string(b)); err == nil {
				all = append(all, candidate{bytes: inner, how: "the base64 of its hex digits"})
			}
		} else if b, err := base64.RawURLEncoding.DecodeString(unpadded); err == nil {
			all = append(all, candidate{bytes: b, how: "base64url"})
		} else if len(unpadded)%4 == 1 && len(unpadded) > 1 { // one digit alone stands for nothing
			if b, err := base64.RawStdEncoding.DecodeString(unpadded[:len(unpadded)-1]); err == nil {
				all = append(all, candidate{bytes: b, how: "base64", cut: true})
			}
		}
	}
	return all
}

// behind is what stands behind the first separator, or empty.
func behind(s, separator string) string {
	_, after, ok := strings.Cut(s, separator)
	if !ok {
		return ""
	}
	return strings.TrimSpace(after)
}

// tokens are the parts of a header's value that may be signatures.
func tokens(value string) []string {
	parts := strings.FieldsFunc(value, func(c rune) bool { return strings.ContainsRune(" \t,;", c) })
	return parts[:min(len(parts), maxSignatures)]
}

// notSignatures are headers that signatures are not looked for in.
var notSignatures = map[string]bool{
	"Accept": true, "Accept-Encoding": true, "Connection": true, "Content-Length": true, "Content-Type": true,
	"Cookie": true, "Host": true, "User-Agent": true, "Traceparent": true, "Tracestate": true,
}

// signatureHeaders are the headers to look for signatures in: those with a
// telling name first.
func signatureHeaders(h http.Header) []string {
	var names []string
	for name := range h {
		if !notSignatures[name] {
			names = append(names, name)
		}
	}
	sort.Slice(names, func(i, j int) bool {
		a, b := soundsLikeSignature(names[i]), soundsLikeSignature(names[j])
		if a != b {
			return a
		}
		return names[i] < names[j]
	})
	return names[:min(len(names), 64)]
}

func soundsLikeSignature(name string) bool {
	name = strings.ToLower(name)
	for _, word := range []string{"signature", "hmac", "hash", "digest", "-sign"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}

// signatureLike is a header whose name says that it is a signature, or empty.
func signatureLike(h http.Header) string {
	for _, name := range signatureHeaders(h) {
		if soundsLikeSignature(name) && len(h[name]) > 0 && h[name][0] != "" {
			return shown(name)
		}
	}
	return ""
}

// finding says what is wrong with a signature that is right.
func (c *candidate) finding(r *Rule) *finding {
	f := &finding{mistake: c.mistake}
	switch c.mistake {
	case MistakeSignatureTruncated:
		f.cause = "The signature is right as far as it goes, but its end is missing."
		f.remedy = "Look for what cuts the header off on the way, or in how the request was captured; a column of a database may be too short."
	case MistakeSignatureElsewhere:
		f.cause = "The signature is right, but it is in the header " + shown(c.header) + ", and it is expected in " + r.Place + "."
		f.remedy = "Send it where it is expected, or describe a sender of your own with the header " + shown(c.header) + "."
	case MistakeSignatureForm:
		f.cause = "The signature is right, but not written as it should be: it is in " + c.how + " or has another prefix or separator, and " + r.Encoding + " is expected in " + r.Place + "."
		f.remedy = "Write it exactly as the scheme has it, with its prefix and in " + r.Encoding + ", separated as it says."
	default:
		f.mistake = MistakeSignatureForm
		f.cause = "The signature is right, but it is not written exactly as the scheme wants it."
		f.remedy = "Send it in the one form that the scheme allows: with its padding, in lower-case hex, and with nothing around it."
	}
	return f
}
