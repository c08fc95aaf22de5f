package sender

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/net/idna"

	"github.com/manysends/caddy-webhooks/egress"
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

// errNoAddress is wrapped by the error of a host that exists and has no address.
var errNoAddress = errors.New("has no address")

// guard decides which connections may be made. It is consulted at dial time,
// after names are resolved, by everything that connects to an endpoint.
type guard struct {
	allowHTTP bool
	prefixes  []netip.Prefix
	hosts     map[string]struct{}
	proxy     string // host and port of the forward proxy, if there is one

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
			addrs, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
			for i, addr := range addrs {
				addrs[i] = addr.Unmap() // as people write it
			}
			return addrs, err
		},
		dial: dialer.DialContext,
	}
	if e.Proxy != "" {
		var err error
		if g.dial, g.proxy, err = throughProxy(e.Proxy, g.dial); err != nil {
			return nil, fmt.Errorf("egress proxy: %w", err)
		}
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

// canonicalHost is a host as it is compared and looked up: in lower case,
// without the dot of the root, and in ASCII as the transport makes it, which
// turns "１２７.0.0.1" and the like into addresses.
func canonicalHost(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) {
		if ascii, err := idna.Lookup.ToASCII(s); err == nil {
			s = ascii
		}
	}
	return strings.ToLower(strings.TrimSuffix(s, "."))
}

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
	case u.Scheme == "":
		return nil, fmt.Errorf("it does not begin with https://: write one such as https://example.com/hooks")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("the scheme %q cannot be delivered to: use https://", u.Scheme)
	case u.Hostname() == "":
		return nil, fmt.Errorf("it has no host: write one such as https://example.com/hooks")
	case u.Fragment != "":
		return nil, fmt.Errorf("it has a fragment (#%s), which is never sent: remove it", u.Fragment)
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return nil, fmt.Errorf("there is no port %s: use one of 1 to 65535", port)
		}
	}
	if addr, ok := addressOf(u.Hostname()); ok {
		if err := g.check(u.Hostname(), addr); err != nil {
			return nil, err
		}
	}
	u.RawQuery = escapedQuery(u.RawQuery)
	return u, nil
}

// escapedQuery is a query with per cent forms in place of what cannot stand in one
// (RFC 3986, section 3.4), as browsers write it. Package url does so with paths
// alone, and a space would end the target of the request before its time.
func escapedQuery(s string) string {
	var escaped strings.Builder
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '"' || c == '<' || c == '>' {
			fmt.Fprintf(&escaped, "%%%02X", c)
		} else {
			escaped.WriteByte(c)
		}
	}
	return escaped.String()
}

// addressOf is the address that a host is written as, if it is one.
func addressOf(host string) (netip.Addr, bool) {
	addr, err := netip.ParseAddr(host)
	if err != nil {
		addr, err = netip.ParseAddr(canonicalHost(host))
	}
	return addr, err == nil
}

// check refuses an address of a host. The error wraps ErrBlocked.
func (g *guard) check(host string, addr netip.Addr) error {
	rule, opening := g.judge(host, addr)
	if rule == "" || opening != "" {
		return nil
	}
	addr = bare(addr)
	if host == addr.String() {
		return fmt.Errorf("%w: %s is %s: allow it in egress if that is meant", ErrBlocked, addr, rule)
	}
	return fmt.Errorf("%w: %s is at %s, which is %s: allow the host or the address in egress if that is meant", ErrBlocked, host, addr, rule)
}

// judge names the rule that forbids an address of a host, and what opens it all
// the same; each is empty when there is none.
func (g *guard) judge(host string, addr netip.Addr) (rule, opening string) {
	addr = bare(addr)
	if rule = egress.Rule(addr); rule == "" {
		return "", ""
	}
	if host = canonicalHost(host); g.opens(host) {
		return rule, host
	}
	for _, p := range g.prefixes {
		if p.Contains(addr) {
			return rule, p.String()
		}
	}
	return rule, ""
}

// opens tells whether a host is allowed by name.
func (g *guard) opens(host string) bool {
	_, open := g.hosts[host]
	return open
}

// bare is an address without its zone, and without the form of IPv6 around an
// IPv4 one.
func bare(addr netip.Addr) netip.Addr { return addr.WithZone("").Unmap() }

// dialContext connects to an address after checking all that its host resolves
// to, and to no other than one that was checked. Errors wrap ErrBlocked when
// the rules refuse it.
func (g *guard) dialContext(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	watched := dialFor(ctx)
	var addrs []netip.Addr
	if addr, ok := addressOf(host); ok {
		addrs = []netip.Addr{addr}
		watched.lookedUp(addrs)
	} else {
		watched.begin(lookingUp)
		addrs, err = g.lookup(ctx, host)
		watched.lookedUp(addrs)
		if err != nil {
			return nil, err
		}
	}
	for _, addr := range addrs {
		if err := g.check(host, addr); err != nil {
			return nil, err
		}
	}
	if len(addrs) == 0 {
		return nil, fmt.Errorf("%s %w", host, errNoAddress)
	}
	watched.begin(connecting)
	conn, err := g.dialAny(ctx, network, addrs, port)
	watched.connected(conn, err)
	return conn, err
}

// dialAny connects to the first of the addresses that answers. The error is
// that of the very first.
func (g *guard) dialAny(ctx context.Context, network string, addrs []netip.Addr, port string) (net.Conn, error) {
	var failed error
	for i, addr := range addrs {
		conn, err := g.dialOne(ctx, network, net.JoinHostPort(addr.Unmap().String(), port), len(addrs)-i)
		if err == nil {
			return newNamedConn(conn), nil
		}
		if failed == nil {
			failed = err
		}
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
