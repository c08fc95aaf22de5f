package sender

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/manysends/caddy-webhooks/egress"
)

// FuzzCheckURL: no URL makes it panic, and none that is accepted has a
// forbidden address for its host, in whatever way that is written.
func FuzzCheckURL(f *testing.F) {
	for _, group := range egressTable {
		for _, rawURL := range group.urls {
			f.Add(rawURL)
		}
	}
	g, err := newGuard(Egress{AllowHTTP: true})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, rawURL string) {
		u, err := g.checkURL(rawURL)
		if err != nil {
			if strings.TrimSpace(err.Error()) == "" {
				t.Errorf("%q is refused without a reason", rawURL)
			}
			return
		}
		if u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" {
			t.Errorf("%q is accepted as %+v", rawURL, u)
		}
		// The transport is the judge of what the host is.
		var asked string
		transport := http.Transport{DialContext: func(_ context.Context, _, address string) (net.Conn, error) {
			asked = address
			return nil, errRefused
		}}
		req := &http.Request{Method: http.MethodGet, URL: &url.URL{Scheme: "http", Host: u.Host, Path: "/"}}
		resp, err := transport.RoundTrip(req.WithContext(t.Context()))
		if err == nil {
			resp.Body.Close()
			t.Fatalf("%q: connected to nothing", rawURL)
		}
		host, _, err := net.SplitHostPort(asked)
		if err != nil {
			return // nothing was dialled
		}
		for _, h := range []string{u.Hostname(), host} {
			addr, err := netip.ParseAddr(h)
			if err != nil {
				continue
			}
			if rule := egress.Rule(bare(addr)); rule != "" {
				t.Errorf("%q is accepted, and dialled at %s, which is %s", rawURL, addr, rule)
			}
		}
	})
}
