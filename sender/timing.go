package sender

import (
	"context"
	"crypto/tls"
	"net"
	"net/http/httptrace"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

// exchange watches one HTTP exchange: what its time goes into, and which
// connection it goes over. It is the context of the exchange as well, so that
// the guard finds it when the transport has it dial.
//
// It is told by other goroutines, and may be told of something when the
// exchange has ended, since a dial may outlive it: then it takes in no more.
type exchange struct {
	attemptContext

	clock Clock
	began time.Time
	hooks *httptrace.ClientTrace // of net/http's client, if that is the one

	mu        sync.Mutex
	ended     bool
	firstByte time.Duration
	remote    net.Addr  // of the connection that the request went over
	own       bool      // that connection was dialled for this exchange
	dial      *dialling // the latest one
}

// exchangeKey is the key that an exchange is found by in a context.
type exchangeKey struct{}

// watch makes an exchange that begins now. It must be over in the end.
func watch(parent context.Context, clock Clock, now time.Time) *exchange {
	x := &exchange{clock: clock, began: now}
	x.begin(parent)
	return x
}

// traced is the context to have net/http's client make the exchange with.
func (x *exchange) traced() context.Context {
	// What belongs to dialling is added when there is a dial, so that a kept
	// connection does not pay for it.
	x.hooks = &httptrace.ClientTrace{
		GotConn:              func(info httptrace.GotConnInfo) { x.GotConn(info.Conn, info.Reused) },
		GotFirstResponseByte: x.GotFirstByte,
	}
	// Around the parent, so that what is made of the context still finds what it
	// asks for.
	x.Context = httptrace.WithClientTrace(x.Context, x.hooks)
	return x
}

// Value returns the exchange for its key, and what the parent has for others.
func (x *exchange) Value(key any) any {
	if key == (exchangeKey{}) {
		return x
	}
	return x.Context.Value(key)
}

// GotConn implements [http1.Watcher].
func (x *exchange) GotConn(conn net.Conn, reused bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.ended {
		return
	}
	x.remote = conn.RemoteAddr()
	x.own = !reused && x.dial != nil && x.dial.conn == underTLS(conn)
}

// GotFirstByte implements [http1.Watcher].
func (x *exchange) GotFirstByte() {
	now := x.clock.Now()
	x.mu.Lock()
	defer x.mu.Unlock()
	if !x.ended {
		x.firstByte = now.Sub(x.began)
	}
}

// underTLS is the connection that another one may be a layer over.
func underTLS(conn net.Conn) net.Conn {
	if secured, ok := conn.(*tls.Conn); ok {
		return secured.NetConn()
	}
	return conn
}

// seen returns what the exchange has taken its time for until now, when it has
// ended, the address at the other end of its connection, and whether it had one to
// send a request over.
func (x *exchange) seen(now time.Time) (timings Timings, remote string, sent bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.ended = true
	timings.FirstByte = webhook.Duration(x.firstByte)
	switch {
	case x.remote != nil:
		remote, sent = x.remote.String(), true
	case x.dial != nil && x.dial.conn != nil:
		remote = x.dial.conn.RemoteAddr().String()
	}
	if x.dial != nil && (x.own || x.remote == nil) {
		timings.DNS = x.dial.parts[lookingUp].lasted(now)
		timings.Connect = x.dial.parts[connecting].lasted(now)
		timings.TLS = x.dial.parts[securing].lasted(now)
	}
	return timings, remote, sent
}

// The parts of making a connection.
const (
	lookingUp  = 0
	connecting = 1
	securing   = 2
	nParts     = 3
)

// dialling is a connection in the making. Its methods do nothing on nil, which
// is one that nobody watches.
type dialling struct {
	x     *exchange
	parts [nParts]span
	addrs []netip.Addr // what the host was looked up as, or is
	conn  net.Conn
	tls   *tls.ConnectionState // nil until it is secured
}

// span is the time that something took. One without an end is still going on.
type span struct{ from, to time.Time }

func (s span) lasted(now time.Time) webhook.Duration {
	switch {
	case s.from.IsZero():
		return 0
	case s.to.IsZero():
		return webhook.Duration(now.Sub(s.from))
	}
	return webhook.Duration(s.to.Sub(s.from))
}

// dialFor notes that a connection is being made for the exchange of a context.
func dialFor(ctx context.Context) *dialling {
	x, _ := ctx.Value(exchangeKey{}).(*exchange)
	if x == nil {
		return nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	d := &dialling{x: x}
	x.dial = d
	if x.hooks != nil && x.hooks.TLSHandshakeStart == nil {
		// The transport looks at these in the goroutines of dials alone, each of
		// which has come by here before.
		x.hooks.TLSHandshakeStart = func() { x.latest().begin(securing) }
		x.hooks.TLSHandshakeDone = func(state tls.ConnectionState, err error) { x.latest().secured(state, err) }
	}
	return d
}

// dialled is the latest connection that was made for an exchange that has
// ended; the zero value if there was none.
func (x *exchange) dialled() dialling {
	if d := x.latest(); d != nil {
		return *d
	}
	return dialling{}
}

func (x *exchange) latest() *dialling {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.dial
}

// note changes the dialling while its exchange lasts.
func (d *dialling) note(change func(now time.Time)) {
	if d == nil {
		return
	}
	now := d.x.clock.Now()
	d.x.mu.Lock()
	defer d.x.mu.Unlock()
	if !d.x.ended {
		change(now)
	}
}

func (d *dialling) begin(part int) {
	d.note(func(now time.Time) { d.parts[part].from = now })
}

func (d *dialling) lookedUp(addrs []netip.Addr) {
	d.note(func(now time.Time) {
		d.addrs = addrs
		if !d.parts[lookingUp].from.IsZero() {
			d.parts[lookingUp].to = now
		}
	})
}

func (d *dialling) connected(conn net.Conn, err error) {
	d.note(func(now time.Time) {
		d.parts[connecting].to = now
		if err == nil {
			d.conn = conn
		}
	})
}

func (d *dialling) secured(state tls.ConnectionState, err error) {
	d.note(func(now time.Time) {
		d.parts[securing].to = now
		if err == nil {
			d.tls = &state
		}
	})
}

// namedConn is a connection that has its peer's address at hand as text, which
// every attempt over it records.
type namedConn struct {
	net.Conn
	remote namedAddr
}

type namedAddr struct {
	net.Addr
	text string
}

// String implements net.Addr.
func (a *namedAddr) String() string { return a.text }

func newNamedConn(conn net.Conn) net.Conn {
	remote := conn.RemoteAddr()
	return &namedConn{conn, namedAddr{remote, remote.String()}}
}

// RemoteAddr implements net.Conn.
func (c *namedConn) RemoteAddr() net.Addr { return &c.remote }

// SyscallConn implements syscall.Conn where the connection does.
func (c *namedConn) SyscallConn() (syscall.RawConn, error) {
	sys, ok := c.Conn.(syscall.Conn)
	if !ok {
		return nil, syscall.EINVAL
	}
	return sys.SyscallConn()
}
