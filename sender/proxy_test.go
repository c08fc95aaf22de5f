package sender_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/manysends/caddy-webhooks/sender"
)

// forwardProxy is an HTTP proxy on loopback that knows CONNECT, and notes what
// it was asked for.
type forwardProxy struct {
	address string
	answer  string // instead of the tunnel, if not empty

	mu     sync.Mutex
	asked  []string // for which addresses
	logins []string
}

func newForwardProxy(t *testing.T, answer string) *forwardProxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &forwardProxy{address: l.Addr().String(), answer: answer}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { p.serve(conn) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		serving.Wait()
	})
	return p
}

func (p *forwardProxy) serve(conn net.Conn) {
	defer conn.Close()
	reader := bufio.NewReader(conn)
	req, err := http.ReadRequest(reader)
	if err != nil {
		return
	}
	p.mu.Lock()
	p.asked = append(p.asked, req.Method+" "+req.Host)
	p.logins = append(p.logins, req.Header.Get("Proxy-Authorization"))
	p.mu.Unlock()
	if p.answer != "" {
		_, _ = io.WriteString(conn, p.answer)
		return
	}
	target, err := net.Dial("tcp", req.Host)
	if err != nil {
		_, _ = io.WriteString(conn, "HTTP/1.1 502 Bad Gateway\r\n\r\n")
		return
	}
	defer target.Close()
	_, _ = io.WriteString(conn, "HTTP/1.1 200 Connection established\r\n\r\n")
	go func() {
		_, _ = io.Copy(target, reader)
		target.Close()
	}()
	_, _ = io.Copy(conn, target)
}

// TestDeliveryThroughProxy: the proxy is asked for the address that was looked
// up and checked here, with its login, over http and https alike.
func TestDeliveryThroughProxy(t *testing.T) {
	peer := newPeer(t, nil)
	proxy := newForwardProxy(t, "")
	config := toPeers(peer)
	_, port, _ := strings.Cut(strings.TrimPrefix(peer.URL, "http://"), ":")
	config.Endpoints[0].URL = "http://localhost:" + port + "/hooks"
	config.Egress.Proxy = "http://caddy:pass%20word@" + proxy.address
	r := newRig(t, config)
	r.publish("e")
	r.delivered("a", "e")

	proxy.mu.Lock()
	defer proxy.mu.Unlock()
	if len(proxy.asked) == 0 || proxy.asked[len(proxy.asked)-1] != "CONNECT 127.0.0.1:"+port {
		t.Errorf("the proxy was asked for %q, want the address", proxy.asked)
	}
	if proxy.logins[0] != "Basic Y2FkZHk6cGFzcyB3b3Jk" {
		t.Errorf("the login is %q", proxy.logins[0])
	}
	if host := peer.all()[0].host; host != "localhost:"+port {
		t.Errorf("the endpoint was addressed as %q", host)
	}
}

// TestGuardHoldsWithProxy: what the rules forbid never reaches the proxy,
// although the proxy could.
func TestGuardHoldsWithProxy(t *testing.T) {
	peer := newPeer(t, nil)
	proxy := newForwardProxy(t, "")
	config := toPeers(peer)
	_, port, _ := strings.Cut(strings.TrimPrefix(peer.URL, "http://"), ":")
	config.Endpoints[0].URL = "http://localhost:" + port + "/hooks"
	config.Egress = sender.Egress{AllowHTTP: true, Proxy: "http://" + proxy.address}
	r := newRig(t, config)
	r.publish("e")
	d := r.settled("e", "a", 1)
	if d.Status != sender.Blocked {
		t.Errorf("the delivery is %s, want blocked", d.Status)
	}
	proxy.mu.Lock()
	defer proxy.mu.Unlock()
	if len(proxy.asked) > 0 || peer.count() > 0 {
		t.Errorf("the proxy was asked for %q, and the endpoint got %d requests", proxy.asked, peer.count())
	}
}

// TestProxyThatRefuses: the attempt fails with the proxy's answer, and is tried
// again.
func TestProxyThatRefuses(t *testing.T) {
	tests := []struct{ name, answer, want string }{
		{"forbids", "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "with 403"},
		{"speaks another protocol", "SSH-2.0-OpenSSH_9\r\n", "it did not answer the CONNECT"},
		{"goes on talking", "HTTP/1.1 200 OK\r\n\r\nHello", "it sent something of its own after its answer"},
		{"has an endless header", "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 1<<20), "it did not answer the CONNECT"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			peer := newPeer(t, nil)
			proxy := newForwardProxy(t, test.answer)
			config := toPeers(peer)
			config.Egress.Proxy = "http://caddy:hidden@" + proxy.address
			r := newRig(t, config)
			r.publish("e")
			d := r.settled("e", "a", 1)
			got := d.History[0].Error
			if d.Status != sender.Pending || !strings.Contains(got, "the proxy "+proxy.address) || !strings.Contains(got, test.want) {
				t.Errorf("the delivery is %s with the error %q, want %q", d.Status, got, test.want)
			}
			if strings.Contains(got, "hidden") {
				t.Errorf("the error shows the password: %q", got)
			}
		})
	}
}

// TestProxyThatHangs: the attempt's deadline holds for the proxy, too.
func TestProxyThatHangs(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	config := toPeers(newPeer(t, nil))
	config.Egress.Proxy = "http://" + l.Addr().String()
	r := newRig(t, config)
	r.publish("e")
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	r.clock.advance(sender.DefaultTimeout)
	if d := r.settled("e", "a", 1); d.Status != sender.Pending || !strings.Contains(d.History[0].Error, "no complete answer in time") {
		t.Errorf("the delivery is %s with the error %q", d.Status, d.History[0].Error)
	}
}

// TestSOCKSProxy: the proxy is asked for the address, not for the name.
func TestSOCKSProxy(t *testing.T) {
	peer := newPeer(t, nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	asked := make(chan []byte, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		hello := make([]byte, 3) // version 5, one method: no authentication
		_, _ = io.ReadFull(conn, hello)
		_, _ = conn.Write([]byte{5, 0})
		request := make([]byte, 10) // version, connect, 0, IPv4, address, port
		_, _ = io.ReadFull(conn, request)
		asked <- request[3:8]
		target, err := net.Dial("tcp", strings.TrimPrefix(peer.URL, "http://"))
		if err != nil {
			return
		}
		defer target.Close()
		_, _ = conn.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
		go func() {
			_, _ = io.Copy(target, conn)
			target.Close()
		}()
		_, _ = io.Copy(conn, target)
	}()
	config := toPeers(peer)
	config.Egress.Proxy = "socks5://" + l.Addr().String()
	r := newRig(t, config)
	r.publish("e")
	r.delivered("a", "e")
	if diff := cmp.Diff([]byte{1, 127, 0, 0, 1}, <-asked); diff != "" {
		t.Errorf("wanted (-) and asked (+) differ:\n%s", diff)
	}
}

func TestProxyValidate(t *testing.T) {
	const form = "it is not the URL of a proxy: write one such as http://proxy.internal:3128 or socks5://proxy.internal:1080"
	tests := []struct{ proxy, want string }{
		{"proxy.internal:3128", form},
		{"http://", form},
		{"http://proxy.internal:3128/path", form},
		{"http://us er:hidden@proxy.internal:3128", form},
		{"http://proxy.internal", "proxy.internal has no port: write one such as http://proxy.internal:3128"},
		{"https://proxy.internal:3128", `the scheme "https" is not one of a proxy that is understood: use http or socks5`},
	}
	for _, test := range tests {
		c := sender.Config{Egress: sender.Egress{Proxy: test.proxy}}
		if err := c.Validate(); err == nil || err.Error() != "invalid configuration: egress proxy: "+test.want {
			t.Errorf("%s gives the error\n%v\nwant\n%s", test.proxy, err, test.want)
		}
	}
	good := sender.Config{Egress: sender.Egress{Proxy: (&url.URL{Scheme: "socks5", Host: "[::1]:1080", User: url.UserPassword("a", "b")}).String()}}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
}
