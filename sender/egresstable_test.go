package sender

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/manysends/caddy-webhooks/webhook"
)

// The outcomes of egressTable.
const (
	allowed    = "allowed"    // and these addresses are dialled, in turn
	refused    = "refused"    // by this rule
	malformed  = "malformed"  // so the URL is refused, with this reason
	unresolved = "unresolved" // with this error, and retried
)

// egressTable says of URLs what becomes of a delivery to them under the default
// rules, with http allowed. Names are looked up in egressNames.
var egressTable = []struct {
	outcome, with string
	urls          []string
}{
	// Either end of every forbidden range.
	{refused, "this network", []string{"https://0.0.0.0/", "https://0.255.255.255/"}},
	{refused, "private", []string{"https://10.0.0.0/", "https://10.255.255.255/", "https://172.16.0.0/", "https://172.31.255.255/", "https://192.168.0.0/", "https://192.168.255.255/"}},
	{refused, "shared address space (CGNAT)", []string{"https://100.64.0.0/", "https://100.127.255.255/"}},
	{refused, "loopback", []string{"https://127.0.0.0/", "https://127.0.0.1/", "https://127.255.255.255/", "https://[::1]/"}},
	{refused, "link-local and metadata", []string{"https://169.254.0.0/", "https://169.254.169.254/latest/meta-data/", "https://169.254.255.255/"}},
	{refused, "reserved for protocols", []string{"https://192.0.0.0/", "https://192.0.0.255/"}},
	{refused, "documentation", []string{"https://192.0.2.0/", "https://192.0.2.255/", "https://198.51.100.0/", "https://198.51.100.255/", "https://203.0.113.0/", "https://203.0.113.255/"}},
	{refused, "6to4 relay", []string{"https://192.88.99.0/", "https://192.88.99.255/"}},
	{refused, "benchmarking", []string{"https://198.18.0.0/", "https://198.19.255.255/"}},
	{refused, "multicast", []string{"https://224.0.0.0/", "https://239.255.255.255/", "https://[ff00::]/", "https://[ff02::1]/", "https://[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]/"}},
	{refused, "reserved and broadcast", []string{"https://240.0.0.0/", "https://255.255.255.255/"}},
	{refused, "unspecified", []string{"https://[::]/", "https://[0:0:0:0:0:0:0:0]/"}},
	{refused, "IPv4-compatible", []string{"https://[::2]/", "https://[::127.0.0.1]/", "https://[::8.8.8.8]/", "https://[::255.255.255.255]/"}},
	{refused, "local-use NAT64", []string{"https://[64:ff9b:1::]/", "https://[64:ff9b:1:ffff:ffff:ffff:ffff:ffff]/"}},
	{refused, "discard-only", []string{"https://[100::]/", "https://[100::ffff:ffff:ffff:ffff]/"}},
	{refused, "dummy", []string{"https://[100:0:0:1::]/", "https://[100::1:ffff:ffff:ffff:ffff]/"}},
	{refused, "reserved for protocols", []string{"https://[2001::]/", "https://[2001::1]/", "https://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/", "https://[2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff]/"}},
	{refused, "documentation", []string{"https://[2001:db8::]/", "https://[2001:db8:ffff:ffff:ffff:ffff:ffff:ffff]/", "https://[3fff::]/", "https://[3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff]/"}},
	{refused, "segment routing", []string{"https://[5f00::]/", "https://[5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff]/"}},
	{refused, "unique local (private)", []string{"https://[fc00::]/", "https://[fd00::1]/", "https://[fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]/"}},
	{refused, "link-local", []string{"https://[fe80::]/", "https://[fe80::1]/", "https://[febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff]/"}},
	{refused, "site-local", []string{"https://[fec0::]/", "https://[feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]/"}},
	{refused, "not global unicast", []string{"https://[4000::]/", "https://[1fff::1]/", "https://[64:ff9c::1]/", "https://[::ffff:0:127.0.0.1]/", "https://[e000::]/"}},

	// Just outside of them.
	{allowed, "1.0.0.0:443", []string{"https://1.0.0.0/"}},
	{allowed, "9.255.255.255:443", []string{"https://9.255.255.255/"}},
	{allowed, "11.0.0.0:443", []string{"https://11.0.0.0/"}},
	{allowed, "100.63.255.255:443", []string{"https://100.63.255.255/"}},
	{allowed, "100.128.0.0:443", []string{"https://100.128.0.0/"}},
	{allowed, "126.255.255.255:443", []string{"https://126.255.255.255/"}},
	{allowed, "128.0.0.0:443", []string{"https://128.0.0.0/"}},
	{allowed, "169.253.255.255:443", []string{"https://169.253.255.255/"}},
	{allowed, "169.255.0.0:443", []string{"https://169.255.0.0/"}},
	{allowed, "172.15.255.255:443", []string{"https://172.15.255.255/"}},
	{allowed, "172.32.0.0:443", []string{"https://172.32.0.0/"}},
	{allowed, "191.255.255.255:443", []string{"https://191.255.255.255/"}},
	{allowed, "192.0.1.0:443", []string{"https://192.0.1.0/"}},
	{allowed, "192.0.1.255:443", []string{"https://192.0.1.255/"}},
	{allowed, "192.0.3.0:443", []string{"https://192.0.3.0/"}},
	{allowed, "192.88.98.255:443", []string{"https://192.88.98.255/"}},
	{allowed, "192.88.100.0:443", []string{"https://192.88.100.0/"}},
	{allowed, "192.167.255.255:443", []string{"https://192.167.255.255/"}},
	{allowed, "192.169.0.0:443", []string{"https://192.169.0.0/"}},
	{allowed, "198.17.255.255:443", []string{"https://198.17.255.255/"}},
	{allowed, "198.20.0.0:443", []string{"https://198.20.0.0/"}},
	{allowed, "198.51.99.255:443", []string{"https://198.51.99.255/"}},
	{allowed, "198.51.101.0:443", []string{"https://198.51.101.0/"}},
	{allowed, "203.0.112.255:443", []string{"https://203.0.112.255/"}},
	{allowed, "203.0.114.0:443", []string{"https://203.0.114.0/"}},
	{allowed, "223.255.255.255:443", []string{"https://223.255.255.255/"}},
	{allowed, "[2000::]:443", []string{"https://[2000::]/"}},
	{allowed, "[2001:200::]:443", []string{"https://[2001:200::]/"}},
	{allowed, "[2001:db7:ffff::]:443", []string{"https://[2001:db7:ffff::]/"}},
	{allowed, "[2001:db9::]:443", []string{"https://[2001:db9::]/"}},
	{allowed, "[2606:4700::1111]:443", []string{"https://[2606:4700::1111]/", "https://[2606:4700:0:0:0:0:0:1111]/", "https://[2606:4700::0.0.17.17]/"}},
	{allowed, "[3ffe:ffff::]:443", []string{"https://[3ffe:ffff::]/"}},
	{allowed, "[3fff:1000::]:443", []string{"https://[3fff:1000::]/"}},

	// Forms of IPv6 around an IPv4 address.
	{refused, "a form of 127.0.0.1, loopback", []string{"https://[64:ff9b::127.0.0.1]/", "https://[64:ff9b::7f00:1]/", "https://[2002:7f00:1::]/", "https://[2002:7f00:1:ffff::1]/"}},
	{refused, "a form of 10.0.0.1, private", []string{"https://[64:ff9b::10.0.0.1]/", "https://[2002:a00:1::1]/"}},
	{refused, "a form of 169.254.169.254, link-local and metadata", []string{"https://[64:ff9b::169.254.169.254]/", "https://[2002:a9fe:a9fe::]/"}},
	{refused, "loopback", []string{"https://[::ffff:127.0.0.1]/", "https://[::ffff:7f00:1]/", "https://[0:0:0:0:0:FFFF:7F00:0001]/"}},
	{refused, "link-local and metadata", []string{"https://[::ffff:169.254.169.254]/", "https://[::ffff:a9fe:a9fe]/"}},
	{allowed, "8.8.8.8:443", []string{"https://[::ffff:8.8.8.8]/"}},
	{allowed, "[64:ff9b::808:808]:443", []string{"https://[64:ff9b::8.8.8.8]/"}},
	{allowed, "[2002:808:808::]:443", []string{"https://[2002:808:808::]/"}},

	// A zone is not part of the address.
	{refused, "link-local", []string{"https://[fe80::1%25eth0]/", "https://[fe80::1%25eth0]:8443/"}},
	{refused, "loopback", []string{"https://[::1%25lo]/", "https://[::ffff:127.0.0.1%25lo]/"}},

	// Ports and paths change nothing, and http no more than https.
	{refused, "loopback", []string{"https://127.0.0.1:443/", "https://127.0.0.1:22/", "http://127.0.0.1/", "http://127.0.0.1:6379/", "HTTPS://127.0.0.1", "https://127.0.0.1?x=y", "https://[::1]:8080/a"}},
	{allowed, "93.184.215.14:8443", []string{"https://93.184.215.14:8443/", "https://crm.example:8443/"}},
	{allowed, "93.184.215.14:80", []string{"http://93.184.215.14/", "http://crm.example"}},
	{malformed, "there is no port", []string{"https://crm.example:0/", "https://crm.example:65536/", "https://127.0.0.1:99999999999999999999/"}},

	// Names.
	{allowed, "93.184.215.14:443", []string{"https://crm.example/", "https://CRM.Example/", "https://crm.example./", "https://crm.example:/"}},
	{allowed, "[2606:4700::1111]:443", []string{"https://six.example/"}},
	{allowed, "93.184.215.15:443", []string{"https://xn--bcher-kva.example/", "https://bücher.example/", "https://BÜCHER.example/", "https://b%C3%BCcher.example/"}},
	{allowed, "93.184.215.14:443 93.184.215.15:443", []string{"https://two.example/"}},
	{refused, "loopback", []string{"https://localhost/", "https://LocalHost/", "https://localhost./", "https://127.0.0.1.nip.example/", "https://six.localhost/", "https://mapped.example/"}},
	{refused, "private", []string{"https://host.docker.internal/", "https://kubernetes.default.svc/", "https://good-and-bad.example/", "https://GOOD-AND-BAD.example./"}},
	{refused, "link-local and metadata", []string{"https://metadata.google.internal/", "https://bad-and-good.example/"}},
	{refused, "link-local", []string{"https://zone.example/"}},
	{refused, "a form of 127.0.0.1, loopback", []string{"https://nat64.example/"}},
	{unresolved, "empty.example has no address", []string{"https://empty.example/"}},
	{unresolved, "no such host", []string{"https://gone.example/", "https://%E2%98%83.example/"}},

	// IPv4 in other notations. A resolver that understands them, as that of the
	// C library does, is judged by what it answers; Go's own does not.
	{unresolved, "no such host", oddLoopback},
	{unresolved, "no such host", []string{"https://0xa9fea9fe/", "https://2852039166/", "https://0251.0376.0251.0376/", "https://169.254.43518/"}},
	// Some are addresses by the time that they are dialled.
	{refused, "loopback", []string{"https://127.0.0.1./", "https://１２７.0.0.1/", "https://127。0。0。1/", "https://①②⑦.⓪.⓪.①/", "https://%EF%BC%91%EF%BC%92%EF%BC%97.0.0.1/"}},
	{refused, "link-local and metadata", []string{"https://１６９.２５４.１６９.２５４/"}},

	// Which part is the host.
	{refused, "loopback", []string{"http://good.example@127.0.0.1/", "https://crm.example:80@127.0.0.1/", "https://crm.example%2F@127.0.0.1/", "https://:@127.0.0.1/", "https://crm.example%40x:y@[::1]/"}},
	{allowed, "93.184.215.14:443", []string{"https://127.0.0.1@crm.example/", "https://127.0.0.1:80@crm.example/", "https://crm.example/@127.0.0.1", "https://crm.example?@127.0.0.1/", "https://crm.example/%2e%2e//127.0.0.1"}},
	{malformed, "it has a fragment", []string{"https://crm.example#@127.0.0.1/", "https://crm.example/#x"}},
	{malformed, "it has no host", []string{"https:///127.0.0.1/", "https:127.0.0.1", "https://", "https://user@/", "https://:443/"}},
	{malformed, "it does not begin with https://: write one such as", []string{"", "127.0.0.1", "//127.0.0.1/", "/hooks", "crm.example/hooks"}},
	{malformed, "cannot be delivered to: use https://", []string{"localhost:3000/hooks", "ftp://crm.example/", "gopher://127.0.0.1:70/", "file:///etc/passwd", "unix:///run/docker.sock", "javascript:alert(1)"}},
	{malformed, "it cannot be parsed", []string{
		`https://crm.example\@127.0.0.1/`, "https://crm.example%40127.0.0.1/", "https://127.0.0.1%00.example/", "https://127.0.0.1%2eexample/",
		"https://127.0.0.1\t/", " https://127.0.0.1/", "https://127.0.0.1\r\nHost: crm.example/", "https://[127.0.0.1]/", "https://[::1/", "https://::1/",
		"https://[::1]crm.example/", "https://crm.example:port/", "https://a b/", "https://[fe80::1%eth0]/", "https://127.0.0.1:80:443/",
	}},
}

// oddLoopback is 127.0.0.1 as inet_aton reads it.
var oddLoopback = []string{
	"https://0x7f.1/", "https://0x7f000001/", "https://0X7F000001/", "https://2130706433/", "https://017700000001/", "https://0177.0.0.1/",
	"https://127.1/", "https://127.0.1/", "https://127.000.000.001/", "https://0x7f.0x0.0x0.0x1/", "https://0177.0.0.0x1/", "https://127.0.0.01/",
}

var egressNames = map[string][]string{
	"crm.example":              {"93.184.215.14"},
	"good.example":             {"93.184.215.14"},
	"six.example":              {"2606:4700::1111"},
	"xn--bcher-kva.example":    {"93.184.215.15"},
	"two.example":              {"93.184.215.14", "93.184.215.15"},
	"localhost":                {"127.0.0.1"},
	"six.localhost":            {"::1"},
	"127.0.0.1.nip.example":    {"127.0.0.1"},
	"mapped.example":           {"::ffff:127.0.0.1"},
	"nat64.example":            {"64:ff9b::7f00:1"},
	"zone.example":             {"fe80::1%eth0"},
	"host.docker.internal":     {"192.168.65.2"},
	"kubernetes.default.svc":   {"10.96.0.1"},
	"metadata.google.internal": {"169.254.169.254"},
	"good-and-bad.example":     {"93.184.215.14", "2606:4700::1111", "10.0.0.1"},
	"bad-and-good.example":     {"169.254.169.254", "93.184.215.14"},
	"empty.example":            {},
}

// lookupName looks up in egressNames, as name servers do: without regard to
// case and the dot of the root.
func lookupName(_ context.Context, host string) ([]netip.Addr, error) {
	answers, ok := egressNames[strings.ToLower(strings.TrimSuffix(host, "."))]
	if !ok {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	var addrs []netip.Addr
	for _, s := range answers {
		addrs = append(addrs, netip.MustParseAddr(s))
	}
	return addrs, nil
}

// lookupAton reads every notation that the C library's inet_aton does, and
// leaves the rest to lookupName.
func lookupAton(ctx context.Context, host string) ([]netip.Addr, error) {
	parts := strings.Split(host, ".")
	if len(parts) > 4 {
		return lookupName(ctx, host)
	}
	var addr uint64
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 0, 32)
		if err != nil {
			return lookupName(ctx, host)
		}
		if i == len(parts)-1 { // the last one fills the rest
			addr |= n
		} else {
			addr |= n << (8 * (3 - i))
		}
	}
	return []netip.Addr{netip.AddrFrom4([4]byte{byte(addr >> 24), byte(addr >> 16), byte(addr >> 8), byte(addr)})}, nil
}

// attemptAt makes an attempt at a URL, whatever is wrong with that, and returns
// it with the addresses that were asked for.
func attemptAt(t *testing.T, s *Sender, w *way, rawURL string) (Attempt, []string) {
	t.Helper()
	target := s.compileTarget(t, Endpoint{ID: "a", URL: "https://crm.example/"})
	u, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	target.url = u
	w.asked = nil
	a := s.attempt(target, &Delivery{EndpointID: "a", Event: &webhook.Event{ID: "evt_1", Type: "message.created", Data: []byte("1")}}).attempt
	return a, w.asked
}

// TestEgressTable follows every URL of egressTable to its end, directly and
// through either kind of proxy: what is forbidden is refused when the endpoint
// is made, where that can be told, and in any case when it is dialled.
func TestEgressTable(t *testing.T) {
	const least = 120
	for _, w := range ways() {
		t.Run(w.name, func(t *testing.T) {
			s := bareSender(t, newStepClock(), Egress{AllowHTTP: true})
			g := s.current.Load().guard
			g.lookup = lookupName
			w.use(t, g)
			n := 0
			for _, group := range egressTable {
				for _, rawURL := range group.urls {
					n++
					followURL(t, s, w, rawURL, group.outcome, group.with)
				}
			}
			if n < least {
				t.Errorf("the table has %d URLs, want %d at least", n, least)
			}
			t.Logf("%d URLs", n)
		})
	}
}

func followURL(t *testing.T, s *Sender, w *way, rawURL, outcome, with string) {
	t.Helper()
	u, err := s.current.Load().guard.checkURL(rawURL)
	if outcome == malformed {
		if err == nil || errors.Is(err, ErrBlocked) || !strings.Contains(err.Error(), with) {
			t.Errorf("%q: %v, want it refused: %s", rawURL, err, with)
		}
		return
	}
	if err != nil && outcome != refused {
		t.Errorf("%q is refused: %v", rawURL, err)
		return
	}
	if err != nil && (!errors.Is(err, ErrBlocked) || !strings.Contains(err.Error(), "is "+with+":")) {
		t.Errorf("%q: %v, want it forbidden: %s", rawURL, err, with)
	}
	if literal := err == nil && u.Hostname() != ""; literal && outcome == refused {
		if addr, is := addressOf(u.Hostname()); is {
			t.Errorf("%q is accepted, although it is at %s", rawURL, addr)
		}
	}
	a, asked := attemptAt(t, s, w, rawURL)
	switch outcome {
	case allowed:
		if a.Verdict != VerdictRetry || strings.Join(asked, " ") != with {
			t.Errorf("%q: %s (%s), and %q were dialled, want %s", rawURL, a.Verdict, a.Error, asked, with)
		}
	case refused:
		if a.Verdict != VerdictBlocked || !strings.Contains(a.Error, "is "+with+":") || len(asked) > 0 {
			t.Errorf("%q: %s (%s), and %q were dialled, want it forbidden: %s", rawURL, a.Verdict, a.Error, asked, with)
		}
	case unresolved:
		if a.Verdict != VerdictRetry || !strings.Contains(a.Error, with) || len(asked) > 0 {
			t.Errorf("%q: %s (%s), and %q were dialled, want the error %s", rawURL, a.Verdict, a.Error, asked, with)
		}
	}
}

// TestEgressOddNotation: a resolver that takes 127.1 for an address, as that of
// the C library does, opens no way to it.
func TestEgressOddNotation(t *testing.T) {
	for _, w := range ways() {
		s := bareSender(t, newStepClock(), Egress{AllowHTTP: true})
		g := s.current.Load().guard
		g.lookup = lookupAton
		w.use(t, g)
		for _, rawURL := range oddLoopback {
			followURL(t, s, w, rawURL, refused, "loopback")
		}
		followURL(t, s, w, "https://2852039166/", refused, "link-local and metadata")
		followURL(t, s, w, "https://134744072/", allowed, "8.8.8.8:443")
	}
}

// TestEgressRebindingOnEveryWay: a name server that changes its mind between
// the check of a new endpoint and the delivery, or between attempts, gains
// nothing: each attempt asks once, and goes to what it was told then, or
// nowhere.
func TestEgressRebindingOnEveryWay(t *testing.T) {
	answers := [][]string{
		{"93.184.215.14"}, // when the endpoint is made
		{"127.0.0.1"}, {"93.184.215.14"}, {"93.184.215.15", "10.0.0.1"}, {"::1", "93.184.215.14"}, {"93.184.215.15"}, {"169.254.169.254"}, {},
	}
	dialled := []string{"", "93.184.215.14:443", "", "", "93.184.215.15:443", "", ""}
	verdicts := []Verdict{VerdictBlocked, VerdictRetry, VerdictBlocked, VerdictBlocked, VerdictRetry, VerdictBlocked, VerdictRetry}
	for _, w := range ways() {
		t.Run(w.name, func(t *testing.T) {
			s := bareSender(t, newStepClock(), Egress{})
			g := s.current.Load().guard
			n := network{answers: answers}
			n.use(g)
			w.use(t, g)
			if checks := g.explain(t.Context(), "https://evil.example/"); names(checks) != "url dns egress" {
				t.Fatalf("when it is made: %+v", checks)
			}
			for i, want := range verdicts {
				a, asked := attemptAt(t, s, w, "https://evil.example/")
				if a.Verdict != want || strings.Join(asked, " ") != dialled[i] {
					t.Errorf("attempt %d: %s (%s), and %q were dialled, want %s and %q", i+1, a.Verdict, a.Error, asked, want, dialled[i])
				}
				if n.lookups != i+2 {
					t.Fatalf("attempt %d: %d lookups so far", i+1, n.lookups)
				}
			}
		})
	}
}
