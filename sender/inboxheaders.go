package sender

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/manysends/caddy-webhooks/webhook"
)

// Bounds of what is kept of an event's headers: values, and bytes of these with
// their names.
const (
	maxEventHeaders     = 64
	maxEventHeaderBytes = 8 << 10
)

// maxContentType bounds the content type of an event, in bytes.
const maxContentType = 256

// neverKept are headers that no event has: credentials, and those that belong to
// the connection or that a delivery sets itself. Those that begin with Proxy- or
// Webhook- are not kept either.
var neverKept = []string{
	"Authorization", "Connection", "Content-Length", "Content-Type", "Cookie", "Expect", "Host", "Idempotency-Key",
	"Keep-Alive", "Set-Cookie", "Te", "Traceparent", "Trailer", "Transfer-Encoding", "Upgrade", "User-Agent",
}

// isNeverKept tells it of a canonical name. An underscore is a hyphen to some
// applications (RFC 3875, section 4.1.18).
func isNeverKept(canonical string) bool {
	if strings.Contains(canonical, "_") {
		canonical = http.CanonicalHeaderKey(strings.ReplaceAll(canonical, "_", "-"))
	}
	return slices.Contains(neverKept, canonical) || strings.HasPrefix(canonical, "Proxy-") || strings.HasPrefix(canonical, "Webhook-")
}

// checkHeaderPattern says what is wrong with what stands for headers to keep, if
// anything.
func checkHeaderPattern(pattern string) error {
	name, wild := strings.CutSuffix(pattern, "*")
	switch canonical := http.CanonicalHeaderKey(name); {
	case wild && name == "":
		return errors.New("\"*\" would keep whatever a client sends, and its credentials with it: name the headers, such as X-GitHub-*")
	case !httpguts.ValidHeaderFieldName(name) || strings.Contains(name, "*"):
		return fmt.Errorf("%q is not the name of a header: write such as X-GitHub-Event, or X-GitHub-* for all that begin so", pattern)
	case isNeverKept(canonical):
		return fmt.Errorf("%s is never kept, because it may be a credential, belongs to the connection, or is set by the delivery itself: remove it", canonical)
	}
	return nil
}

// keptRequestHeaders are those of a request that are kept: the ones that the
// patterns name, and Content-Encoding. Nil when there are none.
func keptRequestHeaders(h http.Header, patterns []string) http.Header {
	kept := make(http.Header)
	for name, values := range h {
		if isNeverKept(name) || !slices.ContainsFunc(patterns, func(p string) bool { return namesHeader(p, name) }) {
			continue
		}
		if !httpguts.HeaderValuesContainsToken(h["Connection"], name) { // then it is for the next hop alone
			kept[name] = slices.Clone(values)
		}
	}
	if encoding := h["Content-Encoding"]; len(encoding) > 0 && !strings.EqualFold(encoding[0], "identity") {
		kept["Content-Encoding"] = slices.Clone(encoding)
	}
	if len(kept) == 0 {
		return nil
	}
	return kept
}

// namesHeader tells whether a pattern names a header.
func namesHeader(pattern, name string) bool {
	if prefix, wild := strings.CutSuffix(pattern, "*"); wild {
		return len(name) >= len(prefix) && strings.EqualFold(name[:len(prefix)], prefix)
	}
	return strings.EqualFold(pattern, name)
}

// checkEventHeaders says what is wrong with the content type and the headers of
// an event, if anything.
func checkEventHeaders(e *webhook.Event) error {
	if len(e.ContentType) > maxContentType || !httpguts.ValidHeaderFieldValue(e.ContentType) {
		return fmt.Errorf("%w: the content type is no media type, or longer than %d bytes: send one such as application/json", ErrInvalid, maxContentType)
	}
	values, size := 0, 0
	for name, list := range e.Headers {
		switch {
		case !httpguts.ValidHeaderFieldName(name) || name != http.CanonicalHeaderKey(name):
			return fmt.Errorf("%w: headers: %q is not the canonical name of a header: write such as X-Github-Event", ErrInvalid, name)
		case isNeverKept(name):
			return fmt.Errorf("%w: headers: %s cannot be kept with an event: remove it", ErrInvalid, name)
		case !allValid(list):
			return fmt.Errorf("%w: headers: %s has a value that a header cannot have: set it to one line of text", ErrInvalid, name)
		}
		values += len(list)
		size += headerSize(name, list)
	}
	if values > maxEventHeaders || size > maxEventHeaderBytes {
		return fmt.Errorf("%w: headers: there are %d values of %d bytes, and at most %d of %d bytes can be kept: keep fewer of them",
			ErrInvalid, values, size, maxEventHeaders, maxEventHeaderBytes)
	}
	return nil
}

func allValid(values []string) bool {
	return !slices.ContainsFunc(values, func(v string) bool { return !httpguts.ValidHeaderFieldValue(v) })
}

// ownHeadersOf is a copy of an event's headers that is not the publisher's, under
// canonical names.
func ownHeadersOf(e *webhook.Event) http.Header {
	if len(e.Headers) == 0 {
		return nil
	}
	own := make(http.Header, len(e.Headers))
	for _, name := range slices.Sorted(maps.Keys(e.Headers)) {
		canonical := http.CanonicalHeaderKey(name)
		own[canonical] = append(own[canonical], e.Headers[name]...)
	}
	return own
}
