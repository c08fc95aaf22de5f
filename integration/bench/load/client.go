package load

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"time"
)

// client is one kept connection that requests are sent on.
type client struct {
	address  string
	deadline time.Time
	conn     net.Conn
	in       headReader
	refusal  string // what the last answer that was no 2xx said
}

// maxRefusal is how much of a refusal is kept.
const maxRefusal = 300

// connect makes the connection, unless there is one.
func (c *client) connect(ctx context.Context) error {
	if c.conn != nil {
		return nil
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", c.address)
	if err != nil {
		return err
	}
	if err := conn.SetDeadline(c.deadline); err != nil {
		_ = conn.Close()
		return err
	}
	c.conn = conn
	c.in.in = bufio.NewReaderSize(conn, 4<<10)
	return nil
}

// send sends a request and waits for its answer, of which it returns the
// status.
func (c *client) send(ctx context.Context, request []byte) (status int, err error) {
	if err := c.connect(ctx); err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	if _, err := c.conn.Write(request); err != nil {
		return 0, err
	}
	answer, err := c.in.read(false)
	if err != nil {
		return 0, noEOF(err)
	}
	if answer.status < 200 {
		return 0, fmt.Errorf("%w: status %d", errMalformed, answer.status)
	}
	if answer.status >= 300 && !answer.chunked {
		text, _ := c.in.in.Peek(min(answer.length, maxRefusal)) // what is wrong with it shows below
		c.refusal = string(text)
	}
	if err := c.in.discardBody(); err != nil {
		return 0, err
	}
	if answer.closes {
		c.close()
	}
	return answer.status, nil
}

func (c *client) close() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}
