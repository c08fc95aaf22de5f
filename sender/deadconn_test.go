package sender_test

import (
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/sender"
)

// vanishing passes connections on to a site, and can lose those that there are:
// nothing goes through any more, and nobody is told, as when a firewall on the way
// has forgotten them.
type vanishing struct {
	net.Listener
	site string

	mu   sync.Mutex
	lost chan struct{} // closed when those that there are are lost
	ends []net.Conn    // of all connections
}

func newVanishing(t *testing.T, site string) *vanishing {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	v := &vanishing{Listener: listener, site: site, lost: make(chan struct{})}
	var passing sync.WaitGroup
	passing.Go(func() {
		for {
			from, err := v.Accept()
			if err != nil {
				return
			}
			to, err := net.Dial("tcp", site)
			if err != nil {
				from.Close()
				continue
			}
			v.mu.Lock()
			lost := v.lost
			v.ends = append(v.ends, from, to)
			v.mu.Unlock()
			passing.Go(func() { pass(from, to, lost) })
			passing.Go(func() { pass(to, from, lost) })
		}
	})
	t.Cleanup(func() {
		v.Close()
		v.mu.Lock()
		for _, end := range v.ends {
			end.Close()
		}
		v.mu.Unlock()
		passing.Wait()
	})
	return v
}

// pass copies what comes, until it is lost.
func pass(from, to net.Conn, lost chan struct{}) {
	defer from.Close()
	b := make([]byte, 4096)
	for {
		n, err := from.Read(b)
		if err != nil {
			select {
			case <-lost: // nobody is told
			default:
				to.Close()
			}
			return
		}
		select {
		case <-lost:
		default:
			_, _ = to.Write(b[:n])
		}
	}
}

// lose loses the connections that there are.
func (v *vanishing) lose() {
	v.mu.Lock()
	defer v.mu.Unlock()
	close(v.lost)
	v.lost = make(chan struct{})
}

// TestConnectionThatWasLost: when a connection of HTTP/2 is lost without a word,
// deliveries go over a new one soon. One attempt after the other, of all endpoints
// of the host, would run into its timeout until the system gives the connection
// up, which takes a quarter of an hour.
func TestConnectionThatWasLost(t *testing.T) {
	p := newPeer(t, nil)
	p.Server.Close()
	p.Server = httptest.NewUnstartedServer(p)
	p.EnableHTTP2 = true
	pool := sender.ServeTLS(t, p.Server, sender.CertificateOptions{})
	v := newVanishing(t, p.Listener.Addr().String())
	c := toPeers(p)
	c.Endpoints[0].URL = "https://" + v.Addr().String() + "/"
	r := newRig(t, c)
	r.TrustRoots(pool)
	r.PingSoon()
	r.publish("before")
	r.delivered("a", "before")
	v.lose()
	r.publish("after")
	d := r.settled("after", "a", 1) // no time passes, so its own does not run out
	if a := d.History[0]; a.Verdict != sender.VerdictRetry || !strings.Contains(a.Error, "connection lost") {
		t.Errorf("the attempt over it: %+v", a)
	}
	until(t, "it is retried", func() bool { r.clock.advance(time.Second); return p.count() == 2 })
	r.delivered("a", "after")
}
