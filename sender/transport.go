package sender

import (
	"net/http"
	"time"

	"github.com/manysends/caddy-webhooks/internal/http1"
)

// Bounds of what a transport keeps and waits for.
const (
	maxIdleConns        = 4096
	maxIdleConnsPerHost = 256
	idleConnTimeout     = 90 * time.Second
	tlsHandshakeTimeout = 10 * time.Second
	maxResponseHeader   = 64 << 10 // bytes
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

// clientFor is the client to make a request with, and whether that one has no
// more of the request, but for its context, once it has returned. Connections
// through a proxy cannot be looked at, as the plain client does.
func (t *transport) clientFor(req *http.Request) (client http.RoundTripper, done bool) {
	if t.guard.proxy == "" && t.plain.Takes(req) {
		return t.plain, true
	}
	return t.Transport, false
}

// CloseIdleConnections closes all connections that are idle.
func (t *transport) CloseIdleConnections() {
	t.plain.CloseIdleConnections()
	t.Transport.CloseIdleConnections()
}

// afresh is a transport under the same rules that has no connections yet.
func (t *transport) afresh() *transport {
	return &transport{Transport: t.Transport.Clone(), plain: newPlain(t.guard), guard: t.guard}
}
