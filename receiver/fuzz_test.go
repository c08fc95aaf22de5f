package receiver

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/manysends/caddy-webhooks/webhook"
)

// isSigned checks the signatures of [testConfig] a second time, in plain code
// that shares nothing with what is tested.
func isSigned(provider string, h http.Header, body []byte) bool {
	for _, secret := range []string{testSecret, oldSecret} {
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
		if err != nil {
			return false
		}
		mac := hmac.New(sha256.New, key)
		if provider == "manysends_body" {
			const tail = len(`,"signature":"sha256=`) + 64 + len(`"}`)
			if len(body) < tail {
				return false
			}
			mac.Write(body[:len(body)-tail])
			mac.Write([]byte("}"))
			if string(body[len(body)-tail:]) == `,"signature":"sha256=`+hex.EncodeToString(mac.Sum(nil))+`"}` {
				return true
			}
			continue
		}
		mac.Write([]byte(h.Get("webhook-id") + "." + h.Get("webhook-timestamp") + "."))
		mac.Write(body)
		want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
		if slices.Contains(strings.Split(h.Get("webhook-signature"), " "), want) {
			return true
		}
	}
	return false
}

// FuzzHandle sends foreign bytes in the headers and the body. Nothing may
// panic, and nothing that is not signed may get through.
func FuzzHandle(f *testing.F) {
	tick := newClock()
	state := NewState(StateOptions{Now: tick.Now})
	f.Cleanup(state.Close)
	names := []string{"manysends", "manysends_body", "standard"}
	receivers := make([]*Receiver, len(names))
	for i, name := range names {
		receivers[i] = mustNew(f, testConfig(name), Options{State: state, Now: tick.Now, Observe: func(*http.Request, Observation) {}})
		r, body := signedRequest(f, name, "evt_1", tick.Now(), []byte(`{"a":[1,2,{"b":null}]}`))
		f.Add(uint8(i), r.Header.Get(webhook.HeaderID), r.Header.Get(webhook.HeaderTimestamp), r.Header.Get(webhook.HeaderSignature), body, int64(len(body)))
	}
	f.Add(uint8(0), "", "", "", []byte(nil), int64(0))
	f.Add(uint8(1), "a.b", "1800000000", "v1, v1,AAAA v1a,x", []byte(`,"signature":"sha256=`+strings.Repeat("0", 64)+`"}`), int64(-1))
	f.Fuzz(func(t *testing.T, which uint8, id, timestamp, signature string, body []byte, length int64) {
		i := int(which) % len(receivers)
		r := &http.Request{
			Method: http.MethodPost, RemoteAddr: id, ContentLength: length,
			Header: http.Header{webhook.HeaderID: {id}, webhook.HeaderTimestamp: {timestamp}, webhook.HeaderSignature: {signature}},
			Body:   io.NopCloser(bytes.NewReader(body)),
		}
		w := silentWriter{header: make(http.Header)}
		called := false
		err := receivers[i].Handle(&w, r, func(_ http.ResponseWriter, r *http.Request) error {
			called = true
			got, err := io.ReadAll(r.Body)
			if err != nil || !bytes.Equal(got, body) {
				t.Errorf("the application got %q, %v, instead of %q", got, err, body)
			}
			return nil
		})
		accepted := err == nil
		if called && !accepted {
			t.Errorf("the application was called and the request refused: %v", err)
		}
		if accepted && !isSigned(names[i], r.Header, body) {
			t.Errorf("an unsigned request got through %s: %q %q %q %q", names[i], id, timestamp, signature, body)
		}
	})
}
