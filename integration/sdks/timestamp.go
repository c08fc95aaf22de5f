package main

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"time"

	"github.com/PaddleHQ/paddle-go-sdk/v4"
	"github.com/bwmarrin/discordgo"
	"github.com/sendgrid/sendgrid-go/helpers/eventwebhook"
	"github.com/slack-go/slack"
	"github.com/stripe/stripe-go/v84/webhook"
)

// timestamp are providers that sign the time of sending together with the
// body.
var timestamp = []signer{
	{
		provider: "stripe", sdk: "github.com/stripe/stripe-go/v84", signs: true, retries: true,
		sign: func(now time.Time) request {
			body := `{"id":"evt_1NG8Du2eZvKYlo2CUI79vXWy","object":"event","type":"charge.refunded","data":{"object":{}}}`
			key := secret("stripe", "whsec_")
			signed := webhook.GenerateTestSignedPayload(&webhook.UnsignedPayload{Payload: []byte(body), Secret: key, Timestamp: now})
			return request{
				Secrets: []string{key}, OtherSecret: secret("another", "whsec_"),
				Headers: asJSON(map[string]string{"Stripe-Signature": signed.Header}),
				Body:    []byte(body), ID: "evt_1NG8Du2eZvKYlo2CUI79vXWy", Type: "charge.refunded",
				SignatureHeaders: []string{"Stripe-Signature"},
				Timestamp:        &moment{Header: "Stripe-Signature", Text: unix(now)},
			}
		},
		accepts: func(r request) bool {
			return webhook.ValidatePayload(r.Body, r.Headers["Stripe-Signature"], r.Secrets[0]) == nil
		},
	},
	{
		provider: "slack", sdk: "github.com/slack-go/slack", retries: true,
		// A slash command is a form.
		sign: func(now time.Time) request {
			body := "token=unused&team_id=T1DC2JH3J&command=%2Fweather&text=94070&trigger_id=398738663015.47445629121.803a0bc887"
			key := secret("slack", "")[:32]
			return request{
				Secrets: []string{key}, OtherSecret: secret("another", "")[:32],
				Headers: map[string]string{
					"Content-Type":              "application/x-www-form-urlencoded",
					"X-Slack-Request-Timestamp": unix(now),
					"X-Slack-Signature":         "v0=" + hexMAC(key, "v0:"+unix(now)+":"+body),
				},
				Body:             []byte(body),
				SignatureHeaders: []string{"X-Slack-Signature"},
				SignedHeaders:    []string{"X-Slack-Request-Timestamp"},
				Timestamp:        &moment{Header: "X-Slack-Request-Timestamp", Text: unix(now)},
			}
		},
		accepts: func(r request) bool {
			verifier, err := slack.NewSecretsVerifier(r.http().Header, r.Secrets[0])
			if err != nil {
				return false
			}
			_, _ = verifier.Write(r.Body)
			return verifier.Ensure() == nil
		},
	},
	{
		provider: "paddle", sdk: "github.com/PaddleHQ/paddle-go-sdk/v4", retries: true,
		sign: func(now time.Time) request {
			body := `{"event_id":"evt_01hv8x2a6x","event_type":"transaction.paid","data":{"id":"txn_1"}}`
			key := secret("paddle", "pdl_ntfset_")
			return request{
				Secrets: []string{key}, OtherSecret: secret("another", "pdl_ntfset_"),
				Headers: asJSON(map[string]string{"Paddle-Signature": "ts=" + unix(now) + ";h1=" + hexMAC(key, unix(now)+":"+body)}),
				Body:    []byte(body), ID: "evt_01hv8x2a6x", Type: "transaction.paid",
				SignatureHeaders: []string{"Paddle-Signature"},
				Timestamp:        &moment{Header: "Paddle-Signature", Text: unix(now)},
			}
		},
		accepts: func(r request) bool {
			ok, err := paddle.NewWebhookVerifier(r.Secrets[0]).Verify(r.http())
			return ok && err == nil
		},
	},
	{
		provider: "discord", sdk: "github.com/bwmarrin/discordgo",
		sign: func(now time.Time) request {
			body := `{"id":"846462639134605312","type":2,"token":"unused","version":1}`
			return request{
				Secrets: []string{publicHex("discord")}, OtherSecret: publicHex("another"),
				Headers: asJSON(map[string]string{
					"X-Signature-Timestamp": unix(now),
					"X-Signature-Ed25519":   hex.EncodeToString(ed25519.Sign(private("discord"), []byte(unix(now)+body))),
				}),
				Body: []byte(body), ID: "846462639134605312",
				SignatureHeaders: []string{"X-Signature-Ed25519"},
				SignedHeaders:    []string{"X-Signature-Timestamp"},
				Timestamp:        &moment{Header: "X-Signature-Timestamp", Text: unix(now)},
			}
		},
		accepts: func(r request) bool {
			key, err := hex.DecodeString(r.Secrets[0])
			return err == nil && discordgo.VerifyInteraction(r.http(), key)
		},
	},
	{
		provider: "sendgrid", sdk: "github.com/sendgrid/sendgrid-go", retries: true,
		sign: func(now time.Time) request {
			body := `[{"email":"a@example.com","event":"open","sg_event_id":"b3Blbg","timestamp":1767609000}]` + "\r\n"
			digest := sha256.Sum256([]byte(unix(now) + body))
			signature, err := ecdsa.SignASN1(rand.Reader, sendgridKey, digest[:])
			if err != nil {
				signature = nil // which the library will not accept
			}
			return request{
				Secrets: []string{spki(sendgridKey)}, OtherSecret: spki(otherECDSAKey),
				Headers: asJSON(map[string]string{
					"X-Twilio-Email-Event-Webhook-Timestamp": unix(now),
					"X-Twilio-Email-Event-Webhook-Signature": base64.StdEncoding.EncodeToString(signature),
				}),
				Body:             []byte(body),
				SignatureHeaders: []string{"X-Twilio-Email-Event-Webhook-Signature"},
				SignedHeaders:    []string{"X-Twilio-Email-Event-Webhook-Timestamp"},
				Timestamp:        &moment{Header: "X-Twilio-Email-Event-Webhook-Timestamp", Text: unix(now)},
			}
		},
		accepts: func(r request) bool {
			key, err := eventwebhook.ConvertPublicKeyBase64ToECDSA(r.Secrets[0])
			if err != nil {
				return false
			}
			ok, err := eventwebhook.VerifySignature(key, r.Body, r.Headers[eventwebhook.VerificationHTTPHeader], r.Headers[eventwebhook.TimestampHTTPHeader])
			return ok && err == nil
		},
	},
}

var sendgridKey, otherECDSAKey = newECDSAKey(), newECDSAKey()

func newECDSAKey() *ecdsa.PrivateKey {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err) // no randomness, no keys
	}
	return key
}

// spki is the public key as SendGrid shows it.
func spki(key *ecdsa.PrivateKey) string {
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return err.Error() // which the library will not accept
	}
	return base64.StdEncoding.EncodeToString(der)
}
