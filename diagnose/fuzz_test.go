package diagnose_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/diagnose"
	"github.com/manysends/caddy-webhooks/webhook"
)

// FuzzStandard: whatever a request holds, an explanation agrees with the check
// of package webhook, says something whenever the request is refused, and tells
// no secret.
func FuzzStandard(f *testing.F) {
	m := newMessage(plainBody)
	f.Add(secret, eventID, "1709634600", m.header.Get("webhook-signature"), plainBody, "", "")
	f.Add(secret+"\n", eventID, "1709634600000", "v1="+m.signature(), indented(plainBody, "\t"), "X-Signature", m.signature())
	f.Add("whpk_AAAA", "", "", "v1a,AAAA", "\x1f\x8b", "Content-Length", "3")
	f.Add("", "a.b", "-1", " , ,", "payload=%7B%7D", "Svix-Signature", "v1,x")
	f.Fuzz(func(t *testing.T, key, id, timestamp, signature, body, name, value string) {
		header := make(http.Header)
		for n, v := range map[string]string{"Webhook-Id": id, "Webhook-Timestamp": timestamp, "Webhook-Signature": signature} {
			if v != "" {
				header.Set(n, v)
			}
		}
		header.Add(name, value)
		now := signedAt.Add(time.Minute)
		e := diagnose.Standard([]string{key}, header, []byte(body), now, tolerance)

		var keys []webhook.Verifier
		if k, err := webhook.ParseVerifier(key); err == nil {
			keys = append(keys, k)
		}
		_, err := webhook.Verify(keys, header, []byte(body), now, tolerance)
		if e.Verified != (err == nil) {
			t.Fatalf("verified %v, and the check says: %v", e.Verified, err)
		}
		if !e.Verified && (e.Cause == "" || e.Remedy == "" || e.Mistake == "") {
			t.Fatalf("refused without a word: %+v", e)
		}
		bare := strings.TrimPrefix(key, "whsec_")
		for _, c := range e.Checks {
			if len(bare) >= 32 && strings.Contains(c.Text+e.Cause+e.Remedy, bare) && !strings.Contains(name, bare) {
				t.Fatalf("tells the secret: %+v", e)
			}
			for _, r := range c.Text + e.Cause {
				if r < ' ' || r == 0x7f {
					t.Fatalf("a control character in %s", strconv.Quote(c.Text+e.Cause))
				}
			}
		}
	})
}
