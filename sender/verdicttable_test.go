package sender_test

import (
	"context"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/sender"
)

// What comes next in a row of the verdict table, besides a time after the
// attempt at which the next one is due, to the second.
const (
	never    = time.Duration(-1) // it has ended, or waits for a change
	schedule = time.Duration(-2) // the first wait of the schedule, 5 s, varied by 20 %
	atOnce   = time.Duration(0)  // once the endpoint has changed
)

// verdictRow is what an endpoint does to the first attempt of a delivery, and
// what follows from that.
type verdictRow struct {
	name   string
	answer answerFunc                     // of the endpoint, in HTTP
	site   func(*testing.T, *verdictSite) // what else is special about it
	late   bool                           // the attempt ends with its 30 s
	torn   bool                           // what has been sent may be lost on the way
	status int                            // that is recorded
	want   sender.Verdict                 // of the attempt
	next   time.Duration                  // attempt
	error  string                         // that is recorded; "…" at either end stands for more
	body   string                         // what is kept of it
}

type answerFunc func(t *testing.T, w http.ResponseWriter, r *http.Request)

// verdictSite is the endpoint of a row, which may be changed before the sender
// starts.
type verdictSite struct {
	*peer
	config  sender.Config
	prepare func(*rig)
}

const (
	succeeded = sender.VerdictSucceeded
	retried   = sender.VerdictRetry
	disabled  = sender.VerdictGone
	blocked   = sender.VerdictBlocked
)

// overTLS serves with a certificate, which the sender trusts or does not.
func overTLS(trusted bool, o sender.CertificateOptions) func(*testing.T, *verdictSite) {
	return func(t *testing.T, site *verdictSite) {
		site.Server.Close()
		site.Server = httptest.NewUnstartedServer(site.peer)
		site.Config.ErrorLog = log.New(io.Discard, "", 0)
		pool := sender.ServeTLS(t, site.Server, o)
		if trusted {
			site.prepare = func(r *rig) { r.TrustRoots(pool) }
		}
	}
}

// verdictTable has every row of "What counts as delivered", and everything that
// a hostile endpoint can do.
func verdictTable() []verdictRow {
	const (
		redirected = ": redirects are not followed, so set the endpoint's URL to the final one"
		timedOut   = "no complete answer in time: the limit is 30s"
		hour       = "Tue, 05 Mar 2024 11:30:00 GMT" // in an hour
	)
	now := time.Now()
	return []verdictRow{
		// 2xx is delivered.
		{name: "200", answer: answers(200), status: 200, want: succeeded, next: never},
		{name: "201", answer: answers(201), status: 201, want: succeeded, next: never},
		{name: "204", answer: answers(204), status: 204, want: succeeded, next: never},
		{name: "299", answer: answers(299), status: 299, want: succeeded, next: never},
		{name: "200 that asks for a pause", answer: answers(200, "Retry-After", "3600"), status: 200, want: succeeded, next: never},
		{name: "200 over TLS", site: overTLS(true, sender.CertificateOptions{}), answer: answers(200), status: 200, want: succeeded, next: never},
		{name: "200 after early hints", answer: sends("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), status: 200, want: succeeded, next: never, body: "ok"},
		{name: "200 of HTTP/1.0", answer: sends("HTTP/1.0 200 OK\r\n\r\nok"), status: 200, want: succeeded, next: never, body: "ok"},

		// 3xx is not followed.
		{name: "300", answer: answers(300), status: 300, want: retried, next: schedule, error: "the endpoint answered 300" + redirected},
		{name: "301", answer: answers(301, "Location", "/elsewhere"), status: 301, want: retried, next: schedule, error: "the endpoint answered 301" + redirected},
		{name: "302", answer: answers(302, "Location", "/elsewhere"), status: 302, want: retried, next: schedule, error: "the endpoint answered 302" + redirected},
		{name: "303", answer: answers(303, "Location", "/elsewhere"), status: 303, want: retried, next: schedule, error: "the endpoint answered 303" + redirected},
		{name: "304", answer: answers(304), status: 304, want: retried, next: schedule, error: "the endpoint answered 304"},
		{name: "307", answer: answers(307, "Location", "/elsewhere"), status: 307, want: retried, next: schedule, error: "the endpoint answered 307" + redirected},
		{name: "308", answer: answers(308, "Location", "/elsewhere"), status: 308, want: retried, next: schedule, error: "the endpoint answered 308" + redirected},
		{name: "302 without Location", answer: answers(302), status: 302, want: retried, next: schedule, error: "the endpoint answered 302" + redirected},
		{name: "302 to what is no URL", answer: answers(302, "Location", "http://%zz"), status: 302, want: retried, next: schedule, error: "the endpoint answered 302" + redirected},

		// 410 disables.
		{name: "410", answer: answers(410), status: 410, want: disabled, next: atOnce, error: "the endpoint answered 410"},
		{name: "410 that asks for a pause", answer: answers(410, "Retry-After", "3600"), status: 410, want: disabled, next: atOnce, error: "the endpoint answered 410"},

		// 429 and 503 may ask for a pause.
		{name: "429", answer: answers(429), status: 429, want: retried, next: schedule, error: "the endpoint answered 429"},
		{name: "429, seconds", answer: answers(429, "Retry-After", "3600"), status: 429, want: retried, next: time.Hour, error: "the endpoint answered 429"},
		{name: "429, date", answer: answers(429, "Retry-After", hour), status: 429, want: retried, next: time.Hour, error: "the endpoint answered 429"},
		{name: "429, garbage", answer: answers(429, "Retry-After", "soon"), status: 429, want: retried, next: schedule, error: "the endpoint answered 429"},
		{name: "429, negative", answer: answers(429, "Retry-After", "-3600"), status: 429, want: retried, next: schedule, error: "the endpoint answered 429"},
		{name: "429, more than a day", answer: answers(429, "Retry-After", "172800"), status: 429, want: retried, next: 24 * time.Hour, error: "the endpoint answered 429"},
		{name: "503", answer: answers(503), status: 503, want: retried, next: schedule, error: "the endpoint answered 503"},
		{name: "503, seconds", answer: answers(503, "Retry-After", "3600"), status: 503, want: retried, next: time.Hour, error: "the endpoint answered 503"},
		{name: "503, date", answer: answers(503, "Retry-After", hour), status: 503, want: retried, next: time.Hour, error: "the endpoint answered 503"},
		{name: "503, date in the past", answer: answers(503, "Retry-After", "Tue, 05 Mar 2024 09:30:00 GMT"), status: 503, want: retried, next: schedule, error: "the endpoint answered 503"},
		{name: "503, date in a year", answer: answers(503, "Retry-After", "Wed, 05 Mar 2025 10:30:00 GMT"), status: 503, want: retried, next: 24 * time.Hour, error: "the endpoint answered 503"},
		{name: "503, sooner than the schedule", answer: answers(503, "Retry-After", "1"), status: 503, want: retried, next: schedule, error: "the endpoint answered 503"},
		{name: "503, a number without end", answer: answers(503, "Retry-After", strings.Repeat("9", 1000)), status: 503, want: retried, next: 24 * time.Hour, error: "the endpoint answered 503"},
		{name: "500 may not ask", answer: answers(500, "Retry-After", "3600"), status: 500, want: retried, next: schedule, error: "the endpoint answered 500"},

		// Any other status is retried.
		{name: "400", answer: answers(400), status: 400, want: retried, next: schedule, error: "the endpoint answered 400"},
		{name: "401", answer: answers(401, "WWW-Authenticate", "Basic"), status: 401, want: retried, next: schedule, error: "the endpoint answered 401"},
		{name: "403", answer: answers(403), status: 403, want: retried, next: schedule, error: "the endpoint answered 403"},
		{name: "404", answer: answers(404), status: 404, want: retried, next: schedule, error: "the endpoint answered 404"},
		{name: "407", answer: answers(407), status: 407, want: retried, next: schedule, error: "the endpoint answered 407"},
		{name: "408", answer: answers(408), status: 408, want: retried, next: schedule, error: "the endpoint answered 408"},
		{name: "409", answer: answers(409), status: 409, want: retried, next: schedule, error: "the endpoint answered 409"},
		{name: "422", answer: answers(422), status: 422, want: retried, next: schedule, error: "the endpoint answered 422"},
		{name: "500", answer: sends("HTTP/1.1 500 Oops\r\nContent-Length: 12\r\n\r\nout of order"), status: 500, want: retried, next: schedule, error: "the endpoint answered 500", body: "out of order"},
		{name: "502", answer: answers(502), status: 502, want: retried, next: schedule, error: "the endpoint answered 502"},
		{name: "504", answer: answers(504), status: 504, want: retried, next: schedule, error: "the endpoint answered 504"},
		{name: "999", answer: sends("HTTP/1.1 999 Strange\r\n\r\n"), status: 999, want: retried, next: schedule, error: "the endpoint answered 999"},
		{name: "101", answer: sends("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: webhooks\r\n\r\n"), status: 101, want: retried, next: schedule, error: "the endpoint answered 101"},
		// What follows a 101 is of another protocol, and has no end that anybody
		// would see: it is not waited for.
		{name: "101 that goes on", answer: stalls("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: webhooks\r\n\r\n"), status: 101, want: retried, next: schedule, error: "the endpoint answered 101"},
		{name: "101 that goes on over TLS", site: overTLS(true, sender.CertificateOptions{}), answer: stalls("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: webhooks\r\n\r\n"), status: 101, want: retried, next: schedule, error: "the endpoint answered 101"},

		// Bodies. At most 64 KiB are read, and 16 KiB kept; what counts is the
		// status.
		{name: "a long body", answer: sends("HTTP/1.1 200 OK\r\n\r\n" + longBody), status: 200, want: succeeded, next: never, body: longBody[:16<<10]},
		{name: "a body without end", answer: pours(200), status: 200, want: succeeded, next: never, body: longBody[:16<<10]},
		{name: "a failure's body without end", answer: pours(500), status: 500, want: retried, next: schedule, error: "the endpoint answered 500", body: longBody[:16<<10]},
		{name: "a gzip bomb", answer: func(_ *testing.T, w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = io.WriteString(w, gzipBomb)
		}, status: 200, want: succeeded, next: never, body: gzipBomb},
		{name: "a body that is shorter than declared", answer: sends("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npartial"), status: 200, want: retried, next: schedule, error: "the answer broke off: unexpected EOF", body: "partial"},
		{name: "a chunked body that breaks off", answer: sends("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\npartial\r\n"), status: 200, want: retried, next: schedule, error: "the answer broke off: unexpected EOF", body: "partial"},
		{name: "a chunk that is none", answer: sends("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), status: 200, want: retried, next: schedule, error: "the answer broke off: invalid byte in chunk length"},
		{name: "a reset in the body", answer: resets("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npartial"), torn: true, want: retried, next: schedule, error: "…connection reset by peer"},

		// Time.
		{name: "headers that do not come", late: true, answer: stalls(""), want: retried, next: schedule, error: timedOut},
		{name: "dripping headers", late: true, answer: drips("HTTP/1.1 200 OK\r\n", "X: y\r\n"), want: retried, next: schedule, error: timedOut},
		{name: "a body that does not come", late: true, answer: stalls("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"), status: 200, want: retried, next: schedule, error: timedOut},
		{name: "a dripping body", late: true, answer: drips("HTTP/1.1 200 OK\r\n\r\n", "x"), status: 200, want: retried, next: schedule, error: timedOut},

		// What is no answer.
		{name: "a reset before the answer", answer: resets(""), want: retried, next: schedule, error: "…connection reset by peer"},
		{name: "closed before the answer", answer: sends(""), want: retried, next: schedule, error: "EOF"},
		{name: "closed within the headers", answer: sends("HTTP/1.1 200 OK\r\nX: "), want: retried, next: schedule, error: "…unexpected EOF"},
		{name: "no HTTP", answer: sends("SSH-2.0-" + strings.Repeat("x", 3000) + "\r\n\r\n"), want: retried, next: schedule, error: `net/http: HTTP/1.x transport connection broken: malformed HTTP response "SSH-2.0-xxx…`},
		{name: "noise", answer: sends("\x00\xff\xfe\x01\r\n\r\n"), want: retried, next: schedule, error: "net/http: HTTP/1.x transport connection broken: malformed HTTP response…"},
		{name: "no status", answer: sends("HTTP/1.1 OK\r\n\r\n"), want: retried, next: schedule, error: `…malformed HTTP status code "OK"`},
		{name: "two lengths", answer: sends("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx"), want: retried, next: schedule, error: "…Content-Length headers…"},
		{name: "headers without end", answer: sends("HTTP/1.1 200 OK\r\n" + strings.Repeat("X: "+longBody[:1000]+"\r\n", 100) + "\r\n"), want: retried, next: schedule, error: "…server response headers exceeded 65536 bytes; aborted"},
		{name: "100 Continue many times", answer: sends(strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 1000) + "HTTP/1.1 204 No Content\r\n\r\n"), status: 204, want: succeeded, next: never},
		{name: "100 Continue without end", answer: sends(strings.Repeat("HTTP/1.1 100 Continue\r\n\r\n", 4000)), want: retried, next: schedule, error: "…server response headers exceeded 65536 bytes; aborted"},
		{name: "early hints without end", answer: sends(strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", 4000)), want: retried, next: schedule, error: "…server response headers exceeded 65536 bytes; aborted"},

		// TLS.
		{name: "self-signed", site: overTLS(true, sender.CertificateOptions{SelfSigned: true}), want: retried, next: schedule, error: "tls: failed to verify certificate: x509: certificate signed by unknown authority"},
		{name: "unknown authority", site: overTLS(false, sender.CertificateOptions{}), want: retried, next: schedule, error: "tls: failed to verify certificate: x509: certificate signed by unknown authority"},
		{name: "expired", site: overTLS(true, sender.CertificateOptions{From: now.Add(-2 * time.Hour), To: now.Add(-time.Hour)}), want: retried, next: schedule, error: "tls: failed to verify certificate: x509: certificate has expired or is not yet valid: …"},
		{name: "not valid yet", site: overTLS(true, sender.CertificateOptions{From: now.Add(time.Hour), To: now.Add(2 * time.Hour)}), want: retried, next: schedule, error: "tls: failed to verify certificate: x509: certificate has expired or is not yet valid: …"},
		{name: "wrong host", site: overTLS(true, sender.CertificateOptions{Hosts: []string{"other.example"}}), want: retried, next: schedule, error: "tls: failed to verify certificate: x509: cannot validate certificate for 127.0.0.1 because it doesn't contain any IP SANs"},
		{name: "plain HTTP on the TLS port", site: func(_ *testing.T, site *verdictSite) {
			site.config.Endpoints[0].URL = strings.Replace(site.config.Endpoints[0].URL, "http://", "https://", 1)
		}, want: retried, next: schedule, error: "tls: first record does not look like a TLS handshake"},
		{name: "TLS on the plain port", site: func(t *testing.T, site *verdictSite) {
			overTLS(true, sender.CertificateOptions{})(t, site)
			site.config.Endpoints[0].URL = strings.Replace(site.URL, "https://", "http://", 1) + "/hooks"
		}, status: 400, want: retried, next: schedule, error: "the endpoint answered 400", body: "Client sent an HTTP request to an HTTPS server."},

		// No connection.
		{name: "connection refused", site: func(_ *testing.T, site *verdictSite) { site.Close() }, want: retried, next: schedule, error: "…connection refused"},
		{name: "no such host", site: func(_ *testing.T, site *verdictSite) {
			site.config.Endpoints[0].URL = "http://gone.example/hooks"
			site.prepare = func(r *rig) {
				r.SetLookup(func(_ context.Context, host string) ([]netip.Addr, error) {
					return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
				})
			}
		}, want: retried, next: schedule, error: "lookup gone.example: no such host"},
		{name: "no address", site: func(_ *testing.T, site *verdictSite) {
			site.config.Endpoints[0].URL = "http://empty.example/hooks"
			site.prepare = func(r *rig) {
				r.SetLookup(func(context.Context, string) ([]netip.Addr, error) { return nil, nil })
			}
		}, want: retried, next: schedule, error: "empty.example has no address"},

		// The egress rules.
		{name: "blocked", site: func(_ *testing.T, site *verdictSite) {
			site.config.Egress.Allow = nil
			u, err := url.Parse(site.URL)
			if err != nil {
				return
			}
			site.config.Endpoints[0].URL = "http://evil.example:" + u.Port() + "/hooks"
			site.prepare = func(r *rig) {
				r.SetLookup(func(context.Context, string) ([]netip.Addr, error) {
					return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
				})
			}
		}, want: blocked, next: never, error: "blocked by the egress rules: evil.example is at 127.0.0.1, which is loopback: allow the host or the address in egress if that is meant"},
	}
}

// TestVerdictTable makes the first attempt of a delivery to each of the
// endpoints of the table.
func TestVerdictTable(t *testing.T) {
	table := verdictTable()
	for i := range table {
		t.Run(table[i].name, func(t *testing.T) { table[i].try(t) })
	}
}

func (row *verdictRow) try(t *testing.T) {
	begun := make(chan struct{}, 10)
	site := &verdictSite{peer: newPeer(t, func(w http.ResponseWriter, r *http.Request, _ int) {
		begun <- struct{}{}
		row.answer(t, w, r)
	})}
	site.config = toPeers(site.peer)
	if row.site != nil {
		before := site.URL
		row.site(t, site)
		if site.config.Endpoints[0].URL == before+"/hooks" {
			site.config.Endpoints[0].URL = site.URL + "/hooks"
		}
	}
	r := &rig{t: t, clock: newFakeClock(), config: site.config}
	r.open()
	if site.prepare != nil {
		site.prepare(r)
	}
	r.start()
	r.publish("e")
	if row.late {
		<-begun
		r.clock.advance(30 * time.Second)
	}
	row.check(t, r, r.settled("e", "a", 1))

	// Nothing but the endpoint's URL was asked for, and by an HTTP exchange alone.
	exchanged := 0
	if row.answer != nil {
		exchanged = 1
	}
	site.waitFor(t, exchanged)
	for _, got := range site.all() {
		if got.uri != "/hooks" {
			t.Errorf("requested %s", got.uri)
		}
	}
}

func (row *verdictRow) check(t *testing.T, r *rig, d sender.DeliveryRecord) {
	t.Helper()
	got := d.History[0]
	if got.Number != 1 || got.Verdict != row.want {
		t.Errorf("attempt %d: %s, want attempt 1: %s (%s)", got.Number, got.Verdict, row.want, got.Error)
	}
	// Whether a status, or a part of the body, has come before the end is a
	// matter of luck.
	lucky := row.late || row.torn
	if got.StatusCode != row.status && !lucky {
		t.Errorf("status %d, want %d", got.StatusCode, row.status)
	}
	if !matches(got.Error, row.error) {
		t.Errorf("the error is\n%.300q, want\n%q", got.Error, row.error)
	}
	if len(got.Error) > 1100 {
		t.Errorf("the error has %d bytes", len(got.Error))
	}
	if body := strings.TrimSpace(string(got.ResponseBody)); body != strings.TrimSpace(row.body) && !lucky {
		t.Errorf("%d bytes of the body are kept: %.40q, want %d: %.40q", len(body), body, len(row.body), row.body)
	}
	status := map[sender.Verdict]sender.Status{succeeded: sender.Succeeded, retried: sender.Pending, disabled: sender.Pending, blocked: sender.Blocked}[row.want]
	if d.Status != status || d.Attempts != 1 {
		t.Errorf("the delivery is %s after %d attempts, want %s after 1", d.Status, d.Attempts, status)
	}
	wait := d.Due.Sub(r.clock.Now())
	switch row.next {
	case never:
		if !d.Due.IsZero() {
			t.Errorf("the next attempt is due in %s, want none", wait)
		}
	case schedule:
		if wait < 4*time.Second-time.Millisecond || wait > 6*time.Second {
			t.Errorf("the next attempt is due in %s, want about 5s", wait)
		}
	default:
		if wait != row.next {
			t.Errorf("the next attempt is due in %s, want %s", wait, row.next)
		}
	}
}

// matches compares a text with what is wanted, which stands for more where it
// has "…" at an end.
func matches(got, want string) bool {
	middle := strings.TrimSuffix(strings.TrimPrefix(want, "…"), "…")
	before, after := strings.HasPrefix(want, "…"), strings.HasSuffix(want, "…")
	switch {
	case before && after:
		return strings.Contains(got, middle)
	case before:
		return strings.HasSuffix(got, middle)
	case after:
		return strings.HasPrefix(got, middle)
	}
	return got == want
}

// TestRedirectElsewhere: where a redirect leads never hears of the delivery,
// nor of its signature, whichever status it has.
func TestRedirectElsewhere(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		elsewhere := newPeer(t, nil)
		p := newPeer(t, func(w http.ResponseWriter, _ *http.Request, _ int) {
			w.Header().Set("Location", elsewhere.URL)
			w.WriteHeader(status)
		})
		r := newRig(t, toPeers(p))
		r.publish("e")
		d := r.settled("e", "a", 1)
		elsewhere.mu.Lock()
		opened := elsewhere.opened
		elsewhere.mu.Unlock()
		if opened > 0 || d.Status != sender.Pending {
			t.Errorf("%d: %d connections to where it leads, and the delivery is %s", status, opened, d.Status)
		}
	}
}
