package sender

import (
	"fmt"
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
