package sender

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// ownHeaders are set by the delivery, or belong to the connection, so an
// endpoint cannot set them.
var ownHeaders = []string{
	"Connection", "Content-Encoding", "Content-Length", "Content-Type", "Host", "Keep-Alive", "Proxy-Connection",
	"Te", "Traceparent", "Trailer", "Transfer-Encoding", "Upgrade",
}

// maxHeadersKept bounds what is kept of an answer's headers, in bytes of names
// and values.
const maxHeadersKept = 8 << 10

// hidden stands for a value that may be a credential.
const hidden = "[hidden]"

// hiddenHeader is the value of a header that is not shown. Nobody changes it.
var hiddenHeader = []string{hidden}

// shownHeaders are those of a request as they are shown to people: without the
// values that the endpoint's owner has set, or those of his user name and
// password. They share values with sent and, if that is nobody else's, are it.
func (t *target) shownHeaders(sent http.Header, alone bool) http.Header {
	shown := sent
	if !alone {
		shown = maps.Clone(sent)
	}
	for name, values := range shown {
		if len(values) == 0 { // it is not sent
			delete(shown, name)
		}
	}
	for name := range t.headers {
		shown[name] = hiddenHeader
	}
	if t.authorization != "" {
		shown["Authorization"] = hiddenHeader
	}
	return shown
}

// keptHeaders are those of an answer as they are kept: at most maxHeadersKept
// of them, and without the values of cookies, which may open a session. It may
// be the same map.
func keptHeaders(h http.Header) http.Header {
	size := 0
	for name, values := range h {
		size += headerSize(name, values)
	}
	_, cookies := h["Set-Cookie"]
	if size <= maxHeadersKept && !cookies {
		return h
	}
	kept := make(http.Header, len(h))
	size = 0
	for _, name := range slices.Sorted(maps.Keys(h)) {
		values := h[name]
		if name == "Set-Cookie" {
			values = slices.Repeat(hiddenHeader, len(values))
		}
		if more := headerSize(name, values); size+more <= maxHeadersKept {
			kept[name] = values
			size += more
		}
	}
	return kept
}

// headerSize is how many bytes a header has.
func headerSize(name string, values []string) (n int) {
	for _, value := range values {
		n += len(name) + len(value)
	}
	return n
}

// compileHeaders checks the headers of an endpoint. Errors never hold a value,
// which may be a credential.
func compileHeaders(headers map[string]string) (http.Header, error) {
	if len(headers) == 0 {
		return nil, nil
	}
	compiled := make(http.Header, len(headers))
	for name, value := range headers {
		canonical := http.CanonicalHeaderKey(name)
		_, twice := compiled[canonical]
		switch {
		case !httpguts.ValidHeaderFieldName(name):
			return nil, fmt.Errorf("%q is not the name of a header: use letters, digits and hyphens", name)
		case slices.Contains(ownHeaders, canonical), strings.HasPrefix(canonical, "Webhook-"):
			return nil, fmt.Errorf("%s is set by the delivery itself: remove it", canonical)
		case twice:
			return nil, fmt.Errorf("%s stands twice: keep one", canonical)
		case value == "" || !httpguts.ValidHeaderFieldValue(value):
			return nil, fmt.Errorf("the value of %s is empty or holds characters that a header cannot have: set it to one line of text", canonical)
		}
		compiled[canonical] = []string{value}
	}
	return compiled, nil
}
