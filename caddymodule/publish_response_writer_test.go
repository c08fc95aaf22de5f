package caddymodule

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestAnswersInParts: what an application sends on the way, and after the body,
// reaches the client without what is about events.
func TestAnswersInParts(t *testing.T) {
	const paid = `{"event":"order.paid","data":1}`
	a := newAnswering(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "X-Sum, Webhook-Event")
		w.Header().Set("Webhook-Event", paid)
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
		_, _ = io.WriteString(w, "<p>")
		w.Header().Set("X-Sum", "1")
		w.Header().Set("Webhook-Event", paid)
		w.Header().Set(http.TrailerPrefix+"Webhook-Event", paid)
		w.Header().Set(http.TrailerPrefix+"X-More", "2")
	})
	var early http.Header
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(code int, header textproto.MIMEHeader) error {
		early = http.Header(header)
		return nil
	}})
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.ReadAll(resp.Body); err != nil {
		t.Fatal(err)
	}
	if early.Get("Link") == "" || early.Get("Webhook-Event") != "" {
		t.Errorf("the early hints are %v", early)
	}
	if resp.Header.Get("Webhook-Event") != "" || len(resp.Trailer["Webhook-Event"]) > 0 || resp.Trailer.Get("X-Sum") != "1" || resp.Trailer.Get("X-More") != "2" {
		t.Errorf("the headers are %v, the trailers %v", resp.Header, resp.Trailer)
	}
	if diff := cmp.Diff([]string{"order.paid 1"}, a.published()); diff != "" {
		t.Errorf("published (-want +got):\n%s", diff)
	}
}

// TestAnswersAreNotHeldBack: but for one whose body is to be published, an answer
// goes on as it comes, however long it is.
func TestAnswersAreNotHeldBack(t *testing.T) {
	for _, event := range []string{"", `{"event":"order.paid","data":1}`} {
		read := make(chan struct{})
		a := newAnswering(t, func(w http.ResponseWriter, _ *http.Request) {
			if event != "" {
				w.Header().Set("Webhook-Event", event)
			}
			for range 3 {
				_, _ = io.WriteString(w, strings.Repeat("x", 999)+"\n")
				if err := http.NewResponseController(w).Flush(); err != nil {
					t.Error(err)
				}
				<-read
			}
		})
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.url, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if _, err := io.ReadFull(resp.Body, make([]byte, 1000)); err != nil {
				t.Fatal(err)
			}
			read <- struct{}{}
		}
		resp.Body.Close()
	}
}

// TestHeadIsPassedOn: there is no body to publish, and that is not the client's
// fault.
func TestHeadIsPassedOn(t *testing.T) {
	a := newAnswering(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Webhook-Event", "order.paid")
		w.Header().Set("Webhook-Event-Data", "body")
		w.Header().Set("Content-Length", "5000")
	})
	resp, _ := a.do(http.MethodHead, nil)
	if resp.StatusCode != 200 || resp.Header.Get("Content-Length") != "5000" || resp.Header.Get("Webhook-Event") != "" || len(a.published()) > 0 {
		t.Errorf("answered %d with %v", resp.StatusCode, resp.Header)
	}
}

// TestConnectionsAreHandedOver: a WebSocket works through it.
func TestConnectionsAreHandedOver(t *testing.T) {
	a := newAnswering(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", "echo")
		w.Header().Set("Webhook-Event", `{"event":"order.paid","data":1}`)
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
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(a.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello\n"); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(answer), "HTTP/1.1 101 ") || !strings.HasSuffix(string(answer), "\r\n\r\nhello\n") || strings.Contains(string(answer), "Webhook-Event") {
		t.Errorf("answered %q", answer)
	}
	if events := a.published(); len(events) > 0 {
		t.Errorf("published %v", events)
	}
}

// TestAnswersThatBreakOff: of an answer that did not come to its end, nothing is
// published, and the error goes on to whoever answers errors.
func TestAnswersThatBreakOff(t *testing.T) {
	a := newAnswering(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Webhook-Event", "order.paid")
		w.Header().Set("Webhook-Event-Data", "body")
		w.Header().Set("Set-Cookie", "a=b")
		_, _ = io.WriteString(w, "{}")
	})
	resp, body := a.do(http.MethodPost, http.Header{"X-Fail": {"broken off"}})
	if err := <-a.failed; err.Error() != "broken off" {
		t.Errorf("the error is %v", err)
	}
	if resp.StatusCode != http.StatusBadGateway || body != "" || resp.Header.Get("Set-Cookie") != "" || len(a.published()) > 0 {
		t.Errorf("answered %d %q with %v, and published %v", resp.StatusCode, body, resp.Header, a.published())
	}
}

// TestAnswersToThoseWhoLeft: what the application has done is published, although
// the client has left.
func TestAnswersToThoseWhoLeft(t *testing.T) {
	ctx, leave := context.WithCancel(t.Context())
	a := newAnswering(t, func(w http.ResponseWriter, r *http.Request) {
		leave()
		<-r.Context().Done()
		w.Header().Set("Webhook-Event", `{"event":"order.paid","data":1}`)
		w.WriteHeader(http.StatusOK)
		_, _ = io.WriteString(w, "x")
	})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := http.DefaultTransport.RoundTrip(req); err == nil {
		resp.Body.Close()
		t.Error("the client has not left")
	}
	a.server.Close() // waits for the handler
	if diff := cmp.Diff([]string{"order.paid 1"}, a.published()); diff != "" {
		t.Errorf("published (-want +got):\n%s", diff)
	}
}
