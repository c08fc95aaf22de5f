package diagnose

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

// Rule says how a request should have been signed, and what it brought along.
type Rule struct {
	// Algorithm is how it is signed: hmac-sha1, hmac-sha256, hmac-sha384,
	// hmac-sha512, or token for a secret that is sent as it is. Another name is
	// only told; Public is what counts then.
	Algorithm string

	// Secrets are the shared secrets as they are written, and Key is how that
	// is: raw, hex, base64, whsec or sha256, as a template of package receiver
	// has it.
	Secrets []string
	Key     string

	// Public are the public keys, of which each tells whether a signature is its
	// over a message. They are used where Secrets are not.
	Public []func(message, signature []byte) bool

	// Encoding is how a signature is written: hex, base64 or base64url.
	Encoding string

	// Signatures are those that the rule finds in the request, and Place is
	// where it looks, such as "the header X-Signature".
	Signatures []string
	Place      string

	// Header are the fields of the request, where signatures are looked for
	// that are not in their place.
	Header http.Header

	// Values are those of the request that are signed.
	Values Values

	// Content makes what is signed of values, and returns an error when one is
	// missing. It must not keep or change them.
	Content func(Values) ([]byte, error)

	// IDPlace and TimestampPlace are where the ID and the time come from; empty
	// where the rule has none.
	IDPlace, TimestampPlace string

	// TimestampFormat is unix, unix_ms, rfc3339 or auto.
	TimestampFormat string

	// Now is the time, and Tolerance how far the signed time may be from it,
	// before or after; zero or less: as far as it likes.
	Now       time.Time
	Tolerance time.Duration
}

// Values are what a signature may cover.
type Values struct {
	Body      []byte
	ID        string
	Timestamp string
	URL       string
}

// MaxBody is the largest body that is looked into for mistakes, in bytes: 1 MiB.
const MaxBody = 1 << 20

// Explain says why a request is refused. The verdict is what the check of the
// request has given: nil when it is authentic, or one of the errors of package
// webhook. Nothing that is found here changes it.
func (r *Rule) Explain(verdict error) Explanation {
	e := Explanation{Verified: verdict == nil}
	r.explainSecrets(&e)
	r.explainSignature(&e, verdict)
	r.explainID(&e)
	r.explainTimestamp(&e, verdict)
	r.explainLength(&e)

	aboutTime := isAboutTime(verdict)
	if verdict == nil || aboutTime {
		e.add(checkMatch, true, "A signature was made with a configured key over exactly this content.")
		r.explainAge(&e, verdict)
		return e
	}
	r.explainMismatch(&e, verdict)
	return e
}

// isAboutTime tells whether the signature was right and only its age was not.
func isAboutTime(err error) bool {
	return errors.Is(err, webhook.ErrTimestampTooOld) || errors.Is(err, webhook.ErrTimestampTooNew) || errors.Is(err, webhook.ErrTimestampMalformed)
}

// explainSignature says whether there is a signature.
func (r *Rule) explainSignature(e *Explanation, verdict error) {
	if n := len(r.Signatures); n > 0 {
		e.add(checkSignature, true, fmt.Sprintf("There %s in %s.", counted(n, "signature"), r.Place))
		return
	}
	text := fmt.Sprintf("There is no signature in %s.", r.Place)
	if verdict != nil && strings.Contains(verdict.Error(), "more than once") {
		text = fmt.Sprintf("%s is there more than once.", capital(r.Place))
	}
	e.add(checkSignature, false, text)
}

// counted is a number of things, with their verb.
func counted(n int, noun string) string {
	if n == 1 {
		return "is 1 " + noun
	}
	return fmt.Sprintf("are %d %ss", n, noun)
}

// explainID says whether the ID is there, which is signed.
func (r *Rule) explainID(e *Explanation) {
	switch {
	case r.IDPlace == "":
	case r.Values.ID == "":
		if r.signsID() {
			e.add(checkID, false, fmt.Sprintf("The event ID is signed, and there is none in %s.", r.IDPlace))
		}
	default:
		e.add(checkID, true, fmt.Sprintf("The event ID is in %s.", r.IDPlace))
	}
}

// signsID tells whether the signature covers the ID.
func (r *Rule) signsID() bool {
	if r.Content == nil || r.IDPlace == "" {
		return false
	}
	v := r.Values
	v.ID = "a"
	one, err := r.Content(v)
	if err != nil {
		return false
	}
	v.ID = "b"
	other, err := r.Content(v)
	return err == nil && !bytes.Equal(one, other)
}

// explainLength says whether the body is as long as the request says.
func (r *Rule) explainLength(e *Explanation) {
	length, ok := contentLength(r.Header)
	if !ok || r.Header.Get("Content-Encoding") != "" {
		return
	}
	switch has := len(r.Values.Body); {
	case length == has:
	case length > has:
		e.add(checkLength, false, fmt.Sprintf("Content-Length is %d, and the body has %s: the end is missing (%d).", length, bytesOf(has), length-has))
	default:
		e.add(checkLength, false, fmt.Sprintf("Content-Length is %d, and the body has %s: it is longer by %d.", length, bytesOf(has), has-length))
	}
}

// explainMismatch looks for the mistake.
func (r *Rule) explainMismatch(e *Explanation, verdict error) {
	if len(r.Values.Body) > MaxBody {
		e.add(checkMatch, false, reasonOf(verdict))
		e.blame(MistakeUnknown, fmt.Sprintf("The signature does not match, and the body of %d bytes is too large to look for the mistake.", len(r.Values.Body)),
			fmt.Sprintf("Try it with a body of at most %d bytes.", MaxBody))
		return
	}
	e.add(checkMatch, false, reasonOf(verdict))
	found := newSearch(r).run()
	if found == nil {
		r.blameUnknown(e, verdict)
		return
	}
	e.blame(found.mistake, found.cause, found.remedy)
	if e.Mistake == found.mistake && found.body != nil {
		e.Difference = differenceOf(r.Values.Body, found.body)
	}
}

// bytesOf is a number of bytes.
func bytesOf(n int) string {
	if n == 1 {
		return "1 byte"
	}
	return fmt.Sprintf("%d bytes", n)
}

// reasonOf is the sentence of an error of package webhook.
func reasonOf(err error) string {
	if err == nil {
		return "The signature does not match."
	}
	return sentence(err.Error())
}

// blameUnknown says what is known when no guess was right.
func (r *Rule) blameUnknown(e *Explanation, verdict error) {
	length, announced := contentLength(r.Header)
	if len(r.Signatures) > 0 {
		r.blameSecrets(e)
	}
	switch {
	case len(r.Signatures) == 0:
		r.blameMissing(e, verdict)
	case r.Values.ID == "" && r.signsID():
		e.blame(MistakeIDMissing, fmt.Sprintf("The event ID is signed, and it is not in %s.", r.IDPlace),
			"See that everything between the sender and here, such as a proxy or a queue, passes this header on.")
	case r.Values.Timestamp == "" && r.TimestampPlace != "":
		e.blame(MistakeTimestampMissing, fmt.Sprintf("The time of sending is signed, and it is not in %s.", r.TimestampPlace),
			"See that everything between the sender and here, such as a proxy or a queue, passes this header on.")
	case e.Mistake != "": // the secret cannot be used
	case announced && length > len(r.Values.Body):
		e.blame(MistakeBodyTruncated, fmt.Sprintf("The last %s of the body are missing: Content-Length is %d, and there are %d.", bytesOf(length-len(r.Values.Body)), length, len(r.Values.Body)),
			"Capture the whole body, and look for a limit on its size on the way.")
	case len(r.Values.Body) == 0:
		e.blame(MistakeBodyEmpty, "The body is empty, and the signature is not one over an empty body.",
			"See that nothing reads the body before the signature is checked, and that all of the request was captured.")
	case isPlaceholderText(r.Values.Body):
		e.blame(MistakeBodyChanged, "The body is not what was sent, but what a program prints for an object.",
			"Check and capture the raw bytes of the body, before anything parses it.")
	default:
		e.blame(MistakeUnknown, "The signature was not made with a configured secret over this content, and none of the usual mistakes explains it.",
			r.unknownRemedy())
	}
}

// unknownRemedy is what to do when no guess was right.
func (r *Rule) unknownRemedy() string {
	if r.Algorithm == "token" {
		return "Compare the token with the one that the sender was given: another endpoint, or test and live mode, have tokens of their own."
	}
	if len(r.Public) > 0 {
		return "Compare the public key with the one that the sender shows now (test and live mode have keys of their own), and capture the raw body before anything parses it."
	}
	return "Compare the secret with the one that the sender shows for exactly this endpoint (each endpoint, and test and live mode, has its own; after a rotation the old one stops), and capture the raw body before anything parses it."
}

// blameMissing says what is known of a signature that is not there.
func (r *Rule) blameMissing(e *Explanation, verdict error) {
	if verdict != nil && strings.Contains(verdict.Error(), "more than once") {
		e.blame(MistakeSignatureRepeated, fmt.Sprintf("%s is there more than once, so that it cannot be told which counts.", capital(r.Place)),
			"See that nothing between the sender and here adds a header of this name.")
		return
	}
	cause := fmt.Sprintf("There is no signature in %s.", r.Place)
	remedy := "See that the sender has a secret for this endpoint, and that everything between the sender and here passes the header on."
	if name := signatureLike(r.Header); name != "" {
		cause = fmt.Sprintf("There is no signature in %s, but the header %s looks like one.", r.Place, name)
		remedy = "Check that this is the sender you take it for, and that the provider in the configuration is its."
	}
	e.blame(MistakeSignatureMissing, cause, remedy)
}

// capital makes the beginning of a sentence.
func capital(s string) string { return strings.TrimSuffix(sentence(s), ".") }
