package receiver

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"
)

// timedSamples have the time in a header of its own.
func timedSamples() []sample {
	timed := func(provider, body, eventType, timeHeader string, timeOf func(attempt) string, header, prefix string, content func(at string, a attempt) string, sign func(key string, texts ...string) string) sample {
		return sample{
			provider: provider, secret: plainSecret, wrong: plainWrong, body: body,
			headers: func(a attempt) []string {
				at := timeOf(a)
				return []string{timeHeader, at, header, prefix + sign(a.secret, content(at, a))}
			},
			covers: timeCover, eventType: eventType,
		}
	}
	withID := func(s sample) sample {
		s.bodyID, s.covers = true, wholeCover
		return s
	}
	v0 := func(at string, a attempt) string { return "v0:" + at + ":" + a.body }
	dotted := func(at string, a attempt) string { return at + "." + a.body }
	colon := func(at string, a attempt) string { return at + ":" + a.body }
	joined := func(at string, a attempt) string { return at + a.body }
	behind := func(at string, a attempt) string { return a.body + at }
	unix, millis, rfc3339 := attempt.unix, attempt.millis, attempt.rfc3339
	const eventBody = `{"event":"thing.done","text":"$TEXT"}`
	const typeBody = `{"type":"thing.done","text":"$TEXT"}`

	chatwoot := timed("chatwoot", eventBody, "thing.done", "X-Chatwoot-Timestamp", unix, "X-Chatwoot-Signature", "sha256=", dotted, hexSHA256)
	signed := chatwoot.headers
	chatwoot.headers = func(a attempt) []string { return append(signed(a), "X-Chatwoot-Delivery", a.id) }
	chatwoot.id = "X-Chatwoot-Delivery"
	return []sample{
		timed("airship", `{"text":"$TEXT"}`, "", "X-UA-TIMESTAMP", unix, "X-UA-SIGNATURE", "", colon, hexSHA256),
		withID(timed("airwallex", `{"id":"$ID","name":"thing.done","text":"$TEXT"}`, "thing.done", "x-timestamp", millis, "x-signature", "", joined, hexSHA256)),
		withID(timed("box", `{"id":"$ID","trigger":"FILE.UPLOADED","text":"$TEXT"}`, "FILE.UPLOADED", "BOX-DELIVERY-TIMESTAMP", rfc3339, "BOX-SIGNATURE-SECONDARY", "", behind, b64SHA256)),
		timed("cashfree", typeBody, "thing.done", "x-webhook-timestamp", millis, "x-webhook-signature", "", joined, b64SHA256),
		chatwoot,
		withID(timed("customerio", `{"event_id":"$ID","metric":"sent","text":"$TEXT"}`, "sent", "X-CIO-Timestamp", unix, "X-CIO-Signature", "", v0, hexSHA256)),
		timed("frameio", typeBody, "thing.done", "X-Frameio-Request-Timestamp", unix, "X-Frameio-Signature", "v0=", v0, hexSHA256),
		timed("front", typeBody, "thing.done", "X-Front-Request-Timestamp", millis, "X-Front-Signature", "", colon, b64SHA256),
		timed("klaviyo", `{"text":"$TEXT"}`, "", "Klaviyo-Timestamp", unix, "Klaviyo-Signature", "", behind, hexSHA256),
		withID(timed("lob", `{"id":"$ID","event_type":{"id":"letter.created"},"text":"$TEXT"}`, "letter.created", "Lob-Signature-Timestamp", millis, "Lob-Signature", "", dotted, hexSHA256)),
		withID(timed("orb", plainBody, "thing.done", "X-Orb-Timestamp", attempt.zoneless, "X-Orb-Signature", "v1=", func(at string, a attempt) string { return "v1:" + at + ":" + a.body }, hexSHA256)),
		timed("pinwheel", eventBody, "thing.done", "X-Timestamp", unix, "x-pinwheel-signature", "v2=", func(at string, a attempt) string { return "v2:" + at + ":" + a.body }, hexSHA256),
		timed("revolut", eventBody, "thing.done", "Revolut-Request-Timestamp", millis, "Revolut-Signature", "v1=", func(at string, a attempt) string { return "v1." + at + "." + a.body }, hexSHA256),
		withID(timed("slack", `{"event_id":"$ID","type":"event_callback","event":{"type":"app_mention","text":"$TEXT"}}`, "app_mention", "X-Slack-Request-Timestamp", unix, "X-Slack-Signature", "v0=", v0, hexSHA256)),
		timed("webflow", `{"triggerType":"form_submission","text":"$TEXT"}`, "form_submission", "x-webflow-timestamp", millis, "x-webflow-signature", "", colon, hexSHA256),
		withID(timed("zendesk", plainBody, "thing.done", "X-Zendesk-Webhook-Signature-Timestamp", rfc3339, "X-Zendesk-Webhook-Signature", "", joined, b64SHA256)),
		timed("zoom", eventBody, "thing.done", "x-zm-request-timestamp", unix, "x-zm-signature", "v0=", v0, hexSHA256),
	}
}

// pairSamples have the time beside the signature.
func pairSamples() []sample {
	pair := func(provider, body, eventType, header, separator, timeName, name string, timeOf func(attempt) string, between string, sign func(key string, texts ...string) string) sample {
		return sample{
			provider: provider, secret: plainSecret, wrong: plainWrong, body: body,
			headers: func(a attempt) []string {
				at := timeOf(a)
				return []string{header, timeName + "=" + at + separator + name + "=" + sign(a.secret, at, between, a.body)}
			},
			covers: timeCover, eventType: eventType,
		}
	}
	withID := func(s sample) sample {
		s.bodyID, s.covers = true, wholeCover
		return s
	}
	unix, millis := attempt.unix, attempt.millis
	const eventBody = `{"event":"thing.done","text":"$TEXT"}`
	const typeBody = `{"type":"thing.done","text":"$TEXT"}`
	tabapay := pair("tabapay", `{"text":"$TEXT"}`, "", "X-HMAC-Signature", ",v1="+strings.Repeat("0", 64)+",", "t", "v2", unix, ".", hexSHA256)
	signed := tabapay.headers
	tabapay.headers = func(a attempt) []string { return append(signed(a), "Idempotency-Key", a.id) }
	tabapay.id = "Idempotency-Key"
	tabapay.loose = true
	sanity := pair("sanity", `{"text":"$TEXT"}`, "", "sanity-webhook-signature", ",", "t", "v1", millis, ".", func(key string, texts ...string) string {
		return base64.RawURLEncoding.EncodeToString(hmacOf(sha256.New, key, texts...))
	})
	unkeyed := sanity.headers
	sanity.headers = func(a attempt) []string { return append(unkeyed(a), "idempotency-key", a.id) }
	sanity.id = "Idempotency-Key"
	return []sample{
		pair("affirm", `{"text":"$TEXT"}`, "", "X-Affirm-Signature", ",", "t", "v0", unix, ".", hexSHA512),
		pair("billit", `{"text":"$TEXT"}`, "", "Billit-Signature", ",", "t", "s", unix, ".", hexSHA256),
		pair("buildkite", eventBody, "thing.done", "X-Buildkite-Signature", ",", "timestamp", "signature", unix, ".", hexSHA256),
		pair("calendly", eventBody, "thing.done", "Calendly-Webhook-Signature", ",", "t", "v1", unix, ".", hexSHA256),
		pair("elevenlabs", typeBody, "thing.done", "ElevenLabs-Signature", ",", "t", "v0", unix, ".", hexSHA256),
		pair("moonpay", typeBody, "thing.done", "Moonpay-Signature-V2", ",", "t", "s", unix, ".", hexSHA256),
		withID(pair("mux", plainBody, "thing.done", "Mux-Signature", ",", "t", "v1", unix, ".", hexSHA256)),
		withID(pair("paddle", `{"event_id":"$ID","event_type":"thing.done","text":"$TEXT"}`, "thing.done", "Paddle-Signature", ";", "ts", "h1", unix, ":", hexSHA256)),
		withID(pair("persona", `{"data":{"id":"$ID","attributes":{"name":"inquiry.completed"},"text":"$TEXT"}}`, "inquiry.completed", "Persona-Signature", ",", "t", "v1", unix, ".", hexSHA256)),
		sanity,
		pair("shippo", eventBody, "thing.done", "Shippo-Auth-Signature", ",", "t", "v1", unix, ".", hexSHA256),
		withID(pair("stripe", plainBody, "thing.done", "Stripe-Signature", ",", "t", "v1", unix, ".", hexSHA256)),
		tabapay,
		pair("tiktok", eventBody, "thing.done", "TikTok-Signature", ",", "t", "s", unix, ".", hexSHA256),
		withID(pair("workos", `{"id":"$ID","event":"thing.done","text":"$TEXT"}`, "thing.done", "WorkOS-Signature", ", ", "t", "v1", millis, ".", hexSHA256)),
	}
}

// urlSamples sign the URL.
func urlSamples() []sample {
	return []sample{
		{
			provider: "square", secret: plainSecret, wrong: plainWrong, url: "https://hooks.example.com/square",
			body: `{"event_id":"$ID","type":"payment.created","text":"$TEXT"}`,
			headers: func(a attempt) []string {
				return []string{"x-square-hmacsha256-signature", b64SHA256(a.secret, a.url, a.body)}
			},
			bodyID: true, covers: bodyAndID, eventType: "payment.created",
		},
		{
			provider: "trello", secret: plainSecret, wrong: plainWrong, url: "https://hooks.example.com/trello",
			body: `{"action":{"id":"$ID","type":"updateCard","text":"$TEXT"}}`,
			headers: func(a attempt) []string {
				return []string{"X-Trello-Webhook", b64SHA1(a.secret, a.body, a.url)}
			},
			bodyID: true, covers: bodyAndID, eventType: "updateCard",
		},
	}
}
