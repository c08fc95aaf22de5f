package integration

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

// signedSender returns a function that sends a signed event to a receiver, and
// tells the status and whether it was taken for a duplicate.
func signedSender(t *testing.T, site string) func(id string) (status int, duplicate bool) {
	t.Helper()
	secret, err := webhook.ParseSecret(testSecret)
	if err != nil {
		t.Fatal(err)
	}
	return func(id string) (int, bool) {
		t.Helper()
		body := []byte(`{"type":"message.created","timestamp":"2024-03-05T10:30:00Z","data":{}}`)
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+site+"/", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		webhook.SetHeaders(req.Header, []webhook.Signer{secret}, id, time.Now(), body)
		resp, err := oneOff.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		_, _ = io.Copy(io.Discard, resp.Body)
		return resp.StatusCode, resp.Header.Get("Webhook-Duplicate") == "true"
	}
}
