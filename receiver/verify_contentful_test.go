package receiver

import (
	"crypto/hmac"
	"crypto/sha256"
	"strings"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

// TestContentful checks a request that was signed by Contentful's toolkit for
// Node.js.
func TestContentful(t *testing.T) {
	const (
		body      = `{"sys":{"type":"Entry","id":"6KntaYXaHSyIw8M6eo26OK"},"name":"Kärlek / x"}`
		address   = "https://hooks.example.com/hooks/contentful?space=abc&b=%2F1"
		signature = "f63cd1b53bed5a5a2af767679267ccda6b1a9667adb52bc1b96a7234b49e487d"
		names     = "content-type,x-contentful-signed-headers,x-contentful-timestamp,x-contentful-topic"
		timestamp = "1800000000123"
	)
	request := func(address, body string) *inbound {
		return inboundTo(address, body, "Content-Type", "application/vnd.contentful.management.v1+json", "X-Contentful-Topic", "ContentManagement.Entry.publish",
			headerContentful, signature, headerContentfulNames, names, headerContentfulTimestamp, timestamp)
	}
	tests := []struct {
		name   string
		change func(in *inbound)
		want   error
	}{
		{"signed", func(*inbound) {}, nil},
		{"behind a proxy", func(in *inbound) {
			in.request.RequestURI = "/contentful?space=abc&b=%2F1"
			in.url = "https://hooks.example.com/hooks/contentful"
		}, nil},
		{"old", func(in *inbound) { in.now = verifyNow.Add(6 * time.Minute) }, webhook.ErrTimestampTooOld},
		{"new", func(in *inbound) { in.now = verifyNow.Add(-6 * time.Minute) }, webhook.ErrTimestampTooNew},
		{"another body", func(in *inbound) { in.body = []byte("{}") }, webhook.ErrSignatureMismatch},
		{"another path", func(in *inbound) { in.request.RequestURI = "/hooks/contentfu?space=abc&b=%2F1" }, webhook.ErrSignatureMismatch},
		{"another query", func(in *inbound) { in.request.RequestURI = "/hooks/contentful?space=abd&b=%2F1" }, webhook.ErrSignatureMismatch},
		{"more query that is not signed", func(in *inbound) { in.request.RequestURI = "/hooks/contentful?space=abc&b=%2F1?c=2" }, webhook.ErrSignatureMismatch},
		{"another header", func(in *inbound) { in.request.Header.Set("X-Contentful-Topic", "ContentManagement.Entry.delete") }, webhook.ErrSignatureMismatch},
		{"a header is missing", func(in *inbound) { in.request.Header.Del("X-Contentful-Topic") }, webhook.ErrSignatureMismatch},
		{"the time is not signed", func(in *inbound) {
			in.request.Header.Set(headerContentfulNames, "content-type,x-contentful-signed-headers,x-contentful-topic")
		}, webhook.ErrSignatureMismatch},
		{"another time", func(in *inbound) { in.request.Header.Set(headerContentfulTimestamp, "1800000000124") }, webhook.ErrSignatureMismatch},
		{"malformed time", func(in *inbound) { in.request.Header.Set(headerContentfulTimestamp, "soon") }, webhook.ErrSignatureMismatch},
		{"another signature", func(in *inbound) { in.request.Header.Set(headerContentful, strings.Repeat("0", 64)) }, webhook.ErrSignatureMismatch},
		{"no signature", func(in *inbound) { in.request.Header.Del(headerContentful) }, webhook.ErrSignatureMissing},
	}
	s := mustScheme(t, "contentful", schemeOptions{secrets: []string{strings.Repeat("c", 64)}})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := request(address, body)
			tt.change(in)
			checkVerdict(t, s, in, tt.want)
		})
	}
	t.Run("signed without the time", func(t *testing.T) {
		in := request("https://hooks.example.com/in", body)
		names := "x-contentful-signed-headers,x-contentful-topic"
		mac := hmac.New(sha256.New, []byte(strings.Repeat("c", 64)))
		mac.Write([]byte("POST\n/in\nx-contentful-signed-headers:" + names + ";x-contentful-topic:ContentManagement.Entry.publish\n" + body))
		in.request.Header.Set(headerContentfulNames, names)
		in.request.Header.Set(headerContentful, hexOf(mac.Sum(nil)))
		checkVerdict(t, s, in, webhook.ErrSignatureMismatch)
	})
	t.Run("escapes", func(t *testing.T) {
		in := request("https://hooks.example.com/", body)
		in.request.RequestURI = "/hooks/contentful%20a?space=x y&b=%2F1"
		in.request.Header.Set(headerContentful, "a57741b79c6b0e4eb140a24878b8ce9e5bf2590bc046492259014bcb78128a61")
		checkVerdict(t, s, in, nil)
	})
}

func FuzzContentful(f *testing.F) {
	s := mustScheme(f, "contentful", schemeOptions{secrets: []string{"a secret that nobody can guess"}})
	f.Add("x-contentful-timestamp,x-contentful-signed-headers", "1800000000000", "00", "a=b")
	f.Add("host,,x-contentful-timestamp,x-contentful-signed-headers", "9999999999999", "", "?")
	f.Fuzz(func(t *testing.T, names, timestamp, signature, query string) {
		in := inboundTo("https://hooks.example.com/in", "{}", headerContentful, signature, headerContentfulNames, names, headerContentfulTimestamp, timestamp)
		in.request.URL.RawQuery, in.url = query, "https://hooks.example.com/in"
		if _, err := s.verify(t.Context(), in); err == nil {
			t.Errorf("%q %q %q got through", names, timestamp, signature)
		}
	})
}
