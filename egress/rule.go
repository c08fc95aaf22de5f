package egress

import "net/netip"

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

// Rule names the rule by which nobody should connect to an address that somebody
// else has given, such as "loopback"; it is empty for a public address. A zone
// must have been removed, and an IPv4-mapped address unmapped.
func Rule(addr netip.Addr) string {
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
			if rule := Rule(inner); rule != "" {
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
