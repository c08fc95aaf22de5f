package http1

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"syscall"
	"time"
)

// conn is a connection to a host. One request at a time has it, and reads and
// writes it from one goroutine.
type conn struct {
	client *Client
	host   string
	net    net.Conn
	raw    syscall.RawConn // nil where there is none
	abort  func()          // has all reading and writing end at once
	in     *bufio.Reader
	left   int64     // how many bytes may still be read
	eof    bool      // no more is to come
	used   bool      // it has been idle
	since  time.Time // when it became idle
}

func newConn(c *Client, host string, made net.Conn) *conn {
	conn := &conn{client: c, host: host, net: made}
	conn.abort = func() { _ = made.SetDeadline(time.Unix(1, 0)) }
	if sys, ok := made.(syscall.Conn); ok {
		if raw, err := sys.SyscallConn(); err == nil {
			conn.raw = raw
		}
	}
	conn.in = bufio.NewReader(conn)
	return conn
}

// Read reads what the server sends, as far as it is allowed. It is for c.in.
func (c *conn) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, fmt.Errorf("read limit of %d bytes exhausted", c.client.MaxHeaderBytes)
	}
	if int64(len(p)) > c.left {
		p = p[:c.left]
	}
	n, err := c.net.Read(p)
	c.left -= int64(n)
	c.eof = c.eof || errors.Is(err, io.EOF)
	return n, err
}

func (c *conn) close() { _ = c.net.Close() }

// roundTrip makes one request. Unless it returns an answer, whose body then has
// the connection, the connection is closed. It tells whether any of an answer
// has come.
func (c *conn) roundTrip(ctx context.Context, text []byte, watch Watcher) (_ *http.Response, answered bool, _ error) {
	stop := afterFunc(ctx, c.abort)
	resp, answered, err := c.exchange(text, watch)
	if err != nil {
		stop()
		c.client.pool.drop(c)
		return nil, answered, err
	}
	b := &body{conn: c, ctx: ctx, stop: stop, from: resp.Body}
	b.reusable = !resp.Close && resp.StatusCode >= 200
	if resp.Body == http.NoBody || resp.StatusCode == http.StatusSwitchingProtocols {
		resp.Body = http.NoBody // what follows the latter is not HTTP
		b.end(true)
		return resp, true, nil
	}
	resp.Body = b
	return resp, true, nil
}

// exchange writes the request and reads the head of the answer.
func (c *conn) exchange(text []byte, watch Watcher) (_ *http.Response, answered bool, _ error) {
	c.left = c.client.MaxHeaderBytes
	_, writing := c.net.Write(text)
	// The server may have answered and closed before it had read everything.
	if _, err := c.in.Peek(1); err != nil {
		if writing != nil {
			err = writing
		}
		return nil, false, err
	}
	if watch != nil {
		watch.GotFirstByte()
	}
	for {
		resp, err := http.ReadResponse(c.in, nil)
		switch {
		case err != nil && c.left <= 0:
			return nil, true, broken(fmt.Errorf("net/http: server response headers exceeded %d bytes; aborted", c.client.MaxHeaderBytes))
		case err != nil:
			return nil, true, broken(err)
		case resp.StatusCode >= 200 || resp.StatusCode == http.StatusSwitchingProtocols || resp.StatusCode < 100:
			c.left = math.MaxInt64
			return resp, true, nil
		}
		// 1xx: the answer is still to come.
	}
}

// afterFunc is [context.AfterFunc], which makes a context to do so even where one
// sees to it by itself.
func afterFunc(ctx context.Context, f func()) (stop func() bool) {
	if c, ok := ctx.(interface{ AfterFunc(func()) func() bool }); ok {
		return c.AfterFunc(f)
	}
	return context.AfterFunc(ctx, f)
}

// broken says of an error what net/http does.
func broken(err error) error {
	return fmt.Errorf("net/http: HTTP/1.x transport connection broken: %w", err)
}

// errClosed is what reading a closed body gives.
var errClosed = errors.New("http: read on closed response body")

// body is that of an answer. At its end the connection becomes idle.
type body struct {
	conn     *conn // nil after the end
	ctx      context.Context
	stop     func() bool
	from     io.Reader
	reusable bool
	err      error // what reading has come to
}

// Read implements io.Reader.
func (b *body) Read(p []byte) (int, error) {
	if b.conn == nil {
		return 0, b.err
	}
	n, err := b.from.Read(p)
	if err == nil {
		return n, nil
	}
	if err == io.EOF {
		b.err = err
		b.end(true)
		return n, err
	}
	if b.err = err; b.ctx.Err() != nil {
		b.err = context.Cause(b.ctx)
	}
	b.end(false)
	return n, b.err
}

// Close implements io.Closer.
func (b *body) Close() error {
	if b.conn != nil {
		b.end(false)
	}
	b.err = errClosed
	return nil
}

// end lets go of the connection, which is kept when all of the answer, and no
// more, has been read.
func (b *body) end(whole bool) {
	c := b.conn
	b.conn = nil
	if b.stop() && whole && b.reusable && !c.eof && c.in.Buffered() == 0 {
		c.client.pool.put(c)
		return
	}
	c.client.pool.drop(c)
}
