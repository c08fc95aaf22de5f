package sender

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
)

// TestEgressForbidden has an address at either end of every forbidden range
// and one just outside of it, where that is public.
func TestEgressForbidden(t *testing.T) {
	tests := []struct {
		rule   string
		within []string
		beside []string
	}{
		{"this network", []string{"0.0.0.0", "0.255.255.255"}, []string{"1.0.0.0"}},
		{"private", []string{"10.0.0.0", "10.255.255.255"}, []string{"9.255.255.255", "11.0.0.0"}},
		{"shared address space (CGNAT)", []string{"100.64.0.0", "100.127.255.255"}, []string{"100.63.255.255", "100.128.0.0"}},
		{"loopback", []string{"127.0.0.0", "127.0.0.1", "127.255.255.255"}, []string{"126.255.255.255", "128.0.0.0"}},
		{"link-local and metadata", []string{"169.254.0.0", "169.254.169.254", "169.254.255.255"}, []string{"169.253.255.255", "169.255.0.0"}},
		{"private", []string{"172.16.0.0", "172.31.255.255"}, []string{"172.15.255.255", "172.32.0.0"}},
		{"reserved for protocols", []string{"192.0.0.0", "192.0.0.255"}, []string{"191.255.255.255", "192.0.1.0"}},
		{"documentation", []string{"192.0.2.0", "192.0.2.255"}, []string{"192.0.1.255", "192.0.3.0"}},
		{"6to4 relay", []string{"192.88.99.0", "192.88.99.255"}, []string{"192.88.98.255", "192.88.100.0"}},
		{"private", []string{"192.168.0.0", "192.168.255.255"}, []string{"192.167.255.255", "192.169.0.0"}},
		{"benchmarking", []string{"198.18.0.0", "198.19.255.255"}, []string{"198.17.255.255", "198.20.0.0"}},
		{"documentation", []string{"198.51.100.0", "198.51.100.255"}, []string{"198.51.99.255", "198.51.101.0"}},
		{"documentation", []string{"203.0.113.0", "203.0.113.255"}, []string{"203.0.112.255", "203.0.114.0"}},
		{"multicast", []string{"224.0.0.0", "239.255.255.255"}, []string{"223.255.255.255"}},
		{"reserved and broadcast", []string{"240.0.0.0", "255.255.255.255"}, nil},
		{"unspecified", []string{"::"}, nil},
		{"loopback", []string{"::1"}, nil},
		{"IPv4-compatible", []string{"::2", "::127.0.0.1", "::8.8.8.8", "::255.255.255.255"}, nil},
		{"local-use NAT64", []string{"64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff"}, nil},
		{"discard-only", []string{"100::", "100::ffff:ffff:ffff:ffff"}, nil},
		{"dummy", []string{"100:0:0:1::", "100::1:ffff:ffff:ffff:ffff"}, nil},
		{"reserved for protocols", []string{"2001::", "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff"}, []string{"2001:200::"}},
		{"documentation", []string{"2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"}, []string{"2001:db7:ffff::", "2001:db9::"}},
		{"documentation", []string{"3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff"}, []string{"3ffe:ffff::", "3fff:1000::"}},
		{"segment routing", []string{"5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}, nil},
		{"unique local (private)", []string{"fc00::", "fd00::1", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}, nil},
		{"link-local", []string{"fe80::", "fe80::1", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}, nil},
		{"site-local", []string{"fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}, nil},
		{"multicast", []string{"ff00::", "ff02::1", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"}, nil},
		{"not global unicast", []string{"4000::", "1fff::1", "64:ff9c::1", "::ffff:0:127.0.0.1", "e000::"}, []string{"2000::", "2606:4700::1111", "3ffe::1"}},
		// Forms that embed an IPv4 address.
		{"a form of 127.0.0.1, loopback", []string{"64:ff9b::127.0.0.1", "2002:7f00:1::", "2002:7f00:1:ffff::1"}, []string{"64:ff9b::8.8.8.8", "2002:808:808::"}},
		{"a form of 10.0.0.1, private", []string{"64:ff9b::10.0.0.1", "2002:a00:1::1"}, nil},
		{"a form of 169.254.169.254, link-local and metadata", []string{"64:ff9b::169.254.169.254", "2002:a9fe:a9fe::"}, nil},
		{"loopback", []string{"::ffff:127.0.0.1", "::ffff:7f00:1"}, []string{"::ffff:8.8.8.8"}},
		{"link-local and metadata", []string{"::ffff:169.254.169.254"}, nil},
		// A zone is not part of the address.
		{"link-local", []string{"fe80::1%eth0"}, nil},
		{"loopback", []string{"::1%lo", "::ffff:127.0.0.1%lo"}, nil},
	}
	g, err := newGuard(Egress{})
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range tests {
		for _, s := range test.within {
			err := g.check("host.example", netip.MustParseAddr(s))
			if !errors.Is(err, ErrBlocked) {
				t.Errorf("%s: %v, want it blocked", s, err)
			} else if !strings.Contains(err.Error(), "which is "+test.rule+":") {
				t.Errorf("%s: %q does not name the rule %q", s, err, test.rule)
			}
		}
		for _, s := range test.beside {
			if err := g.check("host.example", netip.MustParseAddr(s)); err != nil {
				t.Errorf("%s beside %s: %v, want it allowed", s, test.within[0], err)
			}
		}
	}
}

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

// TestEgressRebinding: a name server that answers differently each time gets
// no connection to an address that was not checked: each dial looks up once
// and dials only that answer.
func TestEgressRebinding(t *testing.T) {
	g, err := newGuard(Egress{})
	if err != nil {
		t.Fatal(err)
	}
	n := network{answers: [][]string{{"93.184.215.14"}, {"127.0.0.1"}, {"93.184.215.15"}, {"169.254.169.254"}}}
	n.use(g)
	for i, blocked := range []bool{false, true, false, true} {
		conn, err := g.dialContext(t.Context(), "tcp", "evil.example:443")
		if err == nil {
			_ = conn.Close()
		}
		if errors.Is(err, ErrBlocked) != blocked || !blocked && err != nil {
			t.Errorf("dial %d: %v, want blocked: %t", i, err, blocked)
		}
		if n.lookups != i+1 {
			t.Fatalf("dial %d: %d lookups so far", i, n.lookups)
		}
	}
	if got, want := strings.Join(n.dialled, " "), "93.184.215.14:443 93.184.215.15:443"; got != want {
		t.Errorf("dialled %q, want %q", got, want)
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
