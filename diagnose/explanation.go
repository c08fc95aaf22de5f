package diagnose

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Explanation says whether a request is authentic, and why it is not.
type Explanation struct {
	// Verified tells that the request is authentic: its signature is right and
	// so is its age.
	Verified bool `json:"verified"`

	// Checks are what was looked at, in order. What cannot be looked at because
	// of a check that failed is missing.
	Checks []Check `json:"checks"`

	// Mistake is what was found to be wrong, as a word for programs; empty when
	// all is well, and [MistakeUnknown] when no guess was right.
	Mistake Mistake `json:"mistake,omitempty"`

	// Cause says in a sentence what is wrong; empty when all is well.
	Cause string `json:"cause,omitempty"`

	// Remedy says in a sentence what to do; empty when all is well.
	Remedy string `json:"remedy,omitempty"`

	// Difference is where the body is not what was signed, if that was found.
	Difference *Difference `json:"difference,omitempty"`
}

// Check is one thing that was looked at.
type Check struct {
	// Name is what was looked at: request, secret, signature, id, timestamp,
	// length, match, age or body_signature.
	Name string `json:"name"`

	// OK tells that all is well with it.
	OK bool `json:"ok"`

	// Text says in a sentence what was found.
	Text string `json:"text"`
}

// The names of checks.
const (
	checkRequest       = "request"
	checkSecret        = "secret"
	checkSignature     = "signature"
	checkID            = "id"
	checkTimestamp     = "timestamp"
	checkLength        = "length"
	checkMatch         = "match"
	checkAge           = "age"
	checkBodySignature = "body_signature"
)

// Difference is a part of the body, as it was given, that is not what was
// signed.
type Difference struct {
	// Start is the offset of the first byte that differs, from 0, and End that
	// of the first one behind the difference. They are the same where something
	// is missing at that place.
	Start int `json:"start"`
	End   int `json:"end"`
}

// Mistake is what is wrong with a request or with how it is checked. The set is
// bounded.
type Mistake string

// The mistakes.
const (
	// MistakeUnknown means that no guess was right: the secret is another one,
	// or what was signed was changed in a way that cannot be undone.
	MistakeUnknown Mistake = "unknown"

	MistakeRequest Mistake = "request" // it is not one that carries a webhook

	MistakeSecretUnusable Mistake = "secret_unusable" // it cannot be read
	MistakeSecretForm     Mistake = "secret_form"     // it was read in another encoding
	MistakeSecretSpace    Mistake = "secret_space"    // there are spaces, line breaks or quotes around it
	MistakeSecretKind     Mistake = "secret_kind"     // it is a key of another kind

	MistakeSignatureMissing   Mistake = "signature_missing"   // there is none
	MistakeSignatureRepeated  Mistake = "signature_repeated"  // it is there more than once
	MistakeSignatureForm      Mistake = "signature_form"      // another encoding, prefix or version
	MistakeSignatureTruncated Mistake = "signature_truncated" // its end is missing
	MistakeSignatureElsewhere Mistake = "signature_elsewhere" // it is in another header
	MistakeAlgorithm          Mistake = "algorithm"           // another hash was used
	MistakeContent            Mistake = "content"             // other parts, or in another order, were signed

	MistakeBodyEmpty        Mistake = "body_empty"        // there is none
	MistakeBodyNewline      Mistake = "body_newline"      // white space at its ends
	MistakeBodyLineBreaks   Mistake = "body_line_breaks"  // CRLF and LF
	MistakeBodyBOM          Mistake = "body_bom"          // a byte order mark
	MistakeBodyReserialised Mistake = "body_reserialised" // the same JSON, written anew
	MistakeBodyCharset      Mistake = "body_charset"      // the same text in another encoding
	MistakeBodyCompressed   Mistake = "body_compressed"   // gzip
	MistakeBodyWrapped      Mistake = "body_wrapped"      // in base64, a form or a JSON string
	MistakeBodyExtended     Mistake = "body_extended"     // something was added at its end
	MistakeBodyTruncated    Mistake = "body_truncated"    // its end is missing
	MistakeBodyChanged      Mistake = "body_changed"      // in a way that cannot be told

	MistakeTimestampMissing   Mistake = "timestamp_missing"
	MistakeTimestampForm      Mistake = "timestamp_form"      // milliseconds for seconds and so on
	MistakeTimestampDifferent Mistake = "timestamp_different" // another time was signed
	MistakeTooOld             Mistake = "too_old"
	MistakeTooNew             Mistake = "too_new"

	MistakeIDMissing   Mistake = "id_missing"
	MistakeIDDifferent Mistake = "id_different" // another ID was signed
	MistakeURL         Mistake = "url"          // another URL was signed
)

// add adds a check.
func (e *Explanation) add(name string, ok bool, text string) {
	e.Checks = append(e.Checks, Check{Name: name, OK: ok, Text: text})
}

// blame says what is wrong, unless something has been blamed already.
func (e *Explanation) blame(mistake Mistake, cause, remedy string) {
	if e.Mistake != "" {
		return
	}
	e.Verified = false
	e.Mistake, e.Cause, e.Remedy = mistake, cause, remedy
}

// fail adds a check that failed, and blames it.
func (e *Explanation) fail(name string, mistake Mistake, cause, remedy string) {
	e.add(name, false, cause)
	e.blame(mistake, cause, remedy)
}

// sentence makes a sentence of a clause.
func sentence(s string) string {
	if s == "" {
		return ""
	}
	r, size := utf8.DecodeRuneInString(s)
	s = string(unicode.ToUpper(r)) + s[size:]
	if !strings.HasSuffix(s, ".") {
		s += "."
	}
	return s
}
