package sender

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/manysends/caddy-webhooks/internal/http1"
)

// Bounds of what a transport keeps and waits for. Of a host so many connections
// are kept that an event can go to many endpoints there without making them anew.
const (
	maxIdleConns        = 4096
	maxIdleConnsPerHost = 1024
	idleConnTimeout     = 90 * time.Second
	tlsHandshakeTimeout = 10 * time.Second
	maxResponseHeader   = 64 << 10 // bytes

	// Over HTTP/2 an attempt whose time is up leaves the connection to others. One
	// over which nothing has come for a while is asked for a sign of life.
	pingAfter   = 30 * time.Second
	pingTimeout = 15 * time.Second
)

// transport is the HTTP client under all attempts that are made under the same
// egress rules. It follows no redirects and decompresses nothing. Connections go
// through the guard, and as long as they are kept they are of no use to attempts
// under other rules.
type transport struct {
	*http.Transport
	plain *http1.Client // for what it takes, which costs less
	guard *guard
}

func newTransport(g *guard) *transport {
	return &transport{
		Transport: &http.Transport{
			DialContext:            g.dialContext,
			ForceAttemptHTTP2:      true,
			DisableCompression:     true,
			MaxIdleConns:           maxIdleConns,
			MaxIdleConnsPerHost:    maxIdleConnsPerHost,
			IdleConnTimeout:        idleConnTimeout,
			TLSHandshakeTimeout:    tlsHandshakeTimeout,
			MaxResponseHeaderBytes: maxResponseHeader,
			WriteBufferSize:        8 << 10,
			HTTP2:                  &http.HTTP2Config{SendPingTimeout: pingAfter, PingTimeout: pingTimeout},
		},
		plain: newPlain(g),
		guard: g,
	}
}

func newPlain(g *guard) *http1.Client {
	return &http1.Client{
		Dial:           g.dialContext,
		MaxIdle:        maxIdleConns,
		MaxIdlePerHost: maxIdleConnsPerHost,
		IdleTimeout:    idleConnTimeout,
		MaxHeaderBytes: maxResponseHeader,
	}
}

// post makes the request of an exchange, and tells whether the headers and the
// body are nobody's any more once it has returned. Over a kept connection that
// turns out to have been closed by the server the request may be sent again:
// receivers know it by its webhook-id.
func (t *transport) post(x *exchange, to *url.URL, header http.Header, body []byte) (resp *http.Response, alone bool, err error) {
	// Connections through a proxy cannot be looked at, as the plain client does.
	if t.guard.proxy == "" {
		req := http1.Request{URL: to, Header: header, Body: body, Repeatable: true, Watch: x}
		if t.plain.Takes(&req) {
			resp, err = t.plain.Post(x, &req)
			return resp, true, err
		}
	}
	if _, own := header[repeatable]; !own {
		header[repeatable] = nil
	}
	req := http.Request{
		Method:        http.MethodPost,
		URL:           to,
		Host:          to.Host,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        header,
		Body:          newRequestBody(body),
		ContentLength: int64(len(body)),
		GetBody:       func() (io.ReadCloser, error) { return newRequestBody(body), nil },
	}
	resp, err = t.RoundTrip(req.WithContext(x.traced()))
	if err == nil && resp.StatusCode == http.StatusSwitchingProtocols {
		// What follows is not HTTP, and the context does not end it.
		_ = resp.Body.Close()
		resp.Body = http.NoBody
	}
	return resp, false, err
}

// repeatable is the header that tells net/http that a request may be sent again.
// Without a value it is not sent.
const repeatable = "Idempotency-Key"

// requestBody is the body of a request, in memory.
type requestBody struct{ bytes.Reader }

func newRequestBody(text []byte) *requestBody {
	b := new(requestBody)
	b.Reset(text)
	return b
}

// Close implements io.Closer.
func (*requestBody) Close() error { return nil }

// CloseIdleConnections closes all connections that are idle.
func (t *transport) CloseIdleConnections() {
	t.plain.CloseIdleConnections()
	t.Transport.CloseIdleConnections()
}

// afresh is a transport under the same rules that has no connections yet.
func (t *transport) afresh() *transport {
	return &transport{Transport: t.Transport.Clone(), plain: newPlain(t.guard), guard: t.guard}
}
