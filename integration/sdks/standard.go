package main

import (
	"encoding/base64"
	"time"

	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/webhooks"
	"github.com/resend/resend-go/v2"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	svix "github.com/svix/svix-webhooks/go"
)

// standard are Standard Webhooks and the providers that follow it.
var standard = []signer{
	ofFamily(family{
		provider: "standard", sdk: "github.com/standard-webhooks/standard-webhooks/libraries", signs: true, prefix: "Webhook",
		id: "msg_p5jXN8AQM9LWM0D4loKWxJek", eventType: "invoice.paid",
		body: `{"type":"invoice.paid","data":{"amount":2432232314}}`,
		signature: func(id string, now time.Time, body []byte) (string, error) {
			wh, err := standardwebhooks.NewWebhook(whsec("standard"))
			if err != nil {
				return "", err
			}
			return wh.Sign(id, now, body)
		},
		accepts: func(r request) bool {
			wh, err := standardwebhooks.NewWebhook(whsec("standard"))
			return err == nil && wh.Verify(r.Body, r.http().Header) == nil
		},
	}),
	ofFamily(family{
		provider: "svix", sdk: "github.com/svix/svix-webhooks", signs: true, prefix: "Svix",
		id: "msg_p5jXN8AQM9LWM0D4loKWxJek", eventType: "user.created",
		body: `{"type":"user.created","data":{"id":"user_1"}}`,
		signature: func(id string, now time.Time, body []byte) (string, error) {
			wh, err := svix.NewWebhook(whsec("svix"))
			if err != nil {
				return "", err
			}
			return wh.Sign(id, now, body)
		},
		accepts: func(r request) bool {
			wh, err := svix.NewWebhook(whsec("svix"))
			return err == nil && wh.Verify(r.Body, r.http().Header) == nil
		},
	}),
	ofFamily(family{
		provider: "openai", sdk: "github.com/openai/openai-go/v3", prefix: "Webhook",
		id: "wh_685342e6c53c8190a1be43f081506c52", eventType: "response.completed",
		body: `{"id":"evt_1","object":"event","created_at":1767609000,"type":"response.completed","data":{"id":"resp_1"}}`,
		accepts: func(r request) bool {
			service := webhooks.NewWebhookService(option.WithWebhookSecret(whsec("openai")))
			_, err := service.Unwrap(r.Body, r.http().Header)
			return err == nil
		},
	}),
	ofFamily(family{
		provider: "resend", sdk: "github.com/resend/resend-go/v2", prefix: "Svix",
		id: "msg_p5jXN8AQM9LWM0D4loKWxJek", eventType: "email.sent",
		body: `{"type":"email.sent","created_at":"2026-01-05T10:30:00.000Z","data":{"email_id":"56761188"}}`,
		accepts: func(r request) bool {
			return resend.NewClient("re_unused").Webhooks.Verify(&resend.VerifyWebhookOptions{
				Payload: string(r.Body),
				Headers: resend.WebhookHeaders{
					Id: r.Headers["Svix-Id"], Timestamp: r.Headers["Svix-Timestamp"], Signature: r.Headers["Svix-Signature"],
				},
				WebhookSecret: whsec("resend"),
			}) == nil
		},
	}),
}

// family is a signer whose signature covers ID, time and body, in headers that
// differ in their prefix.
type family struct {
	provider, sdk, prefix string
	signs                 bool
	id, eventType, body   string

	// signature is nil where the library can't sign.
	signature func(id string, now time.Time, body []byte) (string, error)
	accepts   func(r request) bool
}

func ofFamily(f family) signer {
	id, at, sig := f.prefix+"-Id", f.prefix+"-Timestamp", f.prefix+"-Signature"
	return signer{
		provider: f.provider, sdk: f.sdk, signs: f.signs, retries: true, accepts: f.accepts,
		sign: func(now time.Time) request {
			signature := "v1," + base64.StdEncoding.EncodeToString(mac(whsecKey(f.provider), f.id+"."+unix(now)+"."+f.body))
			if f.signature != nil {
				var err error
				if signature, err = f.signature(f.id, now, []byte(f.body)); err != nil {
					signature = err.Error() // which the library will not accept
				}
			}
			return request{
				Secrets: []string{whsec(f.provider)}, OtherSecret: whsec("another"),
				Headers: asJSON(map[string]string{id: f.id, at: unix(now), sig: signature}),
				Body:    []byte(f.body), ID: f.id, Type: f.eventType,
				SignatureHeaders: []string{sig},
				SignedHeaders:    []string{id, at},
				Timestamp:        &moment{Header: at, Text: unix(now)},
			}
		},
	}
}
