//go:build !race

package webhook_test

import (
	"bytes"
	"net/http"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

// TestAllocations is left out under the race detector, which makes sync.Pool
// drop items on purpose, so that counts mean nothing.
func TestAllocations(t *testing.T) {
	body := kilobyteBody()
	at := time.Unix(vectorTimestamp, 0)
	vector, other := mustSecret(t, vectorSecret), mustSecret(t, otherSecret)
	one, two := []webhook.Signer{vector}, []webhook.Signer{vector, other}
	keys, h, now := signedRequest(t, body)
	signed := webhook.SignBody(bytes.Clone(body), vector)
	room := make([]byte, 0, 2048)
	event := kilobyteEvent()
	header := make(http.Header)
	tests := []struct {
		name string
		most float64
		run  func()
	}{
		{"Sign", 1, func() { webhook.Sign(one, vectorID, at, body) }},
		{"Sign with two secrets", 1, func() { webhook.Sign(two, vectorID, at, body) }},
		{"SetHeaders", 3, func() { webhook.SetHeaders(header, one, vectorID, at, body) }},
		{"Verify", 1, func() {
			if _, err := webhook.Verify(keys, h, body, now, time.Minute); err != nil {
				t.Error(err)
			}
		}},
		{"SignBody", 0, func() { webhook.SignBody(append(room, body...), vector) }},
		{"VerifyBody", 0, func() {
			if _, err := webhook.VerifyBody([]*webhook.Secret{vector}, signed); err != nil {
				t.Error(err)
			}
		}},
		{"AppendBody", 0, func() { webhook.FormatManySends.AppendBody(room, event, vector) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			// A collection may empty the pool once; the average hides that.
			if got := testing.AllocsPerRun(1000, tt.run); got > tt.most {
				t.Errorf("%v allocations, want at most %v", got, tt.most)
			}
		})
	}
}
