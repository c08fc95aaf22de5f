package receiver

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/dunglas/httpsfv"

	"github.com/manysends/caddy-webhooks/webhook"
)

// derivedComponents are those components that are not header fields (RFC 9421,
// section 2.2).
var derivedComponents = []string{"@method", "@target-uri", "@authority", "@scheme", "@request-target", "@path", "@query", "@query-param"}

// maxComponents is how many components a signature may cover.
const maxComponents = 64

// appendSignatureBase appends what is signed (RFC 9421, section 2.5), and tells
// which components it has. Errors wrap [webhook.ErrSignatureMismatch].
func appendSignatureBase(dst []byte, in *inbound, input httpsfv.InnerList) (base []byte, covered []string, err error) {
	if len(input.Items) > maxComponents {
		return nil, nil, fmt.Errorf("%w: the signature covers more than %d components", webhook.ErrSignatureMismatch, maxComponents)
	}
	parts := splitAddress(signedAddress(in))
	var seen []string
	for _, item := range input.Items {
		name, ok := item.Value.(string)
		identifier, err := httpsfv.Marshal(item)
		if !ok || err != nil || slices.Contains(seen, identifier) {
			return nil, nil, fmt.Errorf("%w: a component is not a string, or is there twice", webhook.ErrSignatureMismatch)
		}
		seen = append(seen, identifier)
		value, err := componentValue(in, parts, name, item.Params)
		if err != nil {
			return nil, nil, err
		}
		dst = append(append(append(append(dst, identifier...), ": "...), value...), '\n')
		covered = append(covered, name)
	}
	parameters, err := httpsfv.Marshal(input)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: the parameters of the signature are malformed", webhook.ErrSignatureMismatch)
	}
	return append(append(dst, `"@signature-params": `...), parameters...), covered, nil
}

// addressParts are the parts of the URL that the provider was told.
type addressParts struct {
	whole, scheme, authority, path, query string
	hasQuery                              bool
}

func splitAddress(address string) addressParts {
	p := addressParts{whole: address}
	scheme, rest, _ := strings.Cut(address, "://")
	p.scheme = strings.ToLower(scheme)
	rest, p.query, p.hasQuery = strings.Cut(rest, "?")
	p.authority, p.path = rest, "/"
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		p.authority, p.path = rest[:i], rest[i:]
	}
	p.authority = strings.ToLower(p.authority)
	switch p.scheme {
	case "https":
		p.authority = strings.TrimSuffix(p.authority, ":443")
	case "http":
		p.authority = strings.TrimSuffix(p.authority, ":80")
	}
	return p
}

// componentValue is what the request has for a component. Errors wrap
// [webhook.ErrSignatureMismatch].
func componentValue(in *inbound, at addressParts, name string, parameters *httpsfv.Params) (string, error) {
	var names []string
	if parameters != nil {
		names = parameters.Names()
	}
	if name == "@query-param" && len(names) == 1 && names[0] == "name" {
		value, _ := parameters.Get("name")
		wanted, _ := value.(string)
		return queryParameter(at.query, wanted)
	}
	if len(names) > 0 {
		return "", fmt.Errorf("%w: the component %q has parameters that are not supported", webhook.ErrSignatureMismatch, name)
	}
	switch name {
	case "@method":
		return in.request.Method, nil
	case "@target-uri":
		return at.whole, nil
	case "@authority":
		return at.authority, nil
	case "@scheme":
		return at.scheme, nil
	case "@path":
		return at.path, nil
	case "@query":
		return "?" + at.query, nil
	case "@request-target":
		if at.hasQuery {
			return at.path + "?" + at.query, nil
		}
		return at.path, nil
	}
	if strings.HasPrefix(name, "@") || name != strings.ToLower(name) {
		return "", fmt.Errorf("%w: the component %q is not one of a request", webhook.ErrSignatureMismatch, name)
	}
	return fieldValue(in, name)
}

// fieldValue is the value of a header field: that of all its lines, trimmed and
// joined (RFC 9421, section 2.1).
func fieldValue(in *inbound, name string) (string, error) {
	values := in.request.Header[http.CanonicalHeaderKey(name)]
	switch {
	case name == "host":
		values = []string{in.request.Host}
	case name == "content-length" && len(values) == 0:
		// A server takes it out of the header.
		values = []string{strconv.Itoa(len(in.body))}
	}
	if len(values) == 0 {
		return "", fmt.Errorf("%w: the signature covers a %s header, and there is none", webhook.ErrSignatureMismatch, name)
	}
	trimmed := make([]string, len(values))
	for i, v := range values {
		if strings.ContainsAny(v, "\r\n") {
			return "", fmt.Errorf("%w: a header that is signed has a line break in it", webhook.ErrSignatureMismatch)
		}
		trimmed[i] = strings.TrimSpace(v)
	}
	return strings.Join(trimmed, ", "), nil
}

// queryParameter is the value of a parameter that is in the query exactly once,
// as it is signed: decoded, and encoded in one way (RFC 9421, section 2.2.8).
func queryParameter(query, wanted string) (string, error) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return "", fmt.Errorf("%w: the query is malformed", webhook.ErrSignatureMismatch)
	}
	name, err := url.PathUnescape(wanted)
	if err != nil || len(values[name]) != 1 {
		return "", fmt.Errorf("%w: a parameter that is signed is not in the query exactly once", webhook.ErrSignatureMismatch)
	}
	return percentEncode(values[name][0], "*-._"), nil
}

// percentEncode escapes all bytes but letters, digits and those of kept.
func percentEncode(s, kept string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte(kept, c) >= 0 {
			b.WriteByte(c)
			continue
		}
		fmt.Fprintf(&b, "%%%02X", c)
	}
	return b.String()
}
