package sender

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// Egress says which addresses deliveries may connect to. By default only
// public addresses over https are allowed: loopback, private, link-local,
// metadata, shared, multicast, reserved, documentation and benchmarking
// addresses are refused, and so are IPv6 forms that embed such an IPv4.
type Egress struct {
	// Allow opens addresses ("10.1.2.3"), ranges ("10.1.0.0/16") and host
	// names ("crm.internal", whatever they resolve to) that would be refused.
	Allow []string `json:"allow,omitempty"`

	// AllowHTTP permits endpoints without TLS.
	AllowHTTP bool `json:"allow_http,omitempty"`

	// Proxy is the URL of a forward proxy for all deliveries:
	// http://[user:password@]host:port (by CONNECT) or socks5://… The rules
	// hold all the same: addresses are looked up and checked here, and the
	// proxy is given the address that was checked. The proxy itself may be
	// anywhere. Default: none; the environment is not looked at.
	Proxy string `json:"proxy,omitempty"`
}

// ErrBlocked is wrapped by the error of a connection that the egress rules
// refuse. The message names the host, the address and the rule.
var ErrBlocked = errors.New("blocked by the egress rules")

// forbidden are the ranges that are refused unless opened by name, each with
// the rule as it is told to people. Sources: the IANA special-purpose address
// registries for IPv4 and IPv6 (RFC 6890 and its updates).
var forbidden = []struct {
	prefix netip.Prefix
	rule   string
}{
	{netip.MustParsePrefix("0.0.0.0/8"), "this network"},
	{netip.MustParsePrefix("10.0.0.0/8"), "private"},
	{netip.MustParsePrefix("100.64.0.0/10"), "shared address space (CGNAT)"},
	{netip.MustParsePrefix("127.0.0.0/8"), "loopback"},
	{netip.MustParsePrefix("169.254.0.0/16"), "link-local and metadata"},
	{netip.MustParsePrefix("172.16.0.0/12"), "private"},
	{netip.MustParsePrefix("192.0.0.0/24"), "reserved for protocols"},
	{netip.MustParsePrefix("192.0.2.0/24"), "documentation"},
	{netip.MustParsePrefix("192.88.99.0/24"), "6to4 relay"},
	{netip.MustParsePrefix("192.168.0.0/16"), "private"},
	{netip.MustParsePrefix("198.18.0.0/15"), "benchmarking"},
	{netip.MustParsePrefix("198.51.100.0/24"), "documentation"},
	{netip.MustParsePrefix("203.0.113.0/24"), "documentation"},
	{netip.MustParsePrefix("224.0.0.0/4"), "multicast"},
	{netip.MustParsePrefix("240.0.0.0/4"), "reserved and broadcast"},
	{netip.MustParsePrefix("::/128"), "unspecified"},
	{netip.MustParsePrefix("::1/128"), "loopback"},
	{netip.MustParsePrefix("::/96"), "IPv4-compatible"},
	{netip.MustParsePrefix("64:ff9b:1::/48"), "local-use NAT64"},
	{netip.MustParsePrefix("100::/64"), "discard-only"},
	{netip.MustParsePrefix("100:0:0:1::/64"), "dummy"},
	{netip.MustParsePrefix("2001::/23"), "reserved for protocols"},
	{netip.MustParsePrefix("2001:db8::/32"), "documentation"},
	{netip.MustParsePrefix("3fff::/20"), "documentation"},
	{netip.MustParsePrefix("5f00::/16"), "segment routing"},
	{netip.MustParsePrefix("fc00::/7"), "unique local (private)"},
	{netip.MustParsePrefix("fe80::/10"), "link-local"},
	{netip.MustParsePrefix("fec0::/10"), "site-local"},
	{netip.MustParsePrefix("ff00::/8"), "multicast"},
}

// globalUnicast is the only range of IPv6 that is routed on the internet, with
// the NAT64 range beside it.
var (
	globalUnicast = netip.MustParsePrefix("2000::/3")
	nat64         = netip.MustParsePrefix("64:ff9b::/96")
	sixToFour     = netip.MustParsePrefix("2002::/16")
)

// guard decides which connections may be made. It is consulted at dial time,
// after names are resolved, by everything that connects to an endpoint.
type guard struct {
	allowHTTP bool
	prefixes  []netip.Prefix
	hosts     map[string]struct{}

	// lookup and dial are the network; tests bring their own.
	lookup func(ctx context.Context, host string) ([]netip.Addr, error)
	dial   dialFunc
}

func newGuard(e Egress) (*guard, error) {
	dialer := &net.Dialer{KeepAlive: 30 * time.Second}
	g := &guard{
		allowHTTP: e.AllowHTTP,
		hosts:     make(map[string]struct{}),
		lookup: func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		},
		dial: dialer.DialContext,
	}
	if e.Proxy != "" {
		through, err := throughProxy(e.Proxy, g.dial)
		if err != nil {
			return nil, fmt.Errorf("egress proxy: %w", err)
		}
		g.dial = through
	}
	for _, s := range e.Allow {
		if prefix, err := netip.ParsePrefix(s); err == nil {
			if prefix != prefix.Masked() {
				return nil, fmt.Errorf("egress allow: %q has bits set behind its length: write %s", s, prefix.Masked())
			}
			if addr := prefix.Addr(); addr.Is4In6() && prefix.Bits() >= 96 {
				prefix = netip.PrefixFrom(addr.Unmap(), prefix.Bits()-96)
			}
			g.prefixes = append(g.prefixes, prefix)
			continue
		}
		if addr, err := netip.ParseAddr(s); err == nil {
			addr = addr.Unmap()
			g.prefixes = append(g.prefixes, netip.PrefixFrom(addr, addr.BitLen()))
			continue
		}
		host := canonicalHost(s)
		if host == "" || strings.ContainsAny(host, "/:*@ ") {
			return nil, fmt.Errorf("egress allow: %q is neither an address, a range such as 10.1.0.0/16, nor a host name", s)
		}
		g.hosts[host] = struct{}{}
	}
	return g, nil
}

func canonicalHost(s string) string { return strings.ToLower(strings.TrimSuffix(s, ".")) }

// checkURL says whether a delivery to the URL could be allowed: its form, its
// scheme and, where the host is an address, that. Names are judged when they
// are resolved.
func (g *guard) checkURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil {
		var parse *url.Error
		if errors.As(err, &parse) {
			err = parse.Err // without the URL, which may hold a password
		}
		if strings.Contains(s, "@") { // the reason may quote a piece of that
			return nil, fmt.Errorf("it cannot be parsed: write one such as https://example.com/hooks, with every special character of a user name or password in per cent form")
		}
		return nil, fmt.Errorf("it cannot be parsed (%w): write one such as https://example.com/hooks", err)
	}
	switch {
	case u.Scheme == "http" && !g.allowHTTP:
		return nil, fmt.Errorf("http:// is not encrypted: use https://, or say allow_http in egress")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("the scheme %q cannot be delivered to: use https://", u.Scheme)
	case u.Hostname() == "":
		return nil, fmt.Errorf("it has no host: write one such as https://example.com/hooks")
	case u.Fragment != "":
		return nil, fmt.Errorf("it has a fragment (#%s), which is never sent: remove it", u.Fragment)
	}
	if addr, err := netip.ParseAddr(u.Hostname()); err == nil {
		if err := g.check(u.Hostname(), addr); err != nil {
			return nil, err
		}
	}
	return u, nil
}

// check refuses an address of a host. The error wraps ErrBlocked.
func (g *guard) check(host string, addr netip.Addr) error {
	if _, open := g.hosts[canonicalHost(host)]; open {
		return nil
	}
	addr = addr.WithZone("").Unmap()
	for _, p := range g.prefixes {
		if p.Contains(addr) {
			return nil
		}
	}
	rule := forbiddenRule(addr)
	if rule == "" {
		return nil
	}
	if host == addr.String() {
		return fmt.Errorf("%w: %s is %s: allow it in egress if that is meant", ErrBlocked, addr, rule)
	}
	return fmt.Errorf("%w: %s is at %s, which is %s: allow the host or the address in egress if that is meant", ErrBlocked, host, addr, rule)
}

// forbiddenRule names the rule that forbids an address, or is empty.
func forbiddenRule(addr netip.Addr) string {
	if addr.Is6() {
		// Forms that carry an IPv4 address are judged by it as well.
		raw := addr.As16()
		var inner netip.Addr
		switch {
		case nat64.Contains(addr):
			inner = netip.AddrFrom4([4]byte(raw[12:16]))
		case sixToFour.Contains(addr):
			inner = netip.AddrFrom4([4]byte(raw[2:6]))
		}
		if inner.IsValid() {
			if rule := forbiddenRule(inner); rule != "" {
				return "a form of " + inner.String() + ", " + rule
			}
			return ""
		}
	}
	for _, f := range forbidden {
		if f.prefix.Contains(addr) {
			return f.rule
		}
	}
	if addr.Is6() && !globalUnicast.Contains(addr) {
		return "not global unicast"
	}
	return ""
}

// dialContext connects to an address after checking all that its host resolves
// to, and to no other than one that was checked. Errors wrap ErrBlocked when
// the rules refuse it.
func (g *guard) dialContext(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	var addrs []netip.Addr
	if addr, err := netip.ParseAddr(host); err == nil {
		addrs = []netip.Addr{addr}
	} else if addrs, err = g.lookup(ctx, host); err != nil {
		return nil, err
	}
	for _, addr := range addrs {
		if err := g.check(host, addr); err != nil {
			return nil, err
		}
	}
	var failed error
	for i, addr := range addrs {
		conn, err := g.dialOne(ctx, network, net.JoinHostPort(addr.Unmap().String(), port), len(addrs)-i)
		if err == nil {
			return conn, nil
		}
		if failed == nil {
			failed = err
		}
	}
	if failed == nil {
		failed = fmt.Errorf("%s has no address", host)
	}
	return nil, failed
}

// dialOne gives an address its share of the time left, so that a first one
// that does not answer leaves time for the others.
func (g *guard) dialOne(ctx context.Context, network, address string, left int) (net.Conn, error) {
	share := 10 * time.Second / time.Duration(left)
	ctx, cancel := context.WithTimeout(ctx, max(share, 2*time.Second))
	defer cancel()
	return g.dial(ctx, network, address)
}
