package sender

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

// certificateNotice is how long before its end a certificate is pointed out.
const certificateNotice = 14 * 24 * time.Hour

// explainConnect says how connecting went; err is why there is no connection,
// or nil.
func (g *guard) explainConnect(u *url.URL, remote string, took webhook.Duration, err error) TestCheck {
	host := hostAndPort(u)
	switch {
	case err == nil && g.proxy != "":
		return passed(checkConnect, fmt.Sprintf("Connected to %s through the proxy %s in %s.", host, g.proxy, rounded(took)))
	case err == nil:
		return passed(checkConnect, fmt.Sprintf("Connected to %s in %s.", remote, rounded(took)))
	case g.proxy != "":
		return failed(checkConnect, fmt.Sprintf("Connecting to %s through a proxy failed: %s.", host, shortened(err.Error())),
			"Check that the server is up, and have the operator of this sender look at the proxy.")
	case errors.Is(err, syscall.ECONNREFUSED):
		return failed(checkConnect, fmt.Sprintf("Nothing listens at %s: the connection was refused.", host),
			"Start the server, or correct the port in the endpoint's URL.")
	case isTimeout(err):
		return failed(checkConnect, fmt.Sprintf("No connection to %s came about in time.", host),
			"Check that the server is up, and that its firewall lets this sender in.")
	}
	return failed(checkConnect, fmt.Sprintf("Connecting to %s failed: %s.", host, shortened(err.Error())),
		"Check the endpoint's URL, and that the server can be reached from this sender's network.")
}

// hostAndPort is where a URL leads to.
func hostAndPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = u.Scheme
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// isTimeout tells whether an error means that the time was up.
func isTimeout(err error) bool {
	var timeout net.Error
	return errors.Is(err, errTimeout) || errors.As(err, &timeout) && timeout.Timeout()
}

// rounded is a duration as it is read by people.
func rounded(d webhook.Duration) time.Duration {
	precision := time.Millisecond
	if time.Duration(d) < 10*time.Millisecond {
		precision = 10 * time.Microsecond
	}
	return time.Duration(d).Round(precision)
}

// explainTLS says how a connection is secured; state is nil when it is not, and
// err is why. It returns the details of TLS and of the certificate as far as
// they are known.
func explainTLS(u *url.URL, state *tls.ConnectionState, err error, now time.Time) (TestCheck, *TestTLS) {
	if u.Scheme == "http" {
		return warned(checkTLS, "The URL is http://, so the delivery is not encrypted.", "Use https:// unless the network in between is trusted."), nil
	}
	if state == nil {
		return explainTLSFailure(u, err)
	}
	details := &TestTLS{Version: tls.VersionName(state.Version), Cipher: tls.CipherSuiteName(state.CipherSuite)}
	if len(state.PeerCertificates) > 0 {
		details.describe(state.PeerCertificates[0])
	}
	found := fmt.Sprintf("%s with %s; the certificate of %s, issued by %s, is valid until %s.",
		details.Version, details.Cipher, details.Subject, details.Issuer, day(details.ExpiresAt))
	if details.ExpiresAt.Sub(now) < certificateNotice {
		return warned(checkTLS, found, "Renew the certificate soon, and have the server load it."), details
	}
	return passed(checkTLS, found), details
}

// describe takes in what is told of a certificate.
func (t *TestTLS) describe(c *x509.Certificate) {
	t.Subject, t.Issuer, t.ExpiresAt = nameOf(c.Subject), nameOf(c.Issuer), c.NotAfter.UTC()
	if t.Subject == "" && len(c.DNSNames) > 0 { // the names have moved there, and the subject may be empty
		t.Subject = c.DNSNames[0]
	}
}

// nameOf is a distinguished name in the usual form, or just its common name
// where it has nothing else.
func nameOf(n pkix.Name) string {
	if text := n.String(); text != "CN="+n.CommonName {
		return shortened(text)
	}
	return shortened(n.CommonName)
}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// explainTLSFailure says why the handshake failed.
func explainTLSFailure(u *url.URL, err error) (TestCheck, *TestTLS) {
	var untrusted *tls.CertificateVerificationError
	if errors.As(err, &untrusted) && len(untrusted.UnverifiedCertificates) > 0 {
		c := untrusted.UnverifiedCertificates[0]
		details := &TestTLS{}
		details.describe(c)
		return explainCertificate(u.Hostname(), c, details, untrusted.Err), details
	}
	var notTLS tls.RecordHeaderError
	var remote *net.OpError
	switch host := hostAndPort(u); {
	case errors.As(err, &notTLS):
		return failed(checkTLS, fmt.Sprintf("What listens at %s does not speak TLS.", host),
			"Correct the port in the endpoint's URL, or have the server speak TLS there."), nil
	case errors.As(err, &remote) && remote.Op == "remote error": // as crypto/tls marks an alert
		return failed(checkTLS, fmt.Sprintf("The server refused the TLS handshake: %s.", shortened(remote.Err.Error())),
			"Have the server accept TLS 1.2 or later, and a certificate for the host in the URL served."), nil
	case isTimeout(err):
		return failed(checkTLS, fmt.Sprintf("The TLS handshake with %s was not finished in time.", host),
			"Check that the port is one that speaks TLS, and that the server is not overloaded."), nil
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return failed(checkTLS, fmt.Sprintf("What listens at %s closed the connection during the TLS handshake.", host),
			"Check that the port is one that speaks TLS, and look into the server's log."), nil
	}
	return failed(checkTLS, fmt.Sprintf("The TLS handshake failed: %s.", shortened(err.Error())),
		"Look at the server's TLS configuration and its log."), nil
}

// explainCertificate says why a certificate is not accepted.
func explainCertificate(host string, c *x509.Certificate, t *TestTLS, err error) TestCheck {
	var invalid x509.CertificateInvalidError
	var wrongName x509.HostnameError
	var unknown x509.UnknownAuthorityError
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired && strings.Contains(invalid.Detail, "is before"):
		return failed(checkTLS, fmt.Sprintf("The certificate of %s is not valid before %s.", t.Subject, day(c.NotBefore)),
			"Check the clocks of both machines, or use a certificate that is valid already.")
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return failed(checkTLS, fmt.Sprintf("The certificate of %s expired on %s.", t.Subject, day(c.NotAfter)),
			"Renew the certificate, and have the server load it.")
	case errors.As(err, &wrongName):
		return failed(checkTLS, fmt.Sprintf("The certificate is for %s, not for %s.", certificateNames(c), host),
			"Use a certificate that names the host, or correct the host in the endpoint's URL.")
	case errors.As(err, &unknown) && t.Subject == t.Issuer:
		return failed(checkTLS, fmt.Sprintf("The certificate of %s is self-signed: nobody that is trusted here vouches for it.", t.Subject),
			"Use a certificate of a public authority.")
	case errors.As(err, &unknown):
		return failed(checkTLS, fmt.Sprintf("The certificate of %s is issued by %s, which is not trusted here.", t.Subject, t.Issuer),
			"Use a certificate of a public authority, and have the server send the intermediate certificates as well.")
	}
	return failed(checkTLS, fmt.Sprintf("The certificate of %s is not accepted: %s.", t.Subject, shortened(err.Error())),
		"Use another certificate.")
}

// certificateNames are the names and addresses that a certificate is for.
func certificateNames(c *x509.Certificate) string {
	var names []string
	names = append(names, c.DNSNames...)
	for _, ip := range c.IPAddresses {
		names = append(names, ip.String())
	}
	const most = 5
	switch {
	case len(names) == 0:
		return "no host at all"
	case len(names) > most:
		names = append(names[:most], fmt.Sprintf("%d others", len(names)-most))
	}
	return shortened(enumerate(names))
}
