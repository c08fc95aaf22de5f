package sender

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/manysends/caddy-webhooks/webhook"
)

// stepClock is a clock that moves when it is told to. It wakes nobody, but for
// timeouts that have been passed when they are asked for.
type stepClock struct {
	mu     sync.Mutex
	now    time.Time
	alarms []func()
}

func newStepClock() *stepClock {
	return &stepClock{now: time.Date(2024, 3, 5, 10, 30, 0, 0, time.UTC)}
}

func (c *stepClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *stepClock) step(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func (c *stepClock) AfterFunc(_ time.Duration, f func()) func() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.alarms = append(c.alarms, f)
	return func() {}
}

// timeout has all that waits for a time called.
func (c *stepClock) timeout() {
	c.mu.Lock()
	alarms := c.alarms
	c.mu.Unlock()
	for _, f := range alarms {
		f()
	}
}

// ms is so many milliseconds.
func ms(n int) webhook.Duration { return webhook.Duration(time.Duration(n) * time.Millisecond) }

// slowNetwork has looking up take 10 ms, and connecting 20 ms. All names are at
// 127.0.0.1.
func slowNetwork(g *guard, clock *stepClock) {
	g.lookup = func(context.Context, string) ([]netip.Addr, error) {
		clock.step(10 * time.Millisecond)
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
	}
	dial := g.dial
	g.dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		clock.step(20 * time.Millisecond)
		return dial(ctx, network, address)
	}
}

// unstarted is a server that answers in 40 ms after a handshake of 80 ms, and
// takes 160 ms more for the body.
func unstarted(clock *stepClock) *httptest.Server {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		clock.step(40 * time.Millisecond)
		w.Header().Set("Date", "Tue, 05 Mar 2024 10:30:00 GMT")
		w.Header().Set("Set-Cookie", "session=hunter2")
		w.Header().Add("Set-Cookie", "other=hunter2")
		w.Header().Set("X-Peer", "one")
		_ = http.NewResponseController(w).Flush()
		_, _ = io.WriteString(w, "o")
		_ = http.NewResponseController(w).Flush()
	}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		clock.step(80 * time.Millisecond)
		return nil, nil
	}}
	return server
}

func sampleDelivery() *Delivery {
	return &Delivery{EndpointID: "a", Event: &webhook.Event{ID: "evt_1", Type: "message.created", Timestamp: time.Date(2024, 3, 5, 10, 29, 0, 0, time.UTC), Data: []byte("1")}}
}

// TestTimings: the first attempt pays for looking up, connecting and TLS, and
// says so; the next one over the same connection has nothing but its answer.
func TestTimings(t *testing.T) {
	for _, test := range []struct {
		name        string
		secure, two bool
		host        string
		first       Timings
	}{
		{"http by name", false, false, "crm.example", Timings{DNS: ms(10), Connect: ms(20), FirstByte: ms(70)}},
		{"http by address", false, false, "127.0.0.1", Timings{Connect: ms(20), FirstByte: ms(60)}},
		{"https", true, false, "crm.example", Timings{DNS: ms(10), Connect: ms(20), TLS: ms(80), FirstByte: ms(150)}},
		{"HTTP/2", true, true, "crm.example", Timings{DNS: ms(10), Connect: ms(20), TLS: ms(80), FirstByte: ms(150)}},
	} {
		t.Run(test.name, func(t *testing.T) {
			clock := newStepClock()
			server := unstarted(clock)
			server.EnableHTTP2 = test.two
			s := bareSender(t, clock, Egress{Allow: []string{"127.0.0.1"}, AllowHTTP: true})
			slowNetwork(s.current.Load().guard, clock)
			scheme := "http"
			if test.secure {
				scheme = "https"
				pool := ServeTLS(t, server, CertificateOptions{Hosts: []string{"crm.example"}})
				s.current.Load().transport.TLSClientConfig = &tls.Config{RootCAs: pool}
			} else {
				server.Start()
				t.Cleanup(server.Close)
			}
			t.Cleanup(s.current.Load().transport.CloseIdleConnections)
			address := server.Listener.Addr().String()
			_, port, _ := net.SplitHostPort(address)
			target := s.compileTarget(t, Endpoint{ID: "a", URL: scheme + "://" + net.JoinHostPort(test.host, port)})
			for n, want := range []Timings{test.first, {FirstByte: ms(40)}} {
				d := sampleDelivery()
				d.Attempts = n
				a := s.attempt(target, d).attempt
				if a.Verdict != VerdictSucceeded || a.Number != n+1 {
					t.Fatalf("attempt %d: %s, %s", a.Number, a.Verdict, a.Error)
				}
				if diff := cmp.Diff(want, a.Timings); diff != "" {
					t.Errorf("attempt %d (-want +got):\n%s", a.Number, diff)
				}
				if a.Duration != want.FirstByte {
					t.Errorf("attempt %d took %s, want %s", a.Number, a.Duration, want.FirstByte)
				}
				if a.RemoteAddr != address {
					t.Errorf("attempt %d went to %q, want %q", a.Number, a.RemoteAddr, address)
				}
			}
		})
	}
}

// TestTimingsOfFailures: an attempt that comes to nothing says how far it came,
// and what was under way at its end has taken until then.
func TestTimingsOfFailures(t *testing.T) {
	const port = ":443"
	blocked := netip.MustParseAddr("10.0.0.1")
	tests := []struct {
		name    string
		lookup  func(context.Context, *stepClock) ([]netip.Addr, error)
		dial    func(context.Context, *stepClock) (net.Conn, error)
		late    bool
		want    Timings
		verdict Verdict
		remote  string
		errs    string
	}{
		{name: "no such host", want: Timings{DNS: ms(10)}, verdict: VerdictRetry, errs: "no such host",
			lookup: func(_ context.Context, c *stepClock) ([]netip.Addr, error) {
				c.step(10 * time.Millisecond)
				return nil, &net.DNSError{Err: "no such host", Name: "crm.example", IsNotFound: true}
			}},
		{name: "blocked", want: Timings{DNS: ms(10)}, verdict: VerdictBlocked, errs: "which is private",
			lookup: func(_ context.Context, c *stepClock) ([]netip.Addr, error) {
				c.step(10 * time.Millisecond)
				return []netip.Addr{blocked}, nil
			}},
		{name: "refused", want: Timings{DNS: ms(10), Connect: ms(20)}, verdict: VerdictRetry, errs: "connection refused",
			dial: func(_ context.Context, c *stepClock) (net.Conn, error) {
				c.step(20 * time.Millisecond)
				return nil, errRefused
			}},
		{name: "looking up without end", late: true, want: Timings{DNS: ms(30)}, verdict: VerdictRetry, errs: "no complete answer in time",
			lookup: func(ctx context.Context, c *stepClock) ([]netip.Addr, error) {
				c.step(30 * time.Millisecond)
				c.timeout()
				<-ctx.Done()
				return nil, ctx.Err()
			}},
		{name: "connecting without end", late: true, want: Timings{DNS: ms(10), Connect: ms(30)}, verdict: VerdictRetry, errs: "no complete answer in time",
			dial: func(ctx context.Context, c *stepClock) (net.Conn, error) {
				c.step(30 * time.Millisecond)
				c.timeout()
				<-ctx.Done()
				return nil, ctx.Err()
			}},
		{name: "no TLS on the port", want: Timings{DNS: ms(10), Connect: ms(20)}, verdict: VerdictRetry, remote: "pipe", errs: "first record does not look like a TLS handshake",
			dial: func(_ context.Context, c *stepClock) (net.Conn, error) {
				c.step(20 * time.Millisecond)
				conn, other := net.Pipe()
				go func() {
					defer other.Close()
					_, _ = other.Read(make([]byte, 16<<10))
					_, _ = io.WriteString(other, "HTTP/1.1 400 Bad Request\r\n\r\n")
				}()
				return conn, nil
			}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			clock := newStepClock()
			s := bareSender(t, clock, Egress{})
			g := s.current.Load().guard
			g.lookup = func(ctx context.Context, _ string) ([]netip.Addr, error) {
				if test.lookup != nil {
					return test.lookup(ctx, clock)
				}
				clock.step(10 * time.Millisecond)
				return []netip.Addr{netip.MustParseAddr("93.184.215.14")}, nil
			}
			g.dial = func(ctx context.Context, _, address string) (net.Conn, error) {
				if address != "93.184.215.14"+port {
					t.Errorf("dialled %s", address)
				}
				return test.dial(ctx, clock)
			}
			a := s.attempt(s.compileTarget(t, Endpoint{ID: "a", URL: "https://crm.example/"}), sampleDelivery()).attempt
			if a.Verdict != test.verdict || !strings.Contains(a.Error, test.errs) {
				t.Errorf("%s, %s; want %s, %s", a.Verdict, a.Error, test.verdict, test.errs)
			}
			if diff := cmp.Diff(test.want, a.Timings); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if a.RemoteAddr != test.remote || a.RequestHeaders != nil || a.ResponseHeaders != nil {
				t.Errorf("remote %q, request %v, response %v", a.RemoteAddr, a.RequestHeaders, a.ResponseHeaders)
			}
		})
	}
}

// TestTimingsOfAnothersConnection: an attempt that begins to dial, and then gets
// a connection that has become free, has nothing of the dial in its timings.
func TestTimingsOfAnothersConnection(t *testing.T) {
	clock := newStepClock()
	entered, dialling, goOn := make(chan struct{}), make(chan struct{}), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.Header.Get("webhook-id") == "evt_1" {
			close(entered)
			<-dialling // now the other one has found no free connection
		}
	}))
	t.Cleanup(server.Close)
	s := bareSender(t, clock, Egress{Allow: []string{"127.0.0.1"}, AllowHTTP: true})
	t.Cleanup(s.current.Load().transport.CloseIdleConnections)
	g := s.current.Load().guard
	dials, dial := 0, g.dial
	dialEnded := make(chan struct{})
	g.dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		if dials++; dials == 1 {
			return dial(ctx, network, address)
		}
		clock.step(20 * time.Millisecond)
		close(dialling)
		<-goOn
		defer close(dialEnded)
		return nil, errRefused
	}
	target := s.compileTarget(t, Endpoint{ID: "a", URL: server.URL})
	var other sync.WaitGroup
	other.Go(func() { s.attempt(target, sampleDelivery()) })
	<-entered
	second := sampleDelivery()
	second.Event.ID = "evt_2"
	a := s.attempt(target, second).attempt
	if want := (Timings{FirstByte: ms(20)}); a.Verdict != VerdictSucceeded || a.Timings != want {
		t.Errorf("%s (%s) with %+v, want %+v", a.Verdict, a.Error, a.Timings, want)
	}
	other.Wait()
	close(goOn)
	<-dialEnded
}

// TestLateCallbacks: what the transport tells of an exchange that has ended
// changes nothing.
func TestLateCallbacks(t *testing.T) {
	clock := newStepClock()
	begin := clock.Now()
	x := watch(t.Context(), clock, begin)
	defer x.over()
	hooks := httptrace.ContextClientTrace(x.traced())
	d := dialFor(context.WithoutCancel(x))
	d.begin(lookingUp)
	clock.step(time.Second)
	timings, remote, sent := x.seen(clock.Now())
	if want := (Timings{DNS: ms(1000)}); timings != want || remote != "" || sent {
		t.Errorf("ended with %+v, %q, %t; want %+v", timings, remote, sent, want)
	}
	before := x.dialled()
	conn, other := net.Pipe()
	defer conn.Close()
	defer other.Close()
	clock.step(time.Second)
	d.lookedUp([]netip.Addr{netip.MustParseAddr("127.0.0.1")})
	d.begin(connecting)
	d.connected(conn, nil)
	hooks.TLSHandshakeStart()
	hooks.TLSHandshakeDone(tls.ConnectionState{}, nil)
	hooks.GotConn(httptrace.GotConnInfo{Conn: conn})
	hooks.GotFirstResponseByte()
	after := x.dialled()
	if before.parts != after.parts || after.conn != nil || after.addrs != nil || after.tls != nil {
		t.Errorf("changed from %+v to %+v", before, after)
	}
	if again, remote, sent := x.seen(clock.Now()); again.FirstByte != 0 || remote != "" || sent {
		t.Errorf("ended again with %+v, %q, %t", again, remote, sent)
	}
}

// TestUnwatchedDial: the guard dials for anyone.
func TestUnwatchedDial(t *testing.T) {
	g, err := newGuard(Egress{})
	if err != nil {
		t.Fatal(err)
	}
	n := network{answers: [][]string{{"93.184.215.14"}}}
	n.use(g)
	conn, err := g.dialContext(t.Context(), "tcp", "crm.example:443")
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
}

// TestWatchCosts bounds what watching adds to an attempt over a kept
// connection.
func TestWatchCosts(t *testing.T) {
	clock := newStepClock()
	conn, other := net.Pipe()
	defer conn.Close()
	defer other.Close()
	named := newNamedConn(conn)
	parent := t.Context()
	allocations := testing.AllocsPerRun(100, func() {
		x := watch(parent, clock, clock.Now())
		defer x.over()
		x.GotConn(named, true)
		x.GotFirstByte()
		if _, remote, sent := x.seen(clock.Now()); remote != "pipe" || !sent {
			t.Errorf("ended with %q, %t", remote, sent)
		}
	})
	if allocations > 4 {
		t.Errorf("%v allocations, want 4 at most", allocations)
	}
}
