package http1

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// Takes tells whether the client makes such a request: a POST over http:// whose
// body is small and of a known length, and in which nothing has to be changed or
// refused. On systems other than Unix it takes none.
func (c *Client) Takes(req *http.Request) bool {
	u := req.URL
	if !looks || req.Method != http.MethodPost || u.Scheme != "http" || u.Opaque != "" || !plainHost(u.Host) || req.Host != u.Host ||
		req.ContentLength <= 0 || req.ContentLength > maxBody || req.Body == nil || req.Close || len(req.Trailer) > 0 {
		return false
	}
	for name, values := range req.Header {
		if special(name) && len(values) > 0 || !httpguts.ValidHeaderFieldName(name) {
			return false
		}
		for _, value := range values {
			if !httpguts.ValidHeaderFieldValue(value) {
				return false
			}
		}
	}
	return true
}

// special tells whether a header has a meaning to the client.
func special(name string) bool {
	switch name {
	case "Host", "Content-Length", "Transfer-Encoding", "Trailer", "Connection", "Upgrade", "Expect":
		return true
	}
	return false
}

// plainHost tells whether a host and port go into the Host header, and are
// connected to, as they are.
func plainHost(s string) bool {
	if s == "" || strings.HasSuffix(s, ":") {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '.', c == '-', c == '_', c == ':', c == '[', c == ']':
		default:
			return false
		}
	}
	return true
}

// address is where the host of an http URL is connected to.
func address(host string) string {
	if strings.LastIndexByte(host, ':') > strings.LastIndexByte(host, ']') {
		return host
	}
	return net.JoinHostPort(strings.Trim(host, "[]"), "80")
}

// mayBeSentAgain tells whether a request may be processed twice, by the same
// rule as net/http's: the header need not have a value, and then is not sent.
func mayBeSentAgain(req *http.Request) bool {
	for _, name := range []string{"Idempotency-Key", "X-Idempotency-Key"} {
		if _, ok := req.Header[name]; ok {
			return true
		}
	}
	return false
}

// appendRequest appends a request, whole.
func appendRequest(b []byte, req *http.Request) ([]byte, error) {
	b = append(b, "POST "...)
	b = append(b, req.URL.RequestURI()...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, req.Host...)
	b = append(b, "\r\n"...)
	if agent, ok := req.Header["User-Agent"]; !ok {
		b = append(b, "User-Agent: Go-http-client/1.1\r\n"...)
	} else if len(agent) > 0 && agent[0] != "" {
		b = appendHeader(b, "User-Agent", agent[:1])
	}
	b = append(b, "Content-Length: "...)
	b = strconv.AppendInt(b, req.ContentLength, 10)
	b = append(b, "\r\n"...)
	b = appendHeaders(b, req.Header)
	b = append(b, "\r\n"...)

	head := len(b)
	b = slices.Grow(b, int(req.ContentLength))[:head+int(req.ContentLength)]
	_, err := io.ReadFull(req.Body, b[head:])
	if closing := req.Body.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return b, fmt.Errorf("reading the request's body: %w", err)
	}
	return b, nil
}

// appendHeaders appends the headers in the order of their names, but for the one
// that stands before.
func appendHeaders(b []byte, h http.Header) []byte {
	var room [16]string
	names := room[:0]
	for name := range h {
		if name != "User-Agent" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		b = appendHeader(b, name, h[name])
	}
	return b
}

func appendHeader(b []byte, name string, values []string) []byte {
	for _, value := range values {
		b = append(b, name...)
		b = append(b, ": "...)
		b = append(b, strings.Trim(value, " \t\r\n")...)
		b = append(b, "\r\n"...)
	}
	return b
}
