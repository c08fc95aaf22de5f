package integration

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quic-go/quic-go/http3"
)

// origin is an application behind Caddy, which notes how it is asked.
type origin struct {
	*httptest.Server
	mu  sync.Mutex
	got []passedOn
}

// passedOn is a request as the application gets it.
type passedOn struct {
	path, framing string
	header        http.Header
	trailer       http.Header
	body          string
}

func newOrigin(t *testing.T) *origin {
	t.Helper()
	o := new(origin)
	o.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		o.got = append(o.got, passedOn{r.URL.Path, fmt.Sprint(r.ContentLength, r.TransferEncoding), r.Header.Clone(), r.Trailer, string(body)})
	}))
	t.Cleanup(o.Close)
	return o
}

// arrivals are all requests so far.
func (o *origin) arrivals() []passedOn {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.got)
}

// wireCaddyfile is a receiver in front of an application and a publisher, over
// every version of HTTP.
func wireCaddyfile(admin, plain, secure, application, customer string) string {
	return fmt.Sprintf(`{
	admin %s
	skip_install_trust
	default_bind 127.0.0.1
	webhooks {
		event_types *
		egress {
			allow 127.0.0.1
			allow_http
		}
		endpoint crm %s
	}
}

(site) {
	handle /events {
		webhook_publish
	}
	handle /in* {
		webhook_receive github {
			secret %s
			max_size 64KiB
			headers
		}
		reverse_proxy %s
	}
	handle /standard {
		webhook_receive standard {
			secret %s
		}
		reverse_proxy %s
	}
}

http://%s {
	import site
}

https://%s {
	tls internal
	import site
}
`, admin, customer, githubSecret, application, explainedSecret, application, plain, secure)
}

// wire is a Caddy with such a Caddyfile.
type wire struct {
	*caddy
	plain, secure string
	app           *origin
	customer      *sink
}

func newWire(t *testing.T) *wire {
	t.Helper()
	w := &wire{caddy: newCaddy(t), plain: freeAddress(t), secure: freeAddress(t), app: newOrigin(t), customer: newSink(t, "")}
	w.start(wireCaddyfile(w.admin, w.plain, w.secure, w.app.URL, w.customer.URL))
	waitFor(t, "the certificate", func() bool {
		dialer := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}}
		conn, err := dialer.DialContext(t.Context(), "tcp", w.secure)
		if err != nil {
			return false
		}
		return conn.Close() == nil
	})
	return w
}

// raw sends bytes over a connection of its own and returns the statuses that are
// answered until the other side closes or has nothing more to say. The sending
// side stays open, or Caddy would take it that the client has left.
func raw(t *testing.T, site, text string) (statuses []int) {
	t.Helper()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", site)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.WriteString(conn, text); err != nil {
		return nil // it was refused before all was sent
	}
	reader := bufio.NewReader(conn)
	for {
		resp, err := http.ReadResponse(reader, nil)
		if err != nil {
			return statuses
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		statuses = append(statuses, resp.StatusCode)
		_ = conn.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
	}
}

// oddBody has in it all that a body can be taken apart by.
const oddBody = "{\"a\":\"\x00\xff\r\n0\r\n\r\nPOST /in HTTP/1.1\r\nHost: x\r\n\r\n\",\"n\":1e400}"

// TestBodiesArriveExactly: whatever the version of HTTP and the framing, the
// application gets the bytes that were verified, of their length, and nothing
// behind them.
func TestBodiesArriveExactly(t *testing.T) {
	w := newWire(t)
	insecure := &tls.Config{InsecureSkipVerify: true}
	http1 := &http.Transport{TLSClientConfig: insecure, DisableKeepAlives: true, DisableCompression: true}
	http2 := &http.Transport{TLSClientConfig: insecure.Clone(), ForceAttemptHTTP2: true, DisableCompression: true}
	http3 := &http3.Transport{TLSClientConfig: insecure.Clone(), DisableCompression: true}
	t.Cleanup(func() { http2.CloseIdleConnections(); _ = http3.Close() })
	n := 0
	for _, via := range []struct {
		name, proto string
		transport   http.RoundTripper
	}{{"HTTP/1.1", "HTTP/1.1", http1}, {"HTTP/2", "HTTP/2.0", http2}, {"HTTP/3", "HTTP/3.0", http3}} {
		for _, how := range []string{"with a length", "without a length", "with trailers", "after 100-continue", "empty"} {
			t.Run(via.name+" "+how, func(t *testing.T) {
				n++
				body := strings.Replace(oddBody, "1e400", strconv.Itoa(n), 1)
				if how == "empty" {
					body = ""
				}
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				defer cancel()
				req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+w.secure+"/in", strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				for name, value := range github(githubSecret, "delivery-"+strconv.Itoa(n), body) {
					req.Header.Set(name, value)
				}
				req.Header["X_Webhook_Id"] = []string{"forged"}
				req.Header["X-Webhook_type"] = []string{"forged"}
				req.Header.Set("X-Webhook-Timestamp", "forged")
				switch how {
				case "without a length", "with trailers":
					req.ContentLength = -1
					req.Body = io.NopCloser(strings.NewReader(body))
					if how == "with trailers" {
						req.Trailer = http.Header{"X-Webhook-Id": {"forged"}, "X-Other": {"forged"}}
					}
				case "after 100-continue":
					req.Header.Set("Expect", "100-continue")
				}
				resp, err := via.transport.RoundTrip(req)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
				if resp.StatusCode != 200 || resp.Proto != via.proto {
					t.Fatalf("answered %d over %s", resp.StatusCode, resp.Proto)
				}
				if resp.Header.Get("Webhook-Duplicate") != "" && how == "empty" {
					return // it was taken for the empty one of before, which it is
				}
				all := w.app.arrivals()
				got := all[len(all)-1]
				if got.body != body || got.framing != fmt.Sprint(len(body), []string(nil)) || len(got.trailer) > 0 {
					t.Errorf("the application got %q of %s, trailers %v", got.body, got.framing, got.trailer)
				}
				for name, values := range got.header {
					if strings.Contains(strings.Join(values, ""), "forged") {
						t.Errorf("the application got %s: %q", name, values)
					}
				}
				if got.header.Get("X-Webhook-Provider") != "github" {
					t.Errorf("the application is told %v", got.header)
				}
			})
		}
	}
}

// TestFramingIsNotAmbiguous sends requests whose end can be seen in more than one
// place. Whatever Caddy takes them for, the application gets nothing but whole
// requests that were signed as they are.
func TestFramingIsNotAmbiguous(t *testing.T) {
	w := newWire(t)
	// BODY has 18 bytes, and is another one in each test: a copy of one that has
	// arrived would be a duplicate.
	head := "POST /in HTTP/1.1\r\nHost: " + w.plain + "\r\nX-Hub-Signature-256: SIGNATURE\r\n"
	const body, chunked = "BODY", "12\r\nBODY\r\n0\r\n\r\n"
	inner := "POST /in/smuggled HTTP/1.1\r\nHost: " + w.plain + "\r\nContent-Length: 2\r\n\r\n{}"
	tests := []struct {
		name, text string
		refused    bool // as a whole: what comes first is not taken
	}{
		{"length and chunks", head + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked + inner, false},
		{"chunks and length", head + "Transfer-Encoding: chunked\r\nContent-Length: " + strconv.Itoa(len(chunked)-4+18+len(inner)) + "\r\n\r\n" + chunked + inner, false},
		{"two lengths", head + "Content-Length: 18\r\nContent-Length: 0\r\n\r\n" + body + inner, true},
		{"lengths in a list", head + "Content-Length: 18, 0\r\n\r\n" + body + inner, true},
		{"length with a sign", head + "Content-Length: +18\r\n\r\n" + body + inner, true},
		{"negative length", head + "Content-Length: -1\r\n\r\n" + body + inner, true},
		{"hexadecimal length", head + "Content-Length: 0x12\r\n\r\n" + body + inner, true},
		{"length with a space", head + "Content-Length : 18\r\n\r\n" + body + inner, true},
		{"unknown coding", head + "Transfer-Encoding: xchunked\r\nContent-Length: 18\r\n\r\n" + body + inner, true},
		{"two codings", head + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n" + chunked + inner, true},
		{"codings in a list", head + "Transfer-Encoding: gzip, chunked\r\n\r\n" + chunked + inner, true},
		{"coding with a space", head + "Transfer-Encoding : chunked\r\nContent-Length: 18\r\n\r\n" + body + inner, true},
		{"coding behind a fold", head + "X: y\r\n Transfer-Encoding: chunked\r\nContent-Length: 18\r\n\r\n" + body + inner, false},
		{"coding with a control character", head + "Transfer-Encoding: \x0bchunked\r\nContent-Length: 18\r\n\r\n" + body + inner, true},
		{"chunk of a sign", head + "Transfer-Encoding: chunked\r\n\r\n+12\r\n" + body + "\r\n0\r\n\r\n" + inner, true},
		{"chunk that overflows", head + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff1\r\n" + body + "\r\n0\r\n\r\n" + inner, true},
		{"chunk with an extension", head + "Transfer-Encoding: chunked\r\n\r\n12;a=\"b\"\r\n" + body + "\r\n0;x\r\n\r\n" + inner, false},
		{"chunk with an endless extension", head + "Transfer-Encoding: chunked\r\n\r\n12;" + strings.Repeat("x", 100<<10) + "\r\n" + body + "\r\n0\r\n\r\n" + inner, true},
		{"chunk without its end", head + "Transfer-Encoding: chunked\r\n\r\n12\r\n" + body + "0\r\n\r\n" + inner, true},
		{"name with a line feed", head + "X\nContent-Length: 0\r\nContent-Length: 18\r\n\r\n" + body + inner, true},
		{"old version", strings.Replace(head, "HTTP/1.1", "HTTP/1.0", 1) + "Transfer-Encoding: chunked\r\nContent-Length: 18\r\n\r\n" + body + inner, false},
	}
	// The last one is as it should be, and arrives.
	tests = append(tests, struct {
		name, text string
		refused    bool
	}{"right", head + "Content-Length: 18\r\n\r\n" + body, false})
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			body := fmt.Sprintf(`{"smuggled":%05d}`, i)
			text := strings.NewReplacer("BODY", body, "SIGNATURE", "sha256="+hexHMAC(githubSecret, body)).Replace(tt.text)
			before := len(w.app.arrivals())
			statuses := raw(t, w.plain, text)
			if tt.refused && (len(statuses) == 0 || statuses[0] < 400) {
				t.Errorf("answered %d", statuses)
			}
			arrived := w.app.arrivals()[before:]
			for _, got := range arrived {
				if got.path != "/in" || got.body != body || got.framing != "18 []" {
					t.Errorf("the application got %s of %s: %q", got.path, got.framing, got.body)
				}
			}
			if tt.name == "right" && len(arrived) != 1 {
				t.Errorf("answered %d, and %d requests have arrived", statuses, len(arrived))
			}
		})
	}
}

// TestHeadersGivenTwiceAreRefused: where something that is checked is there twice
// another reader could take the other one.
func TestHeadersGivenTwiceAreRefused(t *testing.T) {
	w := newWire(t)
	const body = `{"type":"a.b","timestamp":"2024-03-05T10:30:00Z","data":{}}`
	right := "sha256=" + hexHMAC(githubSecret, body)
	wrong := "sha256=" + hexHMAC("guessed", body)
	standard := standardHeaders(t, "evt_1", time.Now(), body)
	twice := func(name, other string) http.Header {
		h := standard.Clone()
		h[name] = []string{h.Get(name), other}
		return h
	}
	tests := []struct {
		name, path string
		header     http.Header
	}{
		{"right and wrong signature", "/in", http.Header{"X-Hub-Signature-256": {right, wrong}}},
		{"wrong and right signature", "/in", http.Header{"X-Hub-Signature-256": {wrong, right}}},
		{"the same signature", "/in", http.Header{"X-Hub-Signature-256": {right, right}}},
		{"signatures joined by a comma", "/in", http.Header{"X-Hub-Signature-256": {wrong + "," + right}}},
		{"signatures joined by a comma and a space", "/in", http.Header{"X-Hub-Signature-256": {right + ", " + right}}},
		{"signature under another name", "/in", http.Header{"X_Hub_Signature_256": {right}}},
		{"old signature alone", "/in", http.Header{"X-Hub-Signature": {"sha1=" + strings.Repeat("0", 40)}}},
		{"two IDs", "/standard", twice("Webhook-Id", "evt_2")},
		{"the same ID twice", "/standard", twice("Webhook-Id", "evt_1")},
		{"two timestamps", "/standard", twice("Webhook-Timestamp", "1")},
		{"two lists of signatures", "/standard", twice("Webhook-Signature", "v1,x")},
		{"signatures joined by a comma", "/standard", http.Header{
			"Webhook-Id": standard["Webhook-Id"], "Webhook-Timestamp": standard["Webhook-Timestamp"], "Webhook-Signature": {"v1,x," + standard.Get("Webhook-Signature")},
		}},
	}
	ask := func(path string, header http.Header) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+w.plain+path, bytes.NewReader([]byte(body)))
		if err != nil {
			t.Fatal(err)
		}
		req.Header = header.Clone()
		resp, _ := exchange(t, req)
		return resp.StatusCode
	}
	for _, tt := range tests {
		if got := ask(tt.path, tt.header); got != http.StatusUnauthorized {
			t.Errorf("%s: answered %d", tt.name, got)
		}
	}
	if n := len(w.app.arrivals()); n > 0 {
		t.Errorf("%d requests have arrived", n)
	}
	// What was changed was right before.
	if got := ask("/in", http.Header{"X-Hub-Signature-256": {right}}); got != 200 {
		t.Errorf("the right request to /in is answered %d", got)
	}
	if got := ask("/standard", standard); got != 200 {
		t.Errorf("the right request to /standard is answered %d", got)
	}
}
