package sender

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/manysends/caddy-webhooks/webhook"
)

// testSite is a server that endpoints are tested against, and the sender that
// tests them.
type testSite struct {
	*Sender
	t      *testing.T
	clock  *stepClock
	server *httptest.Server
	port   string
	got    []*http.Request
	bodies []string
}

// newTestSite makes a site at 127.0.0.1, which every name resolves to. It speaks
// TLS when it is given a certificate, which the sender trusts.
func newTestSite(t *testing.T, answer http.HandlerFunc, secure *CertificateOptions) *testSite {
	t.Helper()
	site := &testSite{t: t, clock: newStepClock()}
	site.Sender = bareSender(t, site.clock, Egress{Allow: []string{"127.0.0.0/8"}, AllowHTTP: true})
	site.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		site.got = append(site.got, r)
		site.bodies = append(site.bodies, string(body))
		if answer != nil {
			answer(w, r)
		}
	}))
	site.server.Config.ErrorLog = log.New(io.Discard, "", 0)
	if secure != nil {
		pool := ServeTLS(t, site.server, *secure)
		site.current.Load().transport.TLSClientConfig = &tls.Config{RootCAs: pool}
	} else {
		site.server.Start()
		t.Cleanup(site.server.Close)
	}
	_, site.port, _ = net.SplitHostPort(site.server.Listener.Addr().String())
	site.resolve("127.0.0.1")
	return site
}

// resolve has every name be at the addresses.
func (site *testSite) resolve(addrs ...string) {
	site.current.Load().guard.lookup = func(context.Context, string) ([]netip.Addr, error) {
		var found []netip.Addr
		for _, s := range addrs {
			found = append(found, netip.MustParseAddr(s))
		}
		return found, nil
	}
}

// test tests an endpoint at a URL, in which PORT stands for the site's.
func (site *testSite) test(e Endpoint, eventType string) TestReport {
	site.t.Helper()
	e.ID, e.URL = "a", strings.Replace(e.URL, "PORT", site.port, 1)
	report, err := site.testTarget(site.t.Context(), site.compileTarget(site.t, e), eventType)
	if err != nil {
		site.t.Fatal(err)
	}
	return report
}

// names are those of the checks, with "!" after one that failed and "~" after
// one that has advice.
func names(checks []TestCheck) string {
	var list []string
	for _, c := range checks {
		name := c.Name
		switch {
		case !c.OK:
			name += "!"
		case c.Remedy != "":
			name += "~"
		}
		list = append(list, name)
	}
	return strings.Join(list, " ")
}

// TestEndpointTakesSample: the report of a test that went well is complete, and
// tells exactly what was sent.
func TestEndpointTakesSample(t *testing.T) {
	site := newTestSite(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Date"] = nil
		w.WriteHeader(http.StatusAccepted)
	}, &CertificateOptions{Hosts: []string{"crm.example"}, From: time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC), To: time.Now().Add(1000 * time.Hour)})
	e := Endpoint{
		URL: "https://user:hunter2@crm.example:PORT/hooks?a=b", Secrets: []string{testSecret},
		Headers: map[string]string{"X-Api-Key": "hunter2"}, Events: []string{"message.*"},
	}
	report := site.test(e, "")
	if want := "url dns egress connect tls answer time signature"; names(report.Checks) != want || !report.OK {
		t.Fatalf("the checks are %q (%t), want %q: %s", names(report.Checks), report.OK, want, report.Summary)
	}
	address := "127.0.0.1:" + site.port
	certificateEnd := report.TLS.ExpiresAt.Format(time.DateOnly)
	var details []string
	for _, c := range report.Checks {
		details = append(details, c.Detail)
	}
	if diff := cmp.Diff([]string{
		"https://crm.example:" + site.port + "/hooks?a=b can be posted to.",
		"crm.example has the address 127.0.0.1.",
		"The egress rules allow 127.0.0.1 (loopback, but opened by 127.0.0.0/8).",
		"Connected to " + address + " in 0s.",
		"TLS 1.3 with TLS_AES_128_GCM_SHA256; the certificate of crm.example, issued by Test Authority, is valid until " + certificateEnd + ".",
		"The endpoint answered 202 Accepted.",
		"The exchange took 0s; it may take 30s.",
		"The delivery is signed; whether the endpoint checks that cannot be seen from here.",
	}, details); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if want := "The endpoint took the sample: it answered 202 Accepted after 0s."; report.Summary != want {
		t.Errorf("the summary is %q, want %q", report.Summary, want)
	}
	if webhook.CheckEventID(report.EventID) != nil || !strings.HasPrefix(report.EventID, "evt_") || report.Type != "message.created" {
		t.Errorf("sent %q of the type %q", report.EventID, report.Type)
	}
	if a := report.Attempt; a.Number != 1 || a.StatusCode != 202 || a.Verdict != VerdictSucceeded || a.RemoteAddr != address {
		t.Errorf("the attempt is %+v", a)
	}

	// What is shown is what was sent.
	if len(site.got) != 1 {
		t.Fatalf("%d requests were sent", len(site.got))
	}
	got, body := site.got[0], site.bodies[0]
	if report.Request.Method != got.Method || report.Request.URL != "https://"+got.Host+got.RequestURI || report.Request.Body != body {
		t.Errorf("shown: %+v, but sent: %s https://%s%s, %s", report.Request, got.Method, got.Host, got.RequestURI, body)
	}
	sent := got.Header.Clone()
	sent.Del("Content-Length") // which the transport adds
	if sent.Get("X-Api-Key") != "hunter2" || sent.Get("Authorization") != "Basic dXNlcjpodW50ZXIy" {
		t.Errorf("sent without the credentials: %v", sent)
	}
	sent.Set("X-Api-Key", "[hidden]")
	sent.Set("Authorization", "[hidden]")
	if diff := cmp.Diff(sent, report.Request.Headers); diff != "" {
		t.Errorf("headers (-sent +shown):\n%s", diff)
	}
	if _, err := webhook.Verify([]webhook.Verifier{parsedSecret(t)}, report.Request.Headers, []byte(report.Request.Body), site.clock.Now(), time.Second); err != nil {
		t.Error(err)
	}
	if _, err := webhook.VerifyBody([]*webhook.Secret{parsedSecret(t)}, []byte(body)); err != nil {
		t.Error(err)
	}
	var envelope struct {
		Event string
		Data  json.RawMessage
	}
	sample, _ := site.current.Load().catalogue.Find("message.created")
	if err := json.Unmarshal([]byte(body), &envelope); err != nil || envelope.Event != "message.created" || string(envelope.Data) != string(sample.Sample) {
		t.Errorf("%v: %s", err, body)
	}

	// Nothing of the report can be used to change a later one.
	report.Request.Headers.Set("User-Agent", "changed")
	report.Request.Headers["X-Api-Key"][0] = "changed"
	if again := site.test(e, ""); again.Request.Headers.Get("User-Agent") != userAgent || again.Request.Headers.Get("X-Api-Key") != "[hidden]" {
		t.Errorf("the next one shows %v", again.Request.Headers)
	}
	if again := site.test(e, ""); again.EventID == report.EventID {
		t.Error("two tests have the same event ID")
	}
}

func parsedSecret(t *testing.T) *webhook.Secret {
	t.Helper()
	s, err := webhook.ParseSecret(testSecret)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestEndpointBodyWithoutEnd: a status alone is not an answer in time.
func TestEndpointBodyWithoutEnd(t *testing.T) {
	arrived := make(chan struct{})
	site := newTestSite(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "9")
		_ = http.NewResponseController(w).Flush()
		<-arrived
		<-r.Context().Done()
	}, nil)
	target := site.compileTarget(t, Endpoint{ID: "a", URL: "http://crm.example:" + site.port})
	g := site.current.Load().guard
	dial := g.dial
	g.dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		return &countingConn{Conn: conn, read: func() { // the second read waits for the body
			close(arrived)
			site.clock.timeout()
		}}, err
	}
	report, err := site.testTarget(t.Context(), target, "")
	if err != nil {
		t.Fatal(err)
	}
	last := report.Checks[len(report.Checks)-1]
	if names(report.Checks) != "url dns egress connect tls~ answer time!" || last.Detail != "The answer was not complete within 30s." || report.OK {
		t.Errorf("the checks are %+v", report.Checks)
	}
}

// countingConn calls read before the second Read.
type countingConn struct {
	net.Conn
	reads int
	read  func()
}

func (c *countingConn) Read(b []byte) (int, error) {
	if c.reads++; c.reads == 2 {
		c.read()
	}
	return c.Conn.Read(b)
}

// TestEndpointURL: an endpoint that was made under other rules, and whose URL
// those of today refuse, is not connected to.
func TestEndpointURL(t *testing.T) {
	site := newTestSite(t, nil, nil)
	target := site.compileTarget(t, Endpoint{ID: "a", URL: "http://crm.example:" + site.port})
	site.current.Load().guard.allowHTTP = false
	report, err := site.testTarget(t.Context(), target, "")
	if err != nil {
		t.Fatal(err)
	}
	want := []TestCheck{{Name: "url", Detail: "http:// is not encrypted.", Remedy: "Use https://, or say allow_http in egress."}}
	if diff := cmp.Diff(want, report.Checks); diff != "" || report.OK || len(site.got) > 0 {
		t.Errorf("%d requests, OK %t (-want +got):\n%s", len(site.got), report.OK, diff)
	}
	// An address in the URL is told of under egress.
	target = site.compileTarget(t, Endpoint{ID: "a", URL: "https://127.0.0.1:" + site.port})
	site.current.Load().guard.prefixes = nil
	if report, err = site.testTarget(t.Context(), target, ""); err != nil {
		t.Fatal(err)
	}
	last := report.Checks[len(report.Checks)-1]
	if names(report.Checks) != "url dns egress!" || last.Detail != "The egress rules forbid 127.0.0.1, which is loopback." || report.Attempt.Verdict != VerdictBlocked {
		t.Errorf("the checks are %+v of %s", report.Checks, report.Attempt.Verdict)
	}
}

// TestEndpointType: which sample is sent.
func TestEndpointType(t *testing.T) {
	open := []webhook.EventType{{Name: "order.paid"}, {Name: "*"}}
	tests := []struct {
		name      string
		catalogue []webhook.EventType
		events    []string
		asked     string
		want      string
		wrong     string
	}{
		{name: "the first of all", want: "conversation.created"},
		{name: "the first that is subscribed to", events: []string{"label.deleted", "agent.*"}, want: "agent.created"},
		{name: "any that is asked for", events: []string{"agent.*"}, asked: "label.deleted", want: "label.deleted"},
		{name: "an unknown one", asked: "order.paid", wrong: `invalid endpoint: type: the event type "order.paid" is unknown: use one of the catalogue`},
		{name: "no type at all", asked: "*", wrong: `invalid endpoint: type: the event type "*" is unknown: use one of the catalogue`},
		{name: "an open catalogue's own", catalogue: open, want: "order.paid"},
		{name: "an open catalogue's other", catalogue: open, asked: "invoice.sent", want: "invoice.sent"},
		{name: "one that only the endpoint names", catalogue: open, events: []string{"invoice.sent"}, want: "invoice.sent"},
		{name: "a group that only the endpoint names", catalogue: open, events: []string{"invoice.*"}, want: "invoice.test"},
		{name: "nothing is named", catalogue: open[1:], want: "webhook.test"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			current, err := compile(&Config{EventTypes: test.catalogue})
			if err != nil {
				t.Fatal(err)
			}
			e := Endpoint{ID: "a", URL: "https://crm.example", Events: test.events}
			target, err := current.compileConfigured(&e)
			if err != nil {
				t.Fatal(err)
			}
			got, err := current.sampleFor(target, test.asked)
			switch {
			case test.wrong != "" && (!errors.Is(err, ErrEndpoint) || err.Error() != test.wrong):
				t.Errorf("%v, want %s", err, test.wrong)
			case test.wrong == "" && (err != nil || got.Name != test.want):
				t.Errorf("%s, %v; want %s", got.Name, err, test.want)
			}
		})
	}
}

// TestEndpointBrokenOff: a test that nobody waits for any more has no report.
func TestEndpointBrokenOff(t *testing.T) {
	for _, closed := range []bool{false, true} {
		entered := make(chan struct{})
		site := newTestSite(t, func(_ http.ResponseWriter, r *http.Request) {
			close(entered)
			<-r.Context().Done()
		}, nil)
		target := site.compileTarget(t, Endpoint{ID: "a", URL: "http://crm.example:" + site.port})
		gone := errors.New("the client has left")
		ctx, leave := context.WithCancelCause(t.Context())
		go func() {
			<-entered
			if closed {
				site.stopBackground()
			} else {
				leave(gone)
			}
		}()
		want := gone
		if closed {
			want = ErrClosed
		}
		if _, err := site.testTarget(ctx, target, ""); !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
		leave(nil)
	}
}

// TestExplain: what is said of a URL before anything is sent.
func TestExplain(t *testing.T) {
	g, err := newGuard(Egress{Allow: []string{"10.1.0.0/16", "crm.internal"}})
	if err != nil {
		t.Fatal(err)
	}
	answers := map[string][]string{
		"crm.example": {"93.184.215.14", "2606:4700::1111"}, "evil.example": {"127.0.0.1"},
		"crm.internal": {"192.168.1.1"}, "range.example": {"10.1.2.3"}, "xn--bcher-kva.example": {"93.184.215.14"},
	}
	g.lookup = func(_ context.Context, host string) ([]netip.Addr, error) {
		var found []netip.Addr
		for _, s := range answers[host] {
			found = append(found, netip.MustParseAddr(s))
		}
		return found, nil
	}
	tests := []struct{ url, checks, last string }{
		{"https://crm.example/", "url dns egress", "The egress rules allow 93.184.215.14 (public) and 2606:4700::1111 (public)."},
		{"https://CRM.Example./", "url dns egress", "The egress rules allow 93.184.215.14 (public) and 2606:4700::1111 (public)."},
		{"https://bücher.example/", "url dns egress", "The egress rules allow 93.184.215.14 (public)."},
		{"https://93.184.215.14/", "url dns egress", "The egress rules allow 93.184.215.14 (public)."},
		{"https://crm.internal/", "url dns egress", "The egress rules allow 192.168.1.1 (private, but opened by crm.internal)."},
		{"https://range.example/", "url dns egress", "The egress rules allow 10.1.2.3 (private, but opened by 10.1.0.0/16)."},
		{"https://evil.example/", "url dns egress!", "The egress rules forbid 127.0.0.1, which is loopback."},
		{"https://[::1]/", "url dns egress!", "The egress rules forbid ::1, which is loopback."},
		{"https://gone.example/", "url dns!", "gone.example has no address."},
		{"http://crm.example/", "url!", "http:// is not encrypted."},
		{"crm.example/hooks", "url!", "It does not begin with https://."},
		{"ftp://crm.example/", "url!", `The scheme "ftp" cannot be delivered to.`},
		{"https://crm.example:0/", "url!", "There is no port 0."},
		{"https://", "url!", "It has no host."},
		{"https://user:hunter2@a b/", "url!", "It cannot be parsed."},
	}
	for _, test := range tests {
		checks := g.explain(t.Context(), test.url)
		last := checks[len(checks)-1]
		if names(checks) != test.checks || last.Detail != test.last || last.OK != (last.Remedy == "") {
			t.Errorf("%s: %s, %+v; want %s, %s", test.url, names(checks), last, test.checks, test.last)
		}
	}
}
