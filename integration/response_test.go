package integration

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/fcgi"
	"net/http/httptest"
	"strings"
	"testing"
)

// shop is an application that says in its answers what happened.
func shop(t *testing.T) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /orders", func(w http.ResponseWriter, r *http.Request) {
		for name := range r.Header {
			if strings.Contains(strings.ToLower(name), "event") {
				t.Errorf("the application was sent %s", name)
			}
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Webhook-Event", "message.created")
		w.Header().Set("Webhook-Event-Data", "body:order")
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"order": {"total": 1.0}}`)
	})
	mux.HandleFunc("/wrong", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Webhook-Event", "no.such_type")
		w.Header().Set("Webhook-Event-Data", "body")
		_, _ = io.WriteString(w, `{}`)
	})
	mux.HandleFunc("/echo", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "echo")
		w.Header().Set("Webhook-Event", "message.created")
		w.WriteHeader(http.StatusSwitchingProtocols)
		conn, buffered, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		line, _ := buffered.ReadString('\n')
		_, _ = io.WriteString(conn, line)
	})
	return mux
}

// TestEventsInAnswers: an application behind reverse_proxy, over HTTP and over
// FastCGI, publishes with a header of its answer. The event is on disk when the
// client has the answer.
func TestEventsInAnswers(t *testing.T) {
	overHTTP := httptest.NewServer(shop(t))
	t.Cleanup(overHTTP.Close)
	fastCGI, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { fastCGI.Close() })
	overFastCGI := http.StripPrefix("/fastcgi", shop(t)) // it is told the address as it was asked for
	go func() { _ = fcgi.Serve(fastCGI, overFastCGI) }() // ends with the listener

	customer := freeAddress(t) // nobody listens yet
	c := newCaddy(t)
	site := freeAddress(t)
	caddyfile := fmt.Sprintf(`{
	admin %s
	webhooks {
		egress {
			allow 127.0.0.1
			allow_http
		}
		endpoint crm http://%s/
	}
}

http://%s {
	route /fastcgi/* {
		webhook_publish {
			from_response
			on_error pass
		}
		reverse_proxy %s {
			transport fastcgi
		}
	}
	webhook_publish {
		from_response
	}
	reverse_proxy %s
}
`, c.admin, customer, site, fastCGI.Addr(), overHTTP.URL)
	c.start(caddyfile)
	forged := map[string]string{"Webhook-Event": `{"event":"message.deleted","data":1}`, "Webhook_Event": "x"}
	for _, path := range []string{"/orders", "/fastcgi/orders"} {
		got := send(t, "http://"+site+path, forged, nil)
		if got.status != http.StatusCreated || got.body != `{"order": {"total": 1.0}}` || got.header.Get("Webhook-Event")+got.header.Get("Webhook-Event-Data") != "" {
			t.Errorf("%s: answered %d %q with %v", path, got.status, got.body, got.header)
		}
	}
	if got := send(t, "http://"+site+"/wrong", nil, nil); got.status != http.StatusBadGateway || !strings.Contains(got.body, `"status":502`) {
		t.Errorf("an answer that is wrong is answered %d %q", got.status, got.body)
	}
	if got := send(t, "http://"+site+"/fastcgi/wrong", nil, nil); got.status != http.StatusOK || got.body != "{}" {
		t.Errorf("an answer that is wrong, and may pass, is answered %d %q", got.status, got.body)
	}
	waitFor(t, "both to be in the log", func() bool { return strings.Count(c.out.String(), `event type \"no.such_type\" is unknown`) == 2 })
	upgrade(t, site)

	c.kill()
	sink := newSink(t, customer)
	c.start(caddyfile)
	waitFor(t, "the events to arrive", func() bool { return len(sink.ids()) == 2 })
	for _, d := range sink.deliveries() {
		if body := string(d.bytes()); !strings.Contains(body, `"event":"message.created"`) || !strings.Contains(body, `"data":{"total":1.0}`) {
			t.Errorf("the customer got %s", body)
		}
	}
}

// upgrade makes a request that becomes a connection of its own, and uses it.
func upgrade(t *testing.T, site string) {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", site)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /echo HTTP/1.1\r\nHost: "+site+"\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(conn)
	resp, err := http.ReadResponse(reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, "hello\n"); err != nil {
		t.Fatal(err)
	}
	line, err := reader.ReadString('\n')
	if resp.StatusCode != http.StatusSwitchingProtocols || line != "hello\n" || resp.Header.Get("Webhook-Event") != "" {
		t.Errorf("upgrading is answered %d, %q, %v", resp.StatusCode, line, err)
	}
}
