package egress_test

import (
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"github.com/manysends/caddy-webhooks/egress"
)

// TestClientStaysOutside: the client does not connect to the machine that it
// runs on, by address or by name; the same server is reached by any other.
func TestClientStaysOutside(t *testing.T) {
	reached := 0
	site := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached++ }))
	defer site.Close()
	resp, err := site.Client().Get(site.URL)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	_, port, err := net.SplitHostPort(strings.TrimPrefix(site.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	client := egress.NewClient()
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "[::1]", "0.0.0.0"} {
		resp, err := client.Get("http://" + host + ":" + port + "/")
		if err == nil {
			resp.Body.Close()
		}
		if !errors.Is(err, egress.ErrBlocked) {
			t.Errorf("%s: %v, want ErrBlocked", host, err)
		}
	}
	if reached != 1 {
		t.Errorf("the site was reached %d times, want once", reached)
	}
}

func TestRule(t *testing.T) {
	tests := map[string]string{
		"8.8.8.8": "", "2606:4700::1111": "",
		"127.0.0.1": "loopback", "10.1.2.3": "private", "169.254.169.254": "link-local and metadata",
		"::1": "loopback", "fd00::1": "unique local (private)",
		"64:ff9b::10.0.0.1": "a form of 10.0.0.1, private",
	}
	for addr, want := range tests {
		if got := egress.Rule(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s: %q, want %q", addr, got, want)
		}
	}
}
