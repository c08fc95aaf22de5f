package main

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"maps"
	"net/url"
	"slices"
	"time"

	"github.com/twilio/twilio-go/client"
)

// address are providers that sign the address that they send to.
var address = []signer{
	{
		provider: "twilio", sdk: "github.com/twilio/twilio-go",
		sign: func(time.Time) request {
			form := url.Values{"CallSid": {"CA1"}, "Caller": {"+14158675309"}, "Digits": {"1234"}, "From": {"+14158675309"}, "To": {"+18005551212"}}
			key, target := secret("twilio", "")[:32], "https://hooks.example.com/in?foo=1&bar=2"
			content := target
			for _, name := range slices.Sorted(maps.Keys(form)) {
				content += name + form.Get(name)
			}
			return request{
				Secrets: []string{key}, OtherSecret: secret("another", "")[:32],
				URL: target, SignsURL: wholeURL,
				Headers: map[string]string{
					"Content-Type":               "application/x-www-form-urlencoded; charset=utf-8",
					"I-Twilio-Idempotency-Token": "5e6f0c9e-7f5b-4b56-9e3c-1b0c8c4a0f6d",
					"X-Twilio-Signature":         sha1MAC(key, content),
				},
				Body: []byte(form.Encode()), ID: "5e6f0c9e-7f5b-4b56-9e3c-1b0c8c4a0f6d",
				SignatureHeaders: []string{"X-Twilio-Signature"},
				UnsignedHeaders:  []string{"I-Twilio-Idempotency-Token"},
				Untimed:          untimed,
			}
		},
		accepts: func(r request) bool {
			form, err := url.ParseQuery(string(r.Body))
			if err != nil {
				return false
			}
			parameters := make(map[string]string)
			for name := range form {
				parameters[name] = form.Get(name)
			}
			validator := client.NewRequestValidator(r.Secrets[0])
			return validator.Validate(r.URL, parameters, r.Headers["X-Twilio-Signature"])
		},
	},
	{
		provider: "twilio", sdk: "github.com/twilio/twilio-go",
		sign: func(time.Time) request {
			body := `{"CallSid":"CA2","Event":"é"}`
			digest := sha256.Sum256([]byte(body))
			key, target := secret("twilio", "")[:32], "https://hooks.example.com/in?bodySHA256="+hex.EncodeToString(digest[:])
			return request{
				Secrets: []string{key}, OtherSecret: secret("another", "")[:32],
				Target: target, SignsURL: wholeURL,
				Headers:          asJSON(map[string]string{"X-Twilio-Signature": sha1MAC(key, target)}),
				Body:             []byte(body),
				SignatureHeaders: []string{"X-Twilio-Signature"},
				Untimed:          untimed,
			}
		},
		accepts: func(r request) bool {
			validator := client.NewRequestValidator(r.Secrets[0])
			return validator.ValidateBody(r.Target, r.Body, r.Headers["X-Twilio-Signature"])
		},
	},
}

var wholeURL = []string{"host", "path", "query"}

func sha1MAC(key, content string) string {
	m := hmac.New(sha1.New, []byte(key))
	_, _ = io.WriteString(m, content)
	return base64.StdEncoding.EncodeToString(m.Sum(nil))
}
