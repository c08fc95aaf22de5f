package sender

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
)

func TestEgressAllow(t *testing.T) {
	tests := []struct {
		allow, host, addr string
		want              bool
	}{
		{"10.1.2.3", "crm.example", "10.1.2.3", true},
		{"10.1.2.3", "crm.example", "10.1.2.4", false},
		{"10.1.2.3", "crm.example", "::ffff:10.1.2.3", true},
		{"::ffff:10.1.2.3", "crm.example", "10.1.2.3", true},
		{"10.1.0.0/16", "crm.example", "10.1.255.255", true},
		{"10.1.0.0/16", "crm.example", "10.2.0.0", false},
		{"10.1.0.0/16", "crm.example", "64:ff9b::10.1.0.1", false},
		{"::ffff:10.1.0.0/112", "crm.example", "10.1.2.3", true},
		{"::ffff:10.1.0.0/112", "crm.example", "10.2.2.3", false},
		{"0.0.0.0/0", "crm.example", "127.0.0.1", true},
		{"0.0.0.0/0", "crm.example", "::1", false},
		{"::/0", "crm.example", "::1", true},
		{"::/0", "crm.example", "127.0.0.1", false},
		{"fd00::/8", "crm.example", "fd12::1", true},
		{"fd00::/8", "crm.example", "fc00::1", false},
		{"fe80::1", "crm.example", "fe80::1%eth0", true},
		{"fe80::1%eth0", "crm.example", "fe80::1", true},
		{"crm.internal", "crm.internal", "10.9.9.9", true},
		{"crm.internal", "CRM.Internal", "::1", true},
		{"crm.internal", "crm.internal.", "127.0.0.1", true},
		{"CRM.Internal.", "crm.internal", "127.0.0.1", true},
		{"crm.internal", "evil.crm.internal", "127.0.0.1", false},
		{"crm.internal", "internal", "127.0.0.1", false},
		{"localhost", "localhost", "127.0.0.1", true},
		{"localhost", "crm.internal", "127.0.0.1", false},
	}
	for _, test := range tests {
		g, err := newGuard(Egress{Allow: []string{test.allow}})
		if err != nil {
			t.Errorf("allow %s: %v", test.allow, err)
			continue
		}
		if err := g.check(test.host, netip.MustParseAddr(test.addr)); (err == nil) != test.want {
			t.Errorf("allow %s: %s at %s: %v, want allowed: %t", test.allow, test.host, test.addr, err, test.want)
		}
	}
}

// network is a network in memory that notes what is asked of it.
type network struct {
	answers [][]string // of each lookup in turn; the last one stays
	lookups int
	dialled []string
	down    map[string]bool // addresses that refuse
}

var errRefused = errors.New("connection refused")

func (n *network) use(g *guard) {
	g.lookup = func(_ context.Context, _ string) ([]netip.Addr, error) {
		answer := n.answers[min(n.lookups, len(n.answers)-1)]
		n.lookups++
		var addrs []netip.Addr
		for _, s := range answer {
			addrs = append(addrs, netip.MustParseAddr(s))
		}
		return addrs, nil
	}
	g.dial = func(_ context.Context, _, address string) (net.Conn, error) {
		n.dialled = append(n.dialled, address)
		if n.down[address] {
			return nil, errRefused
		}
		conn, other := net.Pipe()
		return conn, other.Close()
	}
}

func TestEgressDial(t *testing.T) {
	tests := []struct {
		name    string
		allow   []string
		address string
		network network
		want    string   // in the error; empty: connected
		blocked bool     // by the rules
		dialled []string // in turn
	}{
		{name: "a public name is pinned to its address", address: "crm.example:443",
			network: network{answers: [][]string{{"93.184.215.14"}}}, dialled: []string{"93.184.215.14:443"}},
		{name: "IPv6", address: "crm.example:443",
			network: network{answers: [][]string{{"2606:4700::1111"}}}, dialled: []string{"[2606:4700::1111]:443"}},
		{name: "a mapped address is dialled as IPv4", address: "crm.example:443",
			network: network{answers: [][]string{{"::ffff:93.184.215.14"}}}, dialled: []string{"93.184.215.14:443"}},
		{name: "an address needs no lookup", address: "93.184.215.14:443", dialled: []string{"93.184.215.14:443"}},
		{name: "a private answer", address: "crm.example:443", blocked: true,
			network: network{answers: [][]string{{"10.0.0.1"}}}, want: "crm.example is at 10.0.0.1, which is private"},
		{name: "a good and a bad answer", address: "crm.example:443", blocked: true,
			network: network{answers: [][]string{{"93.184.215.14", "10.0.0.1"}}}, want: "10.0.0.1, which is private"},
		{name: "a bad and a good answer", address: "crm.example:443", blocked: true,
			network: network{answers: [][]string{{"::1", "93.184.215.14"}}}, want: "::1, which is loopback"},
		{name: "a forbidden address itself", address: "127.0.0.1:80", blocked: true, want: "127.0.0.1 is loopback"},
		{name: "a forbidden address with a zone", address: "[fe80::1%eth0]:80", blocked: true, want: "link-local"},
		{name: "an allowed name", address: "crm.internal:80", allow: []string{"crm.internal"},
			network: network{answers: [][]string{{"10.0.0.1"}}}, dialled: []string{"10.0.0.1:80"}},
		{name: "an allowed range, and another answer outside of it", address: "crm.internal:80", allow: []string{"10.0.0.0/24"}, blocked: true,
			network: network{answers: [][]string{{"10.0.0.1", "10.0.1.1"}}}, want: "10.0.1.1, which is private"},
		{name: "the next address when the first does not answer", address: "crm.example:443",
			network: network{answers: [][]string{{"93.184.215.14", "93.184.215.15"}}, down: map[string]bool{"93.184.215.14:443": true}},
			dialled: []string{"93.184.215.14:443", "93.184.215.15:443"}},
		{name: "none answers", address: "crm.example:443", want: "connection refused",
			network: network{answers: [][]string{{"93.184.215.14"}}, down: map[string]bool{"93.184.215.14:443": true}},
			dialled: []string{"93.184.215.14:443"}},
		{name: "no answer", address: "crm.example:443", network: network{answers: [][]string{{}}}, want: "crm.example has no address"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			g, err := newGuard(Egress{Allow: test.allow})
			if err != nil {
				t.Fatal(err)
			}
			test.network.use(g)
			conn, err := g.dialContext(t.Context(), "tcp", test.address)
			if err == nil {
				_ = conn.Close()
			}
			switch {
			case test.want == "" && err != nil:
				t.Errorf("dial: %v", err)
			case test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)):
				t.Errorf("dial: %v, want %q", err, test.want)
			case errors.Is(err, ErrBlocked) != test.blocked:
				t.Errorf("dial: %v, want blocked by the rules: %t", err, test.blocked)
			}
			if got, want := strings.Join(test.network.dialled, " "), strings.Join(test.dialled, " "); got != want {
				t.Errorf("dialled %q, want %q", got, want)
			}
		})
	}
}

// TestEgressLookupFails: a name that does not resolve is no matter of the
// rules: it is retried.
func TestEgressLookupFails(t *testing.T) {
	g, err := newGuard(Egress{})
	if err != nil {
		t.Fatal(err)
	}
	noSuchHost := &net.DNSError{Err: "no such host", Name: "gone.example", IsNotFound: true}
	g.lookup = func(context.Context, string) ([]netip.Addr, error) { return nil, noSuchHost }
	g.dial = func(context.Context, string, string) (net.Conn, error) { panic("dialled without an address") }
	if _, err := g.dialContext(t.Context(), "tcp", "gone.example:443"); !errors.Is(err, noSuchHost) || errors.Is(err, ErrBlocked) {
		t.Errorf("dial: %v, want %v", err, noSuchHost)
	}
	if _, err := g.dialContext(t.Context(), "tcp", "no port"); err == nil || errors.Is(err, ErrBlocked) {
		t.Errorf("dial of an address without a port: %v", err)
	}
}
