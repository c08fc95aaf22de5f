package http1

import (
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// Request is a POST. Nobody changes it, nor what it holds, while it is made.
type Request struct {
	URL *url.URL

	// Header are its headers; Host and Content-Length are added, and a User-Agent
	// as net/http does.
	Header http.Header

	Body []byte

	// Repeatable tells that it may be processed twice.
	Repeatable bool

	// Watch is told how it fares; nil if nobody is to be.
	Watch Watcher
}

// A Watcher is told how a request fares, by the goroutine that makes it.
type Watcher interface {
	// GotConn tells of the connection that it goes over, and whether that one has
	// been used before. There is another one when it is sent again.
	GotConn(conn net.Conn, reused bool)

	// GotFirstByte tells that the answer has begun.
	GotFirstByte()
}

// Takes tells whether the client makes such a request: one over http:// whose
// body is small but not empty, and in which nothing has to be changed or refused.
// On systems other than Unix it takes none.
func (c *Client) Takes(req *Request) bool {
	u := req.URL
	if !looks || u.Scheme != "http" || u.Opaque != "" || !plainHost(u.Host) || len(req.Body) == 0 || len(req.Body) > maxBody {
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

// appendRequest appends a request, whole.
func appendRequest(b []byte, req *Request) []byte {
	b = append(b, "POST "...)
	b = append(b, req.URL.RequestURI()...)
	b = append(b, " HTTP/1.1\r\nHost: "...)
	b = append(b, req.URL.Host...)
	b = append(b, "\r\n"...)
	if agent, ok := req.Header["User-Agent"]; !ok {
		b = append(b, "User-Agent: Go-http-client/1.1\r\n"...)
	} else if len(agent) > 0 && agent[0] != "" {
		b = appendHeader(b, "User-Agent", agent[:1])
	}
	b = append(b, "Content-Length: "...)
	b = strconv.AppendInt(b, int64(len(req.Body)), 10)
	b = append(b, "\r\n"...)
	b = appendHeaders(b, req.Header)
	b = append(b, "\r\n"...)
	return append(b, req.Body...)
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
