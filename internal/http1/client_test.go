//go:build unix

package http1

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// tripper is the client that makes requests of net/http's.
type tripper struct{ *Client }

func newClient(t testing.TB) tripper {
	c := &Client{
		Dial:           (&net.Dialer{}).DialContext,
		MaxIdle:        100,
		MaxIdlePerHost: 10,
		IdleTimeout:    time.Minute,
		MaxHeaderBytes: 64 << 10,
	}
	t.Cleanup(c.CloseIdleConnections)
	return tripper{c}
}

// RoundTrip implements [http.RoundTripper].
func (c tripper) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	made := Request{URL: req.URL, Header: req.Header, Body: body}
	_, made.Repeatable = req.Header["Idempotency-Key"]
	if trace := httptrace.ContextClientTrace(req.Context()); trace != nil {
		made.Watch = watcher{trace}
	}
	return c.Post(req.Context(), &made)
}

// watcher tells one of net/http's.
type watcher struct{ *httptrace.ClientTrace }

func (w watcher) GotConn(conn net.Conn, reused bool) {
	w.ClientTrace.GotConn(httptrace.GotConnInfo{Conn: conn, Reused: reused})
}

func (w watcher) GotFirstByte() { w.GotFirstResponseByte() }

// reference is the client of net/http with the same settings.
func reference(t testing.TB) *http.Transport {
	c := &http.Transport{
		DialContext:            (&net.Dialer{}).DialContext,
		DisableCompression:     true,
		MaxIdleConns:           100,
		MaxIdleConnsPerHost:    10,
		IdleConnTimeout:        time.Minute,
		MaxResponseHeaderBytes: 64 << 10,
	}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// newRequest is a request that may be sent again, as those of deliveries are.
func newRequest(t testing.TB, ctx context.Context, url, body string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header["Idempotency-Key"] = nil
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "test")
	req.Header["X-Two"] = []string{"b", " a "}
	return req
}

// outcome is what has come of a request.
type outcome struct {
	Status  int
	Proto   string
	Headers http.Header
	Body    string
	Trailer http.Header
	Failed  string // how; the rest is what there was before
}

// send makes a request and reads the whole answer.
func send(c http.RoundTripper, req *http.Request) (o outcome) {
	resp, err := c.RoundTrip(req)
	if err != nil {
		return outcome{Failed: failure(err)}
	}
	defer resp.Body.Close()
	o = outcome{Status: resp.StatusCode, Proto: resp.Proto, Headers: resp.Header}
	body, err := io.ReadAll(resp.Body)
	o.Body, o.Trailer = string(body), resp.Trailer
	if err != nil {
		o.Failed = failure(err)
	}
	return o
}

// failure is an error without what differs from run to run: addresses, and
// whether net/http finds the connection closed by then, and says so.
func failure(err error) string {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err.Error()
	}
	return strings.TrimPrefix(err.Error(), "net/http: HTTP/1.x transport connection broken: ")
}

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

// answers are what servers answer, right or wrong, over a connection that they
// keep.
var answers = []struct{ name, answer string }{
	{"200", ok},
	{"204", "HTTP/1.1 204 No Content\r\n\r\n"},
	{"304 with a length", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"},
	{"500", "HTTP/1.1 500 Oops\r\nContent-Length: 4\r\n\r\noops"},
	{"no reason", "HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok"},
	{"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"},
	{"chunks with extensions", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;a=b\r\nok\r\n0;c\r\n\r\n"},
	{"trailers", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n"},
	{"trailers not announced", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n"},
	{"early hints", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + ok},
	{"continue twice", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + ok},
	{"1xx without end", strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", 2000) + ok},
	{"asks to close", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"},
	{"HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"},
	{"HTTP/1.0 that keeps", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok"},
	{"two lengths that agree", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok"},
	{"two lengths that do not", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok"},
	{"a list of lengths", "HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nok"},
	{"a negative length", "HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\nok"},
	{"a length with a sign", "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok"},
	{"chunked with a length", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n2\r\nok\r\n0\r\n\r\n"},
	{"two codings", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"},
	{"coding twice", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"},
	{"unknown coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: rot13\r\n\r\n2\r\nok\r\n0\r\n\r\n"},
	{"a chunk that is no number", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxx\r\nok\r\n0\r\n\r\n"},
	{"a chunk that is longer", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nok\r\n0\r\n\r\n"},
	{"a chunk of a huge size", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nok\r\n0\r\n\r\n"},
	{"folded header", "HTTP/1.1 200 OK\r\nX-A: b\r\n c\r\nContent-Length: 2\r\n\r\nok"},
	{"folded first header", "HTTP/1.1 200 OK\r\n X-A: b\r\nContent-Length: 2\r\n\r\nok"},
	{"space before the colon", "HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok"},
	{"no colon", "HTTP/1.1 200 OK\r\nContent-Length\r\n\r\nok"},
	{"no name", "HTTP/1.1 200 OK\r\n: 2\r\nContent-Length: 2\r\n\r\nok"},
	{"a zero byte in a value", "HTTP/1.1 200 OK\r\nX-A: a\x00b\r\nContent-Length: 2\r\n\r\nok"},
	{"lines that end in LF", "HTTP/1.1 200 OK\nContent-Length: 2\n\nok"},
	{"a header without end", "HTTP/1.1 200 OK\r\nX-A: " + strings.Repeat("a", 80<<10) + "\r\n\r\n"},
	{"headers without end", "HTTP/1.1 200 OK\r\n" + strings.Repeat("X-A: a\r\n", 20<<10) + "\r\n"},
	{"another protocol", "SSH-2.0-server\r\n\r\n"},
	{"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
	{"HTTP/3.0", "HTTP/3.0 200 OK\r\nContent-Length: 2\r\n\r\nok"},
	{"two digits", "HTTP/1.1 20 OK\r\nContent-Length: 2\r\n\r\nok"},
	{"four digits", "HTTP/1.1 2000 OK\r\nContent-Length: 2\r\n\r\nok"},
	{"status with a sign", "HTTP/1.1 +20 OK\r\nContent-Length: 2\r\n\r\nok"},
	{"status 099", "HTTP/1.1 099 Low\r\nContent-Length: 2\r\n\r\nok"},
	{"status 000", "HTTP/1.1 000 None\r\nContent-Length: 2\r\n\r\nok"},
	{"an empty line first", "\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"},
}

// TestAsTransport: of whatever a server answers, the same comes as of net/http's
// client, and the same connections are kept.
func TestAsTransport(t *testing.T) {
	tests := make(map[string][]script)
	for _, a := range answers {
		tests[a.name+", closes"] = []script{{a.answer, closes}, {ok, keeps}}
		tests[a.name+", keeps"] = []script{{a.answer, keeps}, {ok, keeps}}
	}
	// Both clients would wait for more.
	delete(tests, "space before the colon, keeps")
	for name, scripts := range map[string][]script{
		"body to the end of the connection": {{"HTTP/1.1 200 OK\r\n\r\nok", closes}, {ok, keeps}},
		"body that breaks off":              {{"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok", closes}, {ok, keeps}},
		"chunks that break off":             {{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\no", closes}, {ok, keeps}},
		"header that breaks off":            {{"HTTP/1.1 200 OK\r\nContent-Le", closes}, {ok, keeps}},
		"no answer to the first":            {{"", closes}, {ok, keeps}},
		"reset of the first":                {{"", resets}, {ok, keeps}},
		"no answer to the second":           {{ok, keeps}, {"", closes}, {ok, keeps}},
		"reset of the second":               {{ok, keeps}, {"", resets}, {ok, keeps}},
		"twice no answer to the second":     {{ok, keeps}, {"", closes}, {"", closes}, {ok, keeps}},
		"a byte as answer to the second":    {{ok, keeps}, {"H", closes}, {ok, keeps}},
		"1xx as answer to the second":       {{ok, keeps}, {"HTTP/1.1 100 Continue\r\n\r\n", closes}, {ok, keeps}},
		"closes after each":                 {{ok, closes}, {ok, closes}, {ok, closes}},
	} {
		tests[name] = scripts
	}
	for name, scripts := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got [2]string
			for i, c := range []http.RoundTripper{reference(t), newClient(t)} {
				s := newServer(t, scripts...)
				var all []outcome
				for n := range 3 {
					all = append(all, send(c, newRequest(t, t.Context(), s.url(), fmt.Sprint("body ", n))))
				}
				requests, connections := s.seen()
				got[i] = cmp.Diff(nil, all) + fmt.Sprint(requests, " requests over ", connections, " connections: ", strings.Join(s.bodies, ", "))
			}
			if got[0] != got[1] {
				t.Errorf("(-net/http +this)\n%s", cmp.Diff(got[0], got[1]))
			}
		})
	}
}

// TestSentOnce: a request that may not be processed twice is not sent again.
func TestSentOnce(t *testing.T) {
	for name, again := range map[string]bool{"may be sent again": true, "may not": false} {
		t.Run(name, func(t *testing.T) {
			s, c := newServer(t, script{ok, keeps}, script{"", closes}), newClient(t)
			for n := range 2 {
				req := newRequest(t, t.Context(), s.url(), "body")
				if !again {
					delete(req.Header, "Idempotency-Key")
				}
				o := send(c, req)
				if wantFailed := n == 1 && !again; (o.Failed != "") != wantFailed {
					t.Errorf("request %d: %+v", n, o)
				}
			}
			want := 2
			if again {
				want = 3
			}
			if requests, _ := s.seen(); requests != want {
				t.Errorf("%d requests, want %d", requests, want)
			}
		})
	}
}

// TestUnsolicited: what a server says without being asked is not taken for the
// answer to the next request.
func TestUnsolicited(t *testing.T) {
	const bogus = "HTTP/1.1 500 Bogus\r\nContent-Length: 0\r\n\r\n"
	s, c := newServer(t, script{ok + bogus, keeps}), newClient(t)
	for n := range 2 {
		if o := send(c, newRequest(t, t.Context(), s.url(), "body")); o.Status != 200 {
			t.Errorf("request %d: %+v", n, o)
		}
	}
	if _, connections := s.seen(); connections != 2 {
		t.Errorf("%d connections, want 2", connections)
	}
	// The same, when it comes later.
	s = newServer(t)
	send(c, newRequest(t, t.Context(), s.url(), "body"))
	s.mu.Lock()
	for conn := range s.open {
		_, _ = io.WriteString(conn, bogus)
	}
	s.mu.Unlock()
	until(t, "it has arrived", func() bool {
		o := send(c, newRequest(t, t.Context(), s.url(), "body"))
		if o.Status != 200 {
			t.Fatalf("%+v", o)
		}
		_, connections := s.seen()
		return connections == 2
	})
}

func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("still not: %s", what)
		}
	}
}

// TestRequest: a request arrives as it would from net/http's client.
func TestRequest(t *testing.T) {
	var got [2]string
	for i, c := range []http.RoundTripper{reference(t), newClient(t)} {
		client, server := net.Pipe()
		switch c := c.(type) {
		case *http.Transport:
			c.DialContext = func(context.Context, string, string) (net.Conn, error) { return client, nil }
		case tripper:
			c.Dial = func(context.Context, string, string) (net.Conn, error) { return client, nil }
		}
		var text bytes.Buffer
		var reading sync.WaitGroup
		reading.Go(func() {
			b := make([]byte, 4096)
			for !bytes.HasSuffix(text.Bytes(), []byte("the body")) {
				n, err := server.Read(b)
				text.Write(b[:n])
				if err != nil {
					return
				}
			}
			_, _ = io.WriteString(server, ok)
		})
		if o := send(c, newRequest(t, t.Context(), "http://crm.example/hooks/%7Ea?b=c", "the body")); o.Status != 200 {
			t.Fatalf("%+v", o)
		}
		reading.Wait()
		server.Close()
		got[i] = text.String()
	}
	if diff := cmp.Diff(got[0], got[1]); diff != "" {
		t.Errorf("(-net/http +this):\n%s", diff)
	}
}

// TestContextEnds: an exchange ends with its context, wherever it is.
func TestContextEnds(t *testing.T) {
	late := errors.New("its time is up")
	tests := map[string]string{
		"before the answer": "",
		"in the headers":    "HTTP/1.1 200 OK\r\nX-A",
		"in the body":       "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nok",
		"between chunks":    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n",
	}
	for name, answer := range tests {
		t.Run(name, func(t *testing.T) {
			s, c := newServer(t, script{answer, keeps}), newClient(t)
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(20*time.Millisecond, func() { cancel(late) })
			if o := send(c, newRequest(t, ctx, s.url(), "body")); o.Failed != late.Error() {
				t.Errorf("%+v", o)
			}
			// The connection is not used again.
			if o := send(c, newRequest(t, t.Context(), s.url(), "body")); o.Status != 200 {
				t.Errorf("%+v", o)
			}
			if _, connections := s.seen(); connections != 2 {
				t.Errorf("%d connections, want 2", connections)
			}
		})
	}
}

// TestContextEndsDialling: so does the wait for a connection, and the dial.
func TestContextEndsDialling(t *testing.T) {
	late, gone := errors.New("its time is up"), make(chan struct{})
	ctx, cancel := context.WithCancelCause(t.Context())
	c := newClient(t)
	c.Dial = func(ctx context.Context, _, _ string) (net.Conn, error) {
		cancel(late)
		<-ctx.Done()
		close(gone)
		return nil, ctx.Err()
	}
	if o := send(c, newRequest(t, ctx, "http://crm.example/", "body")); o.Failed != late.Error() {
		t.Errorf("%+v", o)
	}
	<-gone
	if len(c.pool.hosts) != 0 {
		t.Errorf("%d hosts are remembered", len(c.pool.hosts))
	}
}

// TestIdleConnections: so many are kept as may be, for so long as they may, and
// not when the server has closed them.
func TestIdleConnections(t *testing.T) {
	idle := func(c tripper) int {
		c.pool.mu.Lock()
		defer c.pool.mu.Unlock()
		return c.pool.idle
	}
	burst := func(t *testing.T, c tripper, url string) {
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if o := send(c, newRequest(t, t.Context(), url, "body")); o.Status != 200 {
					t.Errorf("%+v", o)
				}
			})
		}
		all.Wait()
	}
	t.Run("bounds", func(t *testing.T) {
		c := newClient(t)
		c.MaxIdlePerHost = 2
		for range 5 {
			burst(t, c, newServer(t).url())
		}
		if n := idle(c); n == 0 || n > 10 {
			t.Errorf("%d connections are idle, want 1 to 10", n)
		}
	})
	t.Run("timeout", func(t *testing.T) {
		c := newClient(t)
		c.IdleTimeout = 60 * time.Millisecond
		burst(t, c, newServer(t).url())
		until(t, "they are closed", func() bool { return idle(c) == 0 })
		c.pool.mu.Lock()
		defer c.pool.mu.Unlock()
		if c.pool.sweeper != nil || len(c.pool.hosts) != 0 {
			t.Errorf("%d hosts are remembered, sweeper %v", len(c.pool.hosts), c.pool.sweeper)
		}
	})
	t.Run("closed", func(t *testing.T) {
		c, s := newClient(t), newServer(t)
		c.IdleTimeout = 10 * time.Minute
		burst(t, c, s.url())
		before := idle(c)
		s.mu.Lock()
		for conn := range s.open {
			conn.Close()
		}
		s.mu.Unlock()
		until(t, "that is noticed", func() bool { c.pool.sweep(c.IdleTimeout); return idle(c) == 0 })
		if before == 0 {
			t.Error("none was idle")
		}
	})
	t.Run("CloseIdleConnections", func(t *testing.T) {
		c, s := newClient(t), newServer(t)
		req := newRequest(t, t.Context(), s.url(), "body")
		resp, err := c.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		c.CloseIdleConnections() // while it is in use
		_, _ = io.Copy(io.Discard, resp.Body)
		if n := idle(c); n != 0 {
			t.Errorf("%d are idle", n)
		}
		burst(t, c, s.url())
		if idle(c) == 0 {
			t.Error("none is idle after further requests")
		}
		c.CloseIdleConnections()
		if n := idle(c); n != 0 {
			t.Errorf("%d are idle", n)
		}
	})
}

// TestFreedWhileDialling: a request that has begun to dial takes a connection
// that becomes idle first; the one that was dialled is kept for others.
func TestFreedWhileDialling(t *testing.T) {
	s, c := newServer(t), newClient(t)
	first, err := c.RoundTrip(newRequest(t, t.Context(), s.url(), "body"))
	if err != nil {
		t.Fatal(err)
	}
	dialling, goOn := make(chan struct{}), make(chan struct{})
	dial := c.Dial
	c.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		close(dialling)
		<-goOn
		return dial(ctx, network, address)
	}
	var other sync.WaitGroup
	other.Go(func() {
		var reused bool
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
			GotConn:              func(i httptrace.GotConnInfo) { reused = i.Reused },
			GotFirstResponseByte: func() {},
		})
		if o := send(c, newRequest(t, ctx, s.url(), "body")); o.Status != 200 || !reused {
			t.Errorf("reused: %v, %+v", reused, o)
		}
	})
	<-dialling
	_, _ = io.Copy(io.Discard, first.Body)
	other.Wait()
	close(goOn)
	until(t, "both are idle", func() bool {
		c.pool.mu.Lock()
		defer c.pool.mu.Unlock()
		return c.pool.idle == 2
	})
}

// TestTakes: only what is plain is taken.
func TestTakes(t *testing.T) {
	tests := map[string]struct {
		change func(*Request)
		want   bool
	}{
		"a delivery":       {func(*Request) {}, true},
		"https":            {func(r *Request) { r.URL.Scheme = "https" }, false},
		"empty":            {func(r *Request) { r.Body = nil }, false},
		"large":            {func(r *Request) { r.Body = make([]byte, maxBody+1) }, false},
		"umlaut":           {func(r *Request) { r.URL.Host = "bücher.example" }, false},
		"zone":             {func(r *Request) { r.URL.Host = "[fe80::1%25eth0]" }, false},
		"IPv6":             {func(r *Request) { r.URL.Host = "[2001:db8::1]:8080" }, true},
		"line break":       {func(r *Request) { r.Header.Set("X-A", "b\r\nX-C: d") }, false},
		"a name like that": {func(r *Request) { r.Header["X-A: b\r\nX-C"] = []string{"d"} }, false},
		"Connection":       {func(r *Request) { r.Header.Set("Connection", "close") }, false},
	}
	for name, test := range tests {
		from := newRequest(t, t.Context(), "http://crm.example/", "body")
		req := &Request{URL: from.URL, Header: from.Header, Body: []byte("body")}
		test.change(req)
		if got := newClient(t).Takes(req); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

// TestAddress: a host without a port is connected to at 80.
func TestAddress(t *testing.T) {
	for host, want := range map[string]string{
		"crm.example": "crm.example:80", "crm.example:8080": "crm.example:8080",
		"[2001:db8::1]": "[2001:db8::1]:80", "[2001:db8::1]:8080": "[2001:db8::1]:8080", "192.0.2.1": "192.0.2.1:80",
	} {
		if got := address(host); got != want {
			t.Errorf("%s: %s, want %s", host, got, want)
		}
	}
}
