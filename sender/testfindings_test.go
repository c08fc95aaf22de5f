package sender

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// TestEndpointFindings has everything that a test can find, in the words it is
// told in.
func TestEndpointFindings(t *testing.T) {
	const (
		reached   = "url dns egress connect tls~ "
		early     = "Have the endpoint answer 2xx as soon as it has stored the event, and do the work afterwards."
		authority = "Use a certificate of a public authority."
	)
	answer := func(code int, header ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i < len(header); i += 2 {
				w.Header().Set(header[i], header[i+1])
			}
			w.WriteHeader(code)
		}
	}
	end := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				return
			}
			_, _ = io.WriteString(conn, text)
			_ = conn.Close()
		}
	}
	lookup := func(addrs []string, err error) func(*testSite) {
		return func(site *testSite) {
			site.resolve(addrs...)
			if err != nil {
				site.current.Load().guard.lookup = func(context.Context, string) ([]netip.Addr, error) { return nil, err }
			}
		}
	}
	dial := func(err error) func(*testSite) {
		return func(site *testSite) {
			site.current.Load().guard.dial = func(context.Context, string, string) (net.Conn, error) { return nil, err }
		}
	}
	// dialTo connects to something that reads the client's first words, and then
	// serves.
	dialTo := func(serve func(net.Conn)) func(*testSite) {
		return func(site *testSite) {
			site.current.Load().guard.dial = func(context.Context, string, string) (net.Conn, error) {
				conn, other := net.Pipe()
				go func() {
					defer other.Close()
					_, _ = other.Read(make([]byte, 16<<10))
					serve(other)
				}()
				return conn, nil
			}
		}
	}
	long := time.Now().Add(1000 * time.Hour)
	old := time.Date(2020, 1, 2, 0, 0, 0, 0, time.UTC)

	tests := []struct {
		name    string
		url     string // of the endpoint; http://crm.example:PORT/ when empty
		secure  *CertificateOptions
		answer  http.HandlerFunc
		prepare func(*testSite)
		checks  string // after those that went well
		detail  string // of the last check, or of the one that has advice
		remedy  string
	}{
		// dns and egress
		{name: "no such host", prepare: lookup(nil, &net.DNSError{Err: "no such host", IsNotFound: true}), checks: "url dns!",
			detail: "The name servers know no address of crm.example.", remedy: "Check how the host is spelt, and that its DNS record (A or AAAA) is published."},
		{name: "name servers do not answer", prepare: lookup(nil, &net.DNSError{Err: "timeout", IsTimeout: true}), checks: "url dns!",
			detail: "The name servers did not answer in time when asked for crm.example.", remedy: "Try again, and if that does not help have the name servers of the domain looked at."},
		{name: "name servers fail", prepare: lookup(nil, &net.DNSError{Err: "server misbehaving", Name: "crm.example"}), checks: "url dns!",
			detail: "Looking up crm.example failed: lookup crm.example: server misbehaving.", remedy: "Have the name servers of the domain looked at, and those that this sender asks."},
		{name: "no address", prepare: lookup(nil, nil), checks: "url dns!",
			detail: "crm.example has no address.", remedy: "Publish a DNS record (A or AAAA) for the host."},
		{name: "blocked", prepare: lookup([]string{"93.184.215.14", "10.0.0.1"}, nil), checks: "url dns egress!",
			detail: "The egress rules forbid 10.0.0.1, which is private.", remedy: egressRemedy},
		// connect
		{name: "refused", prepare: func(site *testSite) { site.server.Close() }, checks: "url dns egress connect!",
			detail: "Nothing listens at crm.example:PORT: the connection was refused.", remedy: "Start the server, or correct the port in the endpoint's URL."},
		{name: "firewall", prepare: dial(context.DeadlineExceeded), checks: "url dns egress connect!",
			detail: "No connection to crm.example:PORT came about in time.", remedy: "Check that the server is up, and that its firewall lets this sender in."},
		{name: "no route", prepare: dial(errors.New("no route to host")), checks: "url dns egress connect!",
			detail: "Connecting to crm.example:PORT failed: no route to host.", remedy: "Check the endpoint's URL, and that the server can be reached from this sender's network."},
		{name: "proxy", prepare: func(site *testSite) {
			dial(errors.New("the proxy proxy.internal:3128: it answered the CONNECT to 127.0.0.1:1 with 403"))(site)
			site.current.Load().guard.proxy = "proxy.internal:3128"
		}, checks: "url dns egress connect!",
			detail: "Connecting to crm.example:PORT through a proxy failed: the proxy proxy.internal:3128: it answered the CONNECT to 127.0.0.1:1 with 403.",
			remedy: "Check that the server is up, and have the operator of this sender look at the proxy."},
		// TLS
		{name: "expired", url: "https://crm.example:PORT/", secure: &CertificateOptions{Hosts: []string{"crm.example"}, From: old.Add(-time.Hour), To: old}, checks: "url dns egress connect tls!",
			detail: "The certificate of crm.example expired on 2020-01-02.", remedy: "Renew the certificate, and have the server load it."},
		{name: "not yet valid", url: "https://crm.example:PORT/", secure: &CertificateOptions{Hosts: []string{"crm.example"}, From: time.Date(2200, 1, 2, 0, 0, 0, 0, time.UTC), To: time.Date(2201, 1, 2, 0, 0, 0, 0, time.UTC)}, checks: "url dns egress connect tls!",
			detail: "The certificate of crm.example is not valid before 2200-01-02.", remedy: "Check the clocks of both machines, or use a certificate that is valid already."},
		{name: "wrong host", url: "https://crm.example:PORT/", secure: &CertificateOptions{Hosts: []string{"a.example", "b.example"}, Addresses: []string{"127.0.0.1"}}, checks: "url dns egress connect tls!",
			detail: "The certificate is for a.example, b.example and 127.0.0.1, not for crm.example.", remedy: "Use a certificate that names the host, or correct the host in the endpoint's URL."},
		{name: "self-signed", url: "https://crm.example:PORT/", secure: &CertificateOptions{Hosts: []string{"crm.example"}, SelfSigned: true}, checks: "url dns egress connect tls!",
			detail: "The certificate of crm.example is self-signed: nobody that is trusted here vouches for it.", remedy: authority},
		{name: "unknown authority", url: "https://crm.example:PORT/", secure: &CertificateOptions{Hosts: []string{"crm.example"}}, checks: "url dns egress connect tls!",
			prepare: func(site *testSite) { site.current.Load().transport.TLSClientConfig = nil },
			detail:  "The certificate of crm.example is issued by Test Authority, which is not trusted here.", remedy: "Use a certificate of a public authority, and have the server send the intermediate certificates as well."},
		{name: "plain HTTP on the port", url: "https://crm.example:PORT/", checks: "url dns egress connect tls!",
			detail: "What listens at crm.example:PORT does not speak TLS.", remedy: "Correct the port in the endpoint's URL, or have the server speak TLS there."},
		{name: "closed during the handshake", url: "https://crm.example:PORT/", prepare: dialTo(func(net.Conn) {}), checks: "url dns egress connect tls!",
			detail: "What listens at crm.example:PORT closed the connection during the TLS handshake.", remedy: "Check that the port is one that speaks TLS, and look into the server's log."},
		{name: "handshake refused", url: "https://crm.example:PORT/", prepare: dialTo(func(c net.Conn) { _, _ = c.Write([]byte{21, 3, 3, 0, 2, 2, 40}) }), checks: "url dns egress connect tls!",
			detail: "The server refused the TLS handshake: tls: handshake failure.", remedy: "Have the server accept TLS 1.2 or later, and a certificate for the host in the URL served."},
		{name: "handshake without end", url: "https://crm.example:PORT/", prepare: func(site *testSite) {
			dialTo(func(c net.Conn) {
				site.clock.timeout()
				_, _ = c.Read(make([]byte, 1)) // until the other side leaves
			})(site)
		}, checks: "url dns egress connect tls!",
			detail: "The TLS handshake with crm.example:PORT was not finished in time.", remedy: "Check that the port is one that speaks TLS, and that the server is not overloaded."},
		{name: "expires soon", url: "https://crm.example:PORT/", secure: &CertificateOptions{Hosts: []string{"crm.example"}, From: old, To: long},
			prepare: func(site *testSite) { site.clock.step(long.Add(-13 * 24 * time.Hour).Sub(site.clock.Now())) },
			checks:  "url dns egress connect tls~ answer time signature~", remedy: "Renew the certificate soon, and have the server load it."},
		// answers
		{name: "301", answer: answer(301, "Location", "https://other.example/"), checks: reached + "answer!",
			detail: "The endpoint answered 301 Moved Permanently to https://other.example/: redirects are not followed.", remedy: "Set the endpoint's URL to that one, if it is the one that is meant."},
		{name: "302 without Location", answer: answer(302), checks: reached + "answer!",
			detail: "The endpoint answered 302 Found, without a Location: redirects are not followed.", remedy: "Set the endpoint's URL to where it leads."},
		{name: "304", answer: answer(304), checks: reached + "answer!",
			detail: "The endpoint answered 304 Not Modified, which is no answer to a delivery.", remedy: "Have it answer 2xx."},
		{name: "400", answer: answer(400), checks: reached + "answer!",
			detail: "The endpoint answered 400 Bad Request: it does not understand the request.", remedy: "Check that it reads the body as this sample is laid out, and look into its log."},
		{name: "401", answer: answer(401), checks: reached + "answer!",
			detail: "The endpoint answered 401 Unauthorized: the endpoint refuses the signature or its own authentication.", remedy: "Check that it has this webhook's secret and reads the raw body."},
		{name: "403", answer: answer(403), checks: reached + "answer!",
			detail: "The endpoint answered 403 Forbidden: the endpoint refuses the signature or its own authentication.", remedy: "Check that it has this webhook's secret and reads the raw body."},
		{name: "404", answer: answer(404), checks: reached + "answer!",
			detail: "The endpoint answered 404 Not Found: there is nothing at the path of the URL.", remedy: "Correct the path in the endpoint's URL, or publish the route there."},
		{name: "405", answer: answer(405), checks: reached + "answer!",
			detail: "The endpoint answered 405 Method Not Allowed: the path of the URL does not take POST.", remedy: "Have the route accept POST, or correct the path in the endpoint's URL."},
		{name: "410", answer: answer(410), checks: reached + "answer!",
			detail: "The endpoint answered 410 Gone: it wants no more events, and to a delivery this would disable the endpoint.", remedy: "Correct the endpoint's URL, or have it answer 2xx."},
		{name: "413", answer: answer(413), checks: reached + "answer!",
			detail: "The endpoint answered 413 Request Entity Too Large: the body is too large for it.", remedy: "Raise the size that the server, and a proxy before it, accept for a request's body."},
		{name: "415", answer: answer(415), checks: reached + "answer!",
			detail: "The endpoint answered 415 Unsupported Media Type: it does not take the Content-Type of the delivery.", remedy: "Have it accept the Content-Type shown in the request, or choose another format for the endpoint."},
		{name: "418", answer: answer(418), checks: reached + "answer!",
			detail: "The endpoint answered 418 I'm a teapot: it refuses the request.", remedy: "Look into its log, and have it answer 2xx."},
		{name: "429", answer: answer(429, "Retry-After", "90"), checks: reached + "answer!",
			detail: "The endpoint answered 429 Too Many Requests: it gets too many requests, and asks to be left alone for 1m30s.", remedy: "Raise its limit for this sender, or give the endpoint a rate that it can keep up with."},
		{name: "500", answer: answer(500), checks: reached + "answer!",
			detail: "The endpoint answered 500 Internal Server Error: it failed while it handled the request.", remedy: "Look for the error in its log."},
		{name: "502", answer: answer(502), checks: reached + "answer!",
			detail: "The endpoint answered 502 Bad Gateway: a proxy before it has no answer from the application.", remedy: "Check that the application behind the proxy is up, and look into the proxy's log."},
		{name: "503", answer: answer(503), checks: reached + "answer!",
			detail: "The endpoint answered 503 Service Unavailable: it is not available at the moment.", remedy: "Try again later; deliveries are retried on the schedule."},
		{name: "504", answer: answer(504), checks: reached + "answer!",
			detail: "The endpoint answered 504 Gateway Timeout: a proxy before it had no answer from the application in time.", remedy: "Have the application answer 2xx as soon as it has stored the event, and do the work afterwards."},
		{name: "599", answer: answer(599), checks: reached + "answer!",
			detail: "The endpoint answered 599: it failed while it handled the request.", remedy: "Look for the error in its log."},
		{name: "101", answer: end("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"), checks: reached + "answer!",
			detail: "The endpoint answered 101 Switching Protocols, which is no answer to a delivery.", remedy: "Have it answer 2xx."},
		{name: "plain HTTP to a TLS port", secure: &CertificateOptions{}, checks: reached + "answer!",
			detail: "The endpoint answered 400 Bad Request: the port expects TLS.", remedy: "Write https:// in the endpoint's URL."},
		{name: "no answer", answer: end(""), checks: reached + "answer!",
			detail: "The server closed the connection without an answer.", remedy: "Look for this request in the server's log, and check that nothing before it, such as a firewall, refuses it."},
		{name: "no HTTP", answer: end("SSH-2.0\r\n\r\n"), checks: reached + "answer!",
			detail: `The answer is not valid HTTP: net/http: HTTP/1.x transport connection broken: malformed HTTP response "SSH-2.0".`, remedy: "Check that the port in the endpoint's URL is that of a web server."},
		{name: "breaks off", answer: end("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"), checks: reached + "answer!",
			detail: "The endpoint answered 200 OK, but the answer broke off.", remedy: "Check that what answers, or a proxy before it, does not end the connection early."},
		// time and signature
		{name: "half of the time", prepare: func(site *testSite) {
			site.server.Config.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { site.clock.step(15 * time.Second) })
		}, checks: reached + "answer time~ signature~", detail: "The exchange took 15s of the 30s that it may.", remedy: early},
		{name: "less than half of the time", prepare: func(site *testSite) {
			site.server.Config.Handler = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { site.clock.step(15*time.Second - 1) })
		}, checks: reached + "answer time signature~", detail: "The delivery is not signed.", remedy: "Give the endpoint a secret, so that it can tell this sender's deliveries from forged ones."},
		{name: "no answer in time", prepare: func(site *testSite) {
			site.server.Config.Handler = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				site.clock.timeout()
				<-r.Context().Done()
			})
		}, checks: reached + "answer!", detail: "No answer came within 30s.", remedy: early},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			site := newTestSite(t, test.answer, test.secure)
			if test.prepare != nil {
				test.prepare(site)
			}
			if test.url == "" {
				test.url = "http://crm.example:PORT/"
			}
			report := site.test(Endpoint{URL: test.url}, "message.created")
			if got := names(report.Checks); got != test.checks {
				t.Fatalf("the checks are\n%q, want\n%q\n%+v", got, test.checks, report)
			}
			ok := !strings.HasSuffix(test.checks, "!")
			if report.OK != ok {
				t.Errorf("OK is %t", report.OK)
			}
			text := func(s string) string { return strings.ReplaceAll(s, "PORT", site.port) }
			found := false
			for _, c := range report.Checks {
				found = found || c.Remedy == test.remedy && (test.detail == "" || c.Detail == text(test.detail))
			}
			if !found {
				t.Errorf("the checks are\n%+v, want one with\n%s\n%s", report.Checks, text(test.detail), test.remedy)
			}
			if !ok && report.Summary != text(test.detail) {
				t.Errorf("the summary is %q, want %q", report.Summary, text(test.detail))
			}
			if strings.Contains(test.checks, "tls!") && test.secure != nil && (report.TLS == nil || report.TLS.Subject != "crm.example" || report.TLS.Version != "") {
				t.Errorf("TLS is %+v", report.TLS)
			}
		})
	}
}
