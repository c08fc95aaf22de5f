package loadtest

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Flood publishes events over connections that it keeps, with as little effort
// as it can.
type Flood struct {
	Address   string // host and port
	Ledger    *Ledger
	Endpoints []string // those that every event goes to
	Data      int      // bytes of data of each event

	serial atomic.Int64
}

// MaxConnections bounds those of a flood.
const MaxConnections = 8192

// Answers are what a flood was answered.
type Answers struct {
	Sent     int64
	Unsent   int64 // all connections were waiting for answers
	Broken   int64 // a connection was not made, or broke off
	Statuses map[int]int64
	Abrupt   int64 // refusals that do not say when to come again

	Accepted   []time.Duration // how long each 202 took, on a connection that was there
	Refused    []time.Duration // and each 503
	Connecting []time.Duration // and each connection: the system makes it wait when many come
}

// outcomes gathers answers.
type outcomes struct {
	mu sync.Mutex
	Answers
}

// Closed publishes over so many connections, one event after the other on each,
// for a time.
func (f *Flood) Closed(connections int, d time.Duration) Answers {
	o := &outcomes{Answers: Answers{Statuses: map[int]int64{}}}
	var all sync.WaitGroup
	until := time.Now().Add(d)
	for range connections {
		all.Go(func() {
			var c flooder
			defer c.close()
			for time.Now().Before(until) {
				f.exchange(&c, o)
			}
		})
	}
	all.Wait()
	return o.Answers
}

// Open publishes so many events a second for a time, whether those before have
// been answered or not.
func (f *Flood) Open(rate float64, d time.Duration) Answers {
	o := &outcomes{Answers: Answers{Statuses: map[int]int64{}}}
	idle := make(chan *flooder, MaxConnections)
	var all sync.WaitGroup
	made := 0
	began := time.Now()
	for sent := 0; ; {
		elapsed := time.Since(began)
		if elapsed >= d {
			break
		}
		for due := int(elapsed.Seconds() * rate); sent < due; sent++ {
			var c *flooder
			select {
			case c = <-idle:
			default:
				if made == MaxConnections {
					o.Unsent++
					continue
				}
				made++
				c = new(flooder)
			}
			all.Go(func() {
				f.exchange(c, o)
				idle <- c
			})
		}
		time.Sleep(time.Millisecond)
	}
	all.Wait()
	for range made {
		(<-idle).close()
	}
	return o.Answers
}

// flooder is one connection; it is made when it is needed.
type flooder struct {
	conn   net.Conn
	reader *bufio.Reader
}

func (c *flooder) close() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}

// connect makes the connection, unless it is there.
func (c *flooder) connect(address string) (took time.Duration, err error) {
	if c.conn != nil {
		return 0, nil
	}
	began := time.Now()
	var dialer net.Dialer
	conn, err := dialer.DialContext(context.Background(), "tcp", address)
	if err != nil {
		return 0, err
	}
	c.conn, c.reader = conn, bufio.NewReaderSize(conn, 1024)
	return time.Since(began), nil
}

// exchange publishes one event and takes in the answer.
func (f *Flood) exchange(c *flooder, o *outcomes) {
	id := fmt.Sprintf("flood_%d", f.serial.Add(1))
	connecting, err := c.connect(f.Address)
	began := time.Now()
	var status int
	var retryAfter string
	if err == nil {
		status, retryAfter, err = f.try(c, id)
	}
	took := time.Since(began)
	if err != nil {
		c.close()
	}
	if err == nil && status == http.StatusAccepted {
		f.Ledger.Promise(id, f.Endpoints...)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.Sent++
	if connecting > 0 {
		o.Connecting = append(o.Connecting, connecting)
	}
	switch {
	case err != nil:
		o.Broken++
		return
	case status == http.StatusAccepted:
		o.Accepted = append(o.Accepted, took)
	case status == http.StatusServiceUnavailable:
		o.Refused = append(o.Refused, took)
	}
	if status >= http.StatusInternalServerError && retryAfter == "" {
		o.Abrupt++
	}
	o.Statuses[status]++
}

// try sends a request and reads the answer.
func (f *Flood) try(c *flooder, id string) (status int, retryAfter string, err error) {
	body := fmt.Sprintf(`{"id":%q,"event":"message.created","data":{"filler":%q}}`, id, strings.Repeat("x", f.Data))
	request := fmt.Sprintf("POST /events HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", f.Address, len(body), body)
	if err := c.conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		return 0, "", err
	}
	if _, err := io.WriteString(c.conn, request); err != nil {
		return 0, "", err
	}
	resp, err := http.ReadResponse(c.reader, nil)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return 0, "", err
	}
	if resp.Close {
		c.close()
	}
	return resp.StatusCode, resp.Header.Get("Retry-After"), nil
}
