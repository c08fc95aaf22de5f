package sender

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"testing"
)

// way is a way out: none, or a proxy that refuses everything. It notes which
// addresses it was asked for.
type way struct {
	name, proxy string
	asked       []string
}

func ways() []*way {
	return []*way{{name: "direct"}, {name: "HTTP proxy", proxy: "http://proxy.internal:3128"}, {name: "SOCKS proxy", proxy: "socks5://proxy.internal:1080"}}
}

// use has the guard dial this way.
func (w *way) use(t *testing.T, g *guard) {
	t.Helper()
	if w.proxy == "" {
		g.dial = func(_ context.Context, _, address string) (net.Conn, error) {
			w.asked = append(w.asked, address)
			return nil, errRefused
		}
		return
	}
	u, err := url.Parse(w.proxy)
	if err != nil {
		t.Fatal(err)
	}
	g.dial, g.proxy, err = throughProxy(w.proxy, func(_ context.Context, _, address string) (net.Conn, error) {
		if address != u.Host {
			t.Errorf("dialled %s past the proxy", address)
		}
		conn, other := net.Pipe()
		served := make(chan struct{})
		go func() {
			defer close(served)
			defer other.Close()
			if u.Scheme == "http" {
				w.serveHTTP(other)
			} else {
				w.serveSOCKS(other)
			}
		}()
		return &servedConn{conn, served}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// servedConn is a connection whose Close waits until it was served.
type servedConn struct {
	net.Conn
	served chan struct{}
}

func (c *servedConn) Close() error {
	defer func() { <-c.served }()
	return c.Conn.Close()
}

func (w *way) serveHTTP(conn net.Conn) {
	req, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return
	}
	w.asked = append(w.asked, req.Host)
	_, _ = io.WriteString(conn, "HTTP/1.1 403 Forbidden\r\n\r\n")
}

// serveSOCKS speaks as much of RFC 1928 as it takes to refuse.
func (w *way) serveSOCKS(conn net.Conn) {
	var hello [3]byte
	if _, err := io.ReadFull(conn, hello[:]); err != nil {
		return
	}
	_, _ = conn.Write([]byte{5, 0})
	var head [4]byte
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return
	}
	length := map[byte]int{1: 4, 4: 16}[head[3]]
	rest := make([]byte, length+2)
	if _, err := io.ReadFull(conn, rest); err != nil {
		return
	}
	address := "a name" // of the kind 3
	if addr, ok := netip.AddrFromSlice(rest[:length]); ok {
		address = netip.AddrPortFrom(addr, uint16(rest[length])<<8|uint16(rest[length+1])).String()
	}
	w.asked = append(w.asked, address)
	_, _ = conn.Write([]byte{5, 2, 0, 1, 0, 0, 0, 0, 0, 0})
}
