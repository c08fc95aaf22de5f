package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// resident is the memory of the process, in bytes.
func (c *caddy) resident() int64 {
	c.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.cmd.Process.Pid))
	if err != nil {
		c.t.Skip("the memory of a process is read from /proc, which is not here")
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	fields := strings.Fields(rest)
	kib, err := strconv.ParseInt(fields[0], 10, 64)
	if err != nil {
		c.t.Fatal(err)
	}
	return kib << 10
}

// slow opens connections that announce a large body and send a byte of it, until
// the test ends.
func slow(t *testing.T, site, path, header string, n int) (conns []net.Conn) {
	t.Helper()
	for range n {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", site)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		conns = append(conns, conn)
		if _, err := io.WriteString(conn, "POST "+path+" HTTP/1.1\r\nHost: "+site+"\r\n"+header+"Content-Length: 1000000\r\n\r\n{"); err != nil {
			t.Fatal(err)
		}
	}
	return conns
}

// TestSlowClientsHoldUpNobody: bodies that are announced and do not come take
// next to no memory, and others are served beside them. Where Caddy is told to
// wait no longer than so, it does not.
func TestSlowClientsHoldUpNobody(t *testing.T) {
	const clients, each = 400, 64 << 10
	app, customer := newOrigin(t), newSink(t, "")
	c := newCaddy(t)
	plain, secure := freeAddress(t), freeAddress(t)
	caddyfile := strings.Replace(wireCaddyfile(c.admin, plain, secure, app.URL, customer.URL), "max_size 64KiB", "max_size 1MiB", 1)
	c.start(caddyfile)
	serves := func(n int) {
		t.Helper()
		body := fmt.Sprintf(`{"n":%d}`, n)
		if got := send(t, "http://"+plain+"/in", github(githubSecret, "delivery-"+strconv.Itoa(n), body), []byte(body)); got.status != 200 {
			t.Errorf("beside slow clients a request is answered %d", got.status)
		}
		publish(t, plain, exampleEvent)
	}
	serves(1)
	before := c.resident()
	slow(t, plain, "/events", "Content-Type: application/json\r\n", clients/2)
	slow(t, plain, "/in", "X-Hub-Signature-256: sha256="+strings.Repeat("0", 64)+"\r\n", clients/2)
	serves(2)
	if grown := c.resident() - before; grown > clients*each {
		t.Errorf("%d slow clients take %d MiB of memory", clients, grown>>20)
	}

	limited := strings.Replace(caddyfile, "skip_install_trust", "skip_install_trust\n\tservers {\n\t\ttimeouts {\n\t\t\tread_body 1s\n\t\t}\n\t}", 1)
	if out, err := c.reload(limited); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for path, header := range map[string]string{"/events": "Content-Type: application/json\r\n", "/in": ""} {
		conn := slow(t, plain, path, header, 1)[0]
		_ = conn.SetReadDeadline(time.Now().Add(60 * time.Second))
		answer, err := io.ReadAll(conn)
		if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 4") {
			t.Errorf("%s: with a time limit a slow client is answered %q, %v", path, answer, err)
		}
	}
	serves(3)
	if n := len(app.arrivals()); n != 3 {
		t.Errorf("%d requests have arrived, want 3", n)
	}
}

// TestIntakeTakesWhatIsOdd publishes what is at the edge of what JSON and HTTP
// allow: each is refused with a problem that says why, or is delivered byte for
// byte, and Caddy goes on.
func TestIntakeTakesWhatIsOdd(t *testing.T) {
	w := newWire(t)
	event := func(data string) string { return `{"event":"odd.event","data":` + data + `}` }
	many := make(map[string]string)
	for i := range 100 {
		many["X-Filler-"+strconv.Itoa(i)] = strings.Repeat("x", 100)
	}
	var members strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&members, `"%d":0,`, i)
	}
	tests := []struct {
		name    string
		headers map[string]string
		body    string
		status  int
	}{
		{"nested as deep as it may be", nil, event(strings.Repeat("[", 9000) + strings.Repeat("]", 9000)), 202},
		{"nested deeper", nil, event(strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000)), 400},
		{"objects nested deeper", nil, event(strings.Repeat(`{"a":`, 50_000) + "1" + strings.Repeat("}", 50_000)), 400},
		{"open brackets alone", nil, strings.Repeat("[", 1<<20), 400},
		{"numbers as they are written", nil, event(`[1e400,-0,1.0,0.1e1,12345678901234567890123,1E+2]`), 202},
		{"numbers that are none", nil, event(`[01]`), 400},
		{"not a number", nil, event(`NaN`), 400},
		{"NUL that is escaped", nil, event(`"\u0000"`), 202},
		{"NUL that is not", nil, event("\"\x00\""), 400},
		{"half a pair of surrogates", nil, event(`"\ud800"`), 400},
		{"overlong UTF-8", nil, event("\"\xc0\xaf\""), 400},
		{"byte order mark", nil, "\ufeff" + event("1"), 400},
		{"duplicate names in other words", nil, event(`{"a":1,"\u0061":2}`), 400},
		{"many members", nil, event("{" + members.String() + `"last":0}`), 202},
		{"huge ID", nil, `{"event":"odd.event","data":1,"id":"` + strings.Repeat("x", 1<<19) + `"}`, 422},
		{"huge tenant", nil, `{"event":"odd.event","data":1,"tenant":"` + strings.Repeat("x", 1<<19) + `"}`, 422},
		{"tenant of everybody", nil, `{"event":"odd.event","data":1,"tenant":"*"}`, 422},
		{"huge type", nil, `{"event":"` + strings.Repeat("a.", 1<<18) + `a","data":1}`, 422},
		{"huge idempotency key", map[string]string{"Idempotency-Key": strings.Repeat("x", 10_000)}, event("1"), 422},
		{"odd idempotency key", map[string]string{"Idempotency-Key": "\xff\u202e'\"<>"}, event("2"), 202},
		{"many headers", many, event("3"), 202},
		{"gzip", map[string]string{"Content-Encoding": "gzip"}, "\x1f\x8b\x08\x00", 415},
		{"gzip under another name", map[string]string{"Content-Encoding": "identity, gzip"}, "\x1f\x8b\x08\x00", 415},
	}
	wanted := make(map[string]string)
	for _, tt := range tests {
		headers := map[string]string{"Content-Type": "application/json"}
		for name, value := range tt.headers {
			headers[name] = value
		}
		got := send(t, "http://"+w.plain+"/events", headers, []byte(tt.body))
		var answer struct{ ID, Detail string }
		if err := json.Unmarshal([]byte(got.body), &answer); err != nil || got.status != tt.status {
			t.Errorf("%s: answered %d %.200q, want %d", tt.name, got.status, got.body, tt.status)
			continue
		}
		if tt.status != 202 {
			if answer.Detail == "" || len(answer.Detail) > 1000 {
				t.Errorf("%s: the detail has %d bytes: %.200q", tt.name, len(answer.Detail), answer.Detail)
			}
			continue
		}
		data := strings.TrimSuffix(strings.TrimPrefix(tt.body, `{"event":"odd.event","data":`), "}")
		wanted[answer.ID] = data
	}
	waitFor(t, "what was accepted", func() bool { return len(w.customer.deliveries()) >= len(wanted) })
	for _, d := range w.customer.deliveries() {
		id := d.Headers.Get("Webhook-Id")
		if data, ok := wanted[id]; !ok || !strings.Contains(string(d.bytes()), `"data":`+data+"}") && !strings.Contains(string(d.bytes()), `"data":`+data+",") {
			t.Errorf("event %s came with %.200q, and was published with %.200q", id, d.bytes(), data)
		}
	}
	if n := len(w.customer.deliveries()); n != len(wanted) {
		t.Errorf("%d events were delivered, want %d", n, len(wanted))
	}
}

// TestHeadersWithoutEndAreRefused: a head that is too large is refused, and the
// next request is served.
func TestHeadersWithoutEndAreRefused(t *testing.T) {
	w := newWire(t)
	for _, path := range []string{"/events", "/in"} {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+w.plain+path, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		for i := range 4000 {
			req.Header.Set("X-Filler-"+strconv.Itoa(i), strings.Repeat("x", 1000))
		}
		resp, err := oneOff.Do(req)
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
				t.Errorf("%s: answered %d", path, resp.StatusCode)
			}
		}
		cancel()
	}
	publish(t, w.plain, exampleEvent)
}
