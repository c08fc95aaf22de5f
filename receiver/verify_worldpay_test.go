package receiver

import (
	"crypto/hmac"
	"crypto/sha256"
	"strings"
	"testing"

	"github.com/manysends/caddy-webhooks/webhook"
)

func TestWorldpay(t *testing.T) {
	const body = `{"eventId":"3fc85d68","eventDetails":{"type":"sentForSettlement"}}`
	mac := hmac.New(sha256.New, []byte("secret"))
	mac.Write([]byte(body))
	good := "1/SHA256/" + hexOf(mac.Sum(nil))
	bad := "2/SHA256/" + strings.Repeat("0", 64)
	tests := []struct {
		name, header, body string
		want               error
	}{
		{"one", good, body, nil},
		{"several", bad + ", " + good, body, nil},
		{"capitals", strings.ToUpper(good), body, nil},
		{"another body", good, body + " ", webhook.ErrSignatureMismatch},
		{"another signature", bad, body, webhook.ErrSignatureMismatch},
		{"another algorithm", strings.Replace(good, "SHA256", "none", 1), body, webhook.ErrSignatureMismatch},
		{"too far down the list", strings.Repeat(bad+",", maxWorldpaySignatures) + good, body, webhook.ErrSignatureMismatch},
		{"malformed", "x", body, webhook.ErrSignatureMismatch},
		{"none", "", body, webhook.ErrSignatureMissing},
	}
	s := mustScheme(t, "worldpay", schemeOptions{secrets: []string{"other", "secret"}})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := checkVerdict(t, s, inboundTo("https://hooks.example.com/", tt.body, "Event-Signature", tt.header), tt.want)
			if tt.want == nil && (got.id != "3fc85d68" || got.secret != 1) {
				t.Errorf("got %+v", got)
			}
		})
	}
}
