package main

import (
	"encoding/json"
	"time"

	"github.com/mailgun/mailgun-go/v4"
)

// fields are providers that sign members of the body, and put the signature in
// there.
var fields = []signer{
	{
		provider: "mailgun", sdk: "github.com/mailgun/mailgun-go/v4",
		sign: func(now time.Time) request {
			token := secret("token", "")[:50]
			key := secret("mailgun", "")[:32]
			signature := hexMAC(key, unix(now)+token)
			return request{
				Secrets: []string{key}, OtherSecret: secret("another", "")[:32],
				Headers: asJSON(map[string]string{}),
				Body: []byte(`{"signature":{"timestamp":"` + unix(now) + `","token":"` + token + `","signature":"` + signature +
					`"},"event-data":{"event":"opened","id":"Ase7i2zsRYeDXztHGENqRA"}}`),
				Type:          "opened",
				SignatureText: signature,
				Covers:        []string{token},
				Uncovered:     "the provider signs the time and a token, but not the event",
				Timestamp:     &moment{Body: true, Text: unix(now)},
			}
		},
		accepts: func(r request) bool {
			var body struct{ Signature mailgun.Signature }
			if err := json.Unmarshal(r.Body, &body); err != nil {
				return false
			}
			mg := mailgun.NewMailgun("example.com", "unused")
			mg.SetWebhookSigningKey(r.Secrets[0])
			ok, err := mg.VerifyWebhookSignature(body.Signature)
			return ok && err == nil
		},
	},
}
