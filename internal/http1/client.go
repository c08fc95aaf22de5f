// Package http1 sends small requests over plain HTTP/1.1, and means the same as
// [net/http.Transport]: what it accepts, refuses and tries again, its errors and
// what it tells while a request is made.
//
// What it does not do is pass each request and each answer between goroutines:
// the caller's own writes the request, at once and with its body, and reads the
// answer. So it takes only requests that fit into what the network buffers, and
// leaves the others, TLS and HTTP/2 to [net/http.Transport]: see [Client.Takes].
package http1

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// maxBody bounds the body of a request, in bytes. Until it is written nothing
// is read, so it must not take long where the server answers first.
const maxBody = 32 << 10

// Client makes requests over connections that it keeps. Its fields must not
// change once it is used, and its methods are safe for concurrent use.
type Client struct {
	// Dial makes a connection. Its context has the values of the request's, and
	// does not end as long as the connection may be of use to anybody.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// MaxIdle and MaxIdlePerHost bound the connections that are kept idle. Zero
	// keeps none.
	MaxIdle, MaxIdlePerHost int

	// IdleTimeout is how long a connection is kept idle, more or less.
	IdleTimeout time.Duration

	// MaxHeaderBytes bounds the headers of an answer, those of the 1xx that come
	// first included.
	MaxHeaderBytes int64

	pool pool
}

// Post makes a request that it takes, until the context ends. When a kept
// connection ends before the first byte of an answer, and the request may be sent
// twice, it is sent again, once and over a new connection. The answer does not
// hold the request; its body must be read to the end or closed.
//
// A context that has the method of [context.AfterFunc] is asked by that.
func (c *Client) Post(ctx context.Context, req *Request) (*http.Response, error) {
	room := requests.Get().(*[]byte)
	defer requests.Put(room)
	*room = appendRequest((*room)[:0], req)
	kept := true
	for {
		conn, err := c.connect(ctx, req.URL.Host, kept)
		if err != nil {
			return nil, err
		}
		if req.Watch != nil {
			req.Watch.GotConn(conn.net, conn.used)
		}
		resp, answered, err := conn.roundTrip(ctx, *room, req.Watch)
		switch {
		case err == nil:
			return resp, nil
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case answered, !conn.used, !req.Repeatable:
			return nil, err
		}
		kept = false
	}
}

// CloseIdleConnections closes what is idle now, and what is in use when it
// becomes idle, unless there are further requests before.
func (c *Client) CloseIdleConnections() { c.pool.closeAll() }

// requests are buffers for requests on their way out.
var requests = sync.Pool{New: func() any { return new([]byte) }}

// connect returns a connection to a host: one that is idle, if kept is set, or
// becomes so while a new one is being made, or that one.
func (c *Client) connect(ctx context.Context, host string, kept bool) (*conn, error) {
	if !kept {
		w := &waiter{ready: make(chan dialled, 1)}
		return c.dial(ctx, host, w)
	}
	conn, w := c.pool.get(host)
	if conn != nil {
		return conn, nil
	}
	defer c.pool.leave(host, w)
	return c.dial(ctx, host, w)
}

// dial waits for a new connection, or for one that is handed to the waiter.
func (c *Client) dial(ctx context.Context, host string, w *waiter) (*conn, error) {
	dialling, cancel := context.WithCancel(context.WithoutCancel(ctx))
	go func() {
		defer cancel()
		made, err := c.Dial(dialling, "tcp", address(host))
		if err != nil {
			w.take(dialled{err: err})
			return
		}
		if conn := newConn(c, host, made); !w.take(dialled{conn: conn}) {
			c.pool.put(conn)
		}
	}()
	select {
	case d := <-w.ready:
		return d.conn, d.err
	case <-ctx.Done():
		cancel()
		if !w.take(dialled{}) { // it has just been given one
			if d := <-w.ready; d.conn != nil {
				c.pool.put(d.conn)
			}
		}
		return nil, context.Cause(ctx)
	}
}
