package diagnose_test

import (
	"bytes"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/manysends/caddy-webhooks/diagnose"
)

// TestParseRequest guards the ways in which people paste a request.
func TestParseRequest(t *testing.T) {
	want := func(change func(*diagnose.Request)) *diagnose.Request {
		r := &diagnose.Request{
			Method: "POST", Target: "/hooks?a=1", Host: "example.com", Body: []byte("{\"a\":1}\n\r\n"),
			Header: http.Header{"Webhook-Id": {"evt_1"}, "Content-Type": {"application/json"}},
		}
		if change != nil {
			change(r)
		}
		return r
	}
	const body = "{\"a\":1}\n\r\n"
	tests := []struct {
		name, text string
		want       *diagnose.Request
	}{
		{"on the wire", "POST /hooks?a=1 HTTP/1.1\r\nHost: example.com\r\nWebhook-Id: evt_1\r\nContent-Type: application/json\r\n\r\n" + body, want(nil)},
		{"LF and small letters", "POST /hooks?a=1 HTTP/1.1\nhost: example.com\nwebhook-id:evt_1\ncontent-type:  application/json \n\n" + body, want(nil)},
		{"blank lines before it", "\n\r\nPOST /hooks?a=1 HTTP/2\nhost: example.com\nwebhook-id:evt_1\ncontent-type:application/json\n\n" + body, want(nil)},
		{"absolute target", "POST https://example.com/hooks?a=1 HTTP/1.1\nwebhook-id: evt_1\ncontent-type: application/json\n\n" + body, want(func(r *diagnose.Request) { r.Scheme = "https" })},
		{"no request line", "Host: example.com\nWebhook-Id: evt_1\nContent-Type: application/json\n\n" + body, want(func(r *diagnose.Request) { r.Target = "/" })},
		{"HTTP/2", ":method: POST\n:path: /hooks?a=1\n:authority: example.com\n:scheme: https\nwebhook-id: evt_1\ncontent-type: application/json\n\n" + body, want(func(r *diagnose.Request) { r.Scheme = "https" })},
		{"indented dump", "    :method: POST\n    :path: /hooks?a=1\n    :authority: example.com\n    webhook-id: evt_1\n    content-type: application/json\n\n" + body, want(nil)},
		{"curl -v", "* Connected to example.com\n> POST /hooks?a=1 HTTP/1.1\r\n> Host: example.com\r\n> Webhook-Id: evt_1\r\n> Content-Type: application/json\r\n>\r\n" + body + "* upload completely sent off\n< HTTP/1.1 401 Unauthorized\n", want(func(r *diagnose.Request) { r.Body = []byte("{\"a\":1}\n\r") })},
		{"folded header", "POST /hooks?a=1 HTTP/1.1\nHost: example.com\nWebhook-Id: evt_1\nContent-Type:\n  application/json\n\n" + body, want(func(r *diagnose.Request) { r.Header.Set("Content-Type", " application/json") })},
		{"chunked", "POST /hooks?a=1 HTTP/1.1\nHost: example.com\nWebhook-Id: evt_1\nTransfer-Encoding: chunked\n\n4\r\n{\"a\"\r\n3\r\n:1}\r\n0\r\n\r\n", want(func(r *diagnose.Request) {
			r.Header = http.Header{"Webhook-Id": {"evt_1"}, "Transfer-Encoding": {"chunked"}}
			r.Body = []byte(`{"a":1}`)
		})},
		{"chunked, and decoded since", "POST /hooks?a=1 HTTP/1.1\nHost: example.com\nWebhook-Id: evt_1\nTransfer-Encoding: chunked\n\n{\"a\":1}", want(func(r *diagnose.Request) {
			r.Header = http.Header{"Webhook-Id": {"evt_1"}, "Transfer-Encoding": {"chunked"}}
			r.Body = []byte(`{"a":1}`)
		})},
		{"twice the same header", "POST /hooks?a=1 HTTP/1.1\nHost: example.com\nWebhook-Id: evt_1\nWebhook-Id: evt_2\n\n", want(func(r *diagnose.Request) {
			r.Header = http.Header{"Webhook-Id": {"evt_1", "evt_2"}}
			r.Body = nil
		})},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := diagnose.ParseRequest([]byte(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Body) == 0 {
				got.Body = nil
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
		})
	}
}

// TestParseRequestRefuses guards that what is no request is refused with the
// line that is wrong, so that nobody checks half a request.
func TestParseRequestRefuses(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"empty", "", "no headers"},
		{"a body alone", `{"a":1}`, "line 1"},
		{"a request line alone", "POST / HTTP/1.1\n", "no headers"},
		{"a secret", "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", "nor a header: paste"}, // and is not shown
		{"a broken header", "POST / HTTP/1.1\nHost: a\nno colon here\n\n", "line 3"},
		{"a pseudo-header of answers", ":status: 200\n\n", "pseudo-header"},
		{"control characters", "POST / HTTP/1.1\n\x1b[31mred\n\n", `\x1b[31mred`},
		{"too many headers", "POST / HTTP/1.1\n" + strings.Repeat("A: b\n", 501) + "\n", "more than 500"},
		{"too large", strings.Repeat("a", 5<<20), "larger than"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := diagnose.ParseRequest([]byte(tt.text))
			if !errors.Is(err, diagnose.ErrRequest) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want one with %q", err, tt.want)
			}
		})
	}
}

// FuzzParseRequest: whatever is pasted, nothing panics, and what follows the
// first blank line of a plain request is its body.
func FuzzParseRequest(f *testing.F) {
	f.Add([]byte("POST / HTTP/1.1\r\nHost: a\r\n\r\nbody"))
	f.Add([]byte("> POST / HTTP/2\n> a: b\n>\nbody\n* x\n"))
	f.Add([]byte(":path: /\n\n"))
	f.Add([]byte("A: b\nTransfer-Encoding: chunked\n\n1\r\na\r\n0\r\n\r\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := diagnose.ParseRequest(text)
		if err != nil {
			if !errors.Is(err, diagnose.ErrRequest) {
				t.Fatalf("an error of another kind: %v", err)
			}
			return
		}
		if len(r.Body) > len(text) {
			t.Fatal("the body is larger than the text")
		}
		if _, err := r.HTTP(); err != nil && !errors.Is(err, diagnose.ErrRequest) {
			t.Fatalf("an error of another kind: %v", err)
		}
		again, err := diagnose.ParseRequest(append([]byte("POST / HTTP/1.1\nA: b\n\n"), text...))
		if err != nil || !bytes.Equal(again.Body, text) {
			t.Fatalf("the body behind a plain head changed: %v", err)
		}
	})
}
