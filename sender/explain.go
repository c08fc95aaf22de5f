package sender

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The checks of a test, in the order of a delivery.
const (
	checkURL       = "url"
	checkDNS       = "dns"
	checkEgress    = "egress"
	checkConnect   = "connect"
	checkTLS       = "tls"
	checkAnswer    = "answer"
	checkTime      = "time"
	checkSignature = "signature"
)

// passed is a check that found all well.
func passed(name, detail string) TestCheck { return TestCheck{Name: name, OK: true, Detail: detail} }

// warned is a check that found nothing wrong, and yet something to be changed.
func warned(name, detail, remedy string) TestCheck {
	return TestCheck{Name: name, OK: true, Detail: detail, Remedy: remedy}
}

// failed is a check that found what is wrong.
func failed(name, detail, remedy string) TestCheck {
	return TestCheck{Name: name, Detail: detail, Remedy: remedy}
}

// explain says what comes of a URL as far as can be told without connecting:
// the checks url, dns and egress, up to the first that fails. A later look-up
// may have another answer, which is judged again when it is dialled.
func (g *guard) explain(ctx context.Context, rawURL string) []TestCheck {
	u, check := g.explainURL(rawURL)
	if !check.OK {
		return []TestCheck{check}
	}
	host := u.Hostname()
	var addrs []netip.Addr
	var err error
	if addr, ok := addressOf(host); ok {
		addrs = []netip.Addr{addr}
	} else {
		addrs, err = g.lookup(ctx, canonicalHost(host))
	}
	return append([]TestCheck{check}, g.explainHost(host, addrs, err)...)
}

// explainURL says whether a URL may be delivered to, as far as its form goes.
// An address in it is left to the check egress.
func (g *guard) explainURL(rawURL string) (*url.URL, TestCheck) {
	u, err := g.checkURL(rawURL)
	if errors.Is(err, ErrBlocked) {
		u, err = url.Parse(rawURL)
	}
	if err != nil {
		detail, remedy := twoSentences(err.Error())
		return nil, failed(checkURL, detail, remedy)
	}
	return u, passed(checkURL, fmt.Sprintf("%s can be posted to.", shownURL(u)))
}

// explainHost says what looking up a host has given, and what the rules say of
// that: the checks dns and egress.
func (g *guard) explainHost(host string, addrs []netip.Addr, err error) []TestCheck {
	dns := explainLookup(host, addrs, err)
	if !dns.OK {
		return []TestCheck{dns}
	}
	return []TestCheck{dns, g.explainRules(host, addrs)}
}

func explainLookup(host string, addrs []netip.Addr, err error) TestCheck {
	if _, literal := addressOf(host); literal {
		return passed(checkDNS, fmt.Sprintf("%s is an address itself, so there is nothing to look up.", host))
	}
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return failed(checkDNS, fmt.Sprintf("The name servers know no address of %s.", host),
			"Check how the host is spelt, and that its DNS record (A or AAAA) is published.")
	case errors.Is(err, errTimeout), errors.As(err, &dns) && dns.IsTimeout:
		return failed(checkDNS, fmt.Sprintf("The name servers did not answer in time when asked for %s.", host),
			"Try again, and if that does not help have the name servers of the domain looked at.")
	case err != nil && !errors.Is(err, errNoAddress):
		return failed(checkDNS, fmt.Sprintf("Looking up %s failed: %s.", host, shortened(err.Error())),
			"Have the name servers of the domain looked at, and those that this sender asks.")
	case len(addrs) == 0:
		return failed(checkDNS, fmt.Sprintf("%s has no address.", host), "Publish a DNS record (A or AAAA) for the host.")
	}
	noun := "address"
	if len(addrs) > 1 {
		noun = "addresses"
	}
	return passed(checkDNS, fmt.Sprintf("%s has the %s %s.", host, noun, enumerate(addrs)))
}

// egressRemedy is for whoever owns an endpoint that is blocked: the rules are
// the operator's.
const egressRemedy = "Use a public address, or have the operator of this sender allow the host or the address in egress."

func (g *guard) explainRules(host string, addrs []netip.Addr) TestCheck {
	var verdicts []string
	for _, addr := range addrs {
		rule, opening := g.judge(host, addr)
		switch {
		case rule == "":
			verdicts = append(verdicts, fmt.Sprintf("%s (public)", bare(addr)))
		case opening == "":
			return failed(checkEgress, fmt.Sprintf("The egress rules forbid %s, which is %s.", bare(addr), rule), egressRemedy)
		default:
			verdicts = append(verdicts, fmt.Sprintf("%s (%s, but opened by %s)", bare(addr), rule, opening))
		}
	}
	return passed(checkEgress, fmt.Sprintf("The egress rules allow %s.", enumerate(verdicts)))
}

// shownURL is a URL without user name and password.
func shownURL(u *url.URL) string {
	shown := *u
	shown.User = nil
	return shown.String()
}

// enumerate lists values in a sentence.
func enumerate[T any](values []T) string {
	var list strings.Builder
	for i, v := range values {
		switch {
		case i > 0 && i == len(values)-1:
			list.WriteString(" and ")
		case i > 0:
			list.WriteString(", ")
		}
		fmt.Fprint(&list, v)
	}
	return list.String()
}

// twoSentences takes the text of an error apart, which says after its last
// colon what to do.
func twoSentences(text string) (detail, remedy string) {
	if i := strings.LastIndex(text, ": "); i > 0 {
		text, remedy = text[:i], sentence(text[i+2:])
	}
	return sentence(text), remedy
}

// sentence makes a sentence of a clause.
func sentence(s string) string {
	if strings.HasPrefix(s, "http") { // a scheme or a URL is written small
		return s + "."
	}
	r, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[size:] + "."
}
