package receiver

import (
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

func TestMailgun(t *testing.T) {
	const token = "a8ce0edb2dd8301dee6c2405235584e45aa91d1e9f979f3de0"
	sign := func(key, text string) string {
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write([]byte(text))
		return hexOf(mac.Sum(nil))
	}
	body := func(timestamp, token, signature string) string {
		return fmt.Sprintf(`{"signature":{"timestamp":%q,"token":%q,"signature":%q},"event-data":{"event":"opened","id":"x"}}`, timestamp, token, signature)
	}
	at := fmt.Sprint(verifyNow.Unix())
	good := body(at, token, sign("key", at+token))
	tests := []struct {
		name, body string
		now        time.Time
		want       error
	}{
		{"signed", good, verifyNow, nil},
		{"signed in capitals", body(at, token, strings.ToUpper(sign("key", at+token))), verifyNow, nil},
		{"old", good, verifyNow.Add(5*time.Minute + time.Second), webhook.ErrTimestampTooOld},
		{"new", good, verifyNow.Add(-5*time.Minute - time.Second), webhook.ErrTimestampTooNew},
		{"another key", body(at, token, sign("yek", at+token)), verifyNow, webhook.ErrSignatureMismatch},
		{"another token", body(at, token+"0", sign("key", at+token)), verifyNow, webhook.ErrSignatureMismatch},
		{"a digit moved to the token", body(at[:9], at[9:]+token, sign("key", at+token)), verifyNow, webhook.ErrSignatureMismatch},
		{"no signature", `{"event-data":{}}`, verifyNow, webhook.ErrSignatureMissing},
		{"no token", body(at, "", sign("key", at)), verifyNow, webhook.ErrSignatureMissing},
		{"timestamp is a number", strings.Replace(good, `"`+at+`"`, at, 1), verifyNow, webhook.ErrSignatureMissing},
		{"two signatures", strings.Replace(good, `"event-data"`, `"signature":{},"event-data"`, 1), verifyNow, webhook.ErrSignatureMismatch},
	}
	s := mustScheme(t, "mailgun", schemeOptions{secrets: []string{"key"}})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := inboundTo("https://hooks.example.com/mailgun", tt.body)
			in.now = tt.now
			got := checkVerdict(t, s, in, tt.want)
			if tt.want == nil && (got.id != token || got.eventType != "opened" || !got.timestamp.Equal(verifyNow)) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func FuzzMailgun(f *testing.F) {
	s := mustScheme(f, "mailgun", schemeOptions{secrets: []string{"key"}})
	f.Add(`{"signature":{"timestamp":"1800000000","token":"t","signature":"00"},"event-data":{"event":"opened"}}`)
	f.Fuzz(func(t *testing.T, body string) {
		if _, err := s.verify(t.Context(), inboundTo("https://hooks.example.com/mailgun", body)); err == nil {
			t.Errorf("%q got through", body)
		}
	})
}
