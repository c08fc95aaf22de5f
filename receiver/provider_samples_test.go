package receiver

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"github.com/manysends/caddy-webhooks/webhook"
)

// allSamples are the samples of all providers.
func allSamples(t testing.TB) []sample {
	t.Helper()
	return slices.Concat(standardSamples(), bodySamples(), timedSamples(), pairSamples(), urlSamples(), publicKeySamples(), tokenSamples(), otherSamples(), specialSamples(t))
}

const (
	plainSecret = "a secret of the provider"
	plainWrong  = "the secret of another one"
	plainBody   = `{"id":"$ID","type":"thing.done","data":{"text":"$TEXT"}}`
	hexSecret   = "00112233445566778899aabbccddeeff"
	hexWrong    = "ffeeddccbbaa99887766554433221100"
)

var (
	wholeCover = []string{coveredBody, coveredTime, coveredID}
	bodyCover  = []string{coveredBody}
	bodyAndID  = []string{coveredBody, coveredID}
	timeCover  = []string{coveredBody, coveredTime}
)

// standardHeaders signs as Standard Webhooks says, with headers that start with
// prefix.
func standardHeaders(prefix string, keyOf func(string) string) func(a attempt) []string {
	return func(a attempt) []string {
		return []string{
			prefix + "-id", a.id, prefix + "-timestamp", a.unix(),
			prefix + "-signature", "v1," + b64SHA256(keyOf(a.secret), a.id, ".", a.unix(), ".", a.body),
		}
	}
}

func standardSamples() []sample {
	list := []sample{
		{
			provider: "manysends", secret: testSecret, wrong: foreignSecret,
			body: `{"event":"thing.done","data":{"text":"$TEXT"}}`, headers: standardHeaders("webhook", unbase64), id: webhook.HeaderID,
			covers: wholeCover, eventType: "thing.done",
		},
		{
			provider: "gitlab", secret: testSecret, wrong: foreignSecret,
			body: `{"object_kind":"push","text":"$TEXT"}`, headers: standardHeaders("webhook", unbase64), id: webhook.HeaderID,
			covers: wholeCover, eventType: "push",
		},
		{
			provider: "manysends_body", secret: testSecret, wrong: foreignSecret,
			body: `{"event":"thing.done","data":{"text":"$TEXT"}}`,
			signBody: func(a attempt) string {
				return a.body[:len(a.body)-1] + `,"signature":"sha256=` + hexSHA256(unbase64(a.secret), a.body) + `"}`
			},
			headers: func(a attempt) []string { return []string{"webhook-id", a.id} }, id: webhook.HeaderID,
			covers: bodyCover, eventType: "thing.done",
		},
		{
			provider: "polar", secret: "polar_whs_ovyN6cPrTv56AApvzCaJno08SSmGJmgb", wrong: plainWrong, body: plainBody,
			headers: standardHeaders("webhook", func(s string) string { return s }), id: webhook.HeaderID,
			covers: wholeCover, eventType: "thing.done",
		},
		{
			provider: "supabase", secret: "v1," + testSecret, wrong: "v1," + foreignSecret, body: plainBody,
			headers: standardHeaders("webhook", unbase64), id: webhook.HeaderID, covers: wholeCover, eventType: "thing.done",
		},
	}
	for _, name := range []string{"brex", "dodo", "etsy", "incident_io", "loops", "openai", "render", "replicate", "standard"} {
		list = append(list, sample{
			provider: name, secret: testSecret, wrong: foreignSecret, body: plainBody,
			headers: standardHeaders("webhook", unbase64), id: webhook.HeaderID, covers: wholeCover, eventType: "thing.done",
		})
	}
	for _, name := range []string{"clerk", "resend", "svix"} {
		list = append(list, sample{
			provider: name, secret: testSecret, wrong: foreignSecret, body: plainBody,
			headers: standardHeaders("svix", unbase64), id: "Svix-Id", covers: wholeCover, eventType: "thing.done",
		})
	}
	return list
}

// signedBody signs the body alone. The fields after sign are names and values
// of unsigned headers, in which $ID stands for the ID.
func signedBody(header, prefix string, sign func(key string, texts ...string) string, fields ...string) func(a attempt) []string {
	return func(a attempt) []string {
		list := []string{header, prefix + sign(a.secret, a.body)}
		for _, field := range fields {
			list = append(list, strings.ReplaceAll(field, "$ID", a.id))
		}
		return list
	}
}

// bodySamples sign nothing but the body.
func bodySamples() []sample {
	plain := func(provider, body, eventType string, headers func(attempt) []string) sample {
		return sample{provider: provider, secret: plainSecret, wrong: plainWrong, body: body, headers: headers, covers: bodyCover, eventType: eventType}
	}
	withID := func(s sample) sample {
		s.bodyID, s.covers = true, bodyAndID
		return s
	}
	headerID := func(s sample, id string, unsigned ...string) sample {
		s.id, s.unsigned = id, unsigned
		return s
	}
	withKey := func(s sample, secret, wrong string) sample {
		s.secret, s.wrong = secret, wrong
		return s
	}
	loosely := func(s sample) sample {
		s.loose = true
		return s
	}
	eventBody := func(member string) string { return `{"` + member + `":"thing.done","text":"$TEXT"}` }
	idBody := func(id, member string) string {
		return `{"` + id + `":"$ID","` + member + `":"thing.done","text":"$TEXT"}`
	}

	list := []sample{
		plain("ably", `{"text":"$TEXT"}`, "", signedBody("X-Ably-Signature", "", b64SHA256)),
		withKey(plain("adyen_management", eventBody("type"), "thing.done", func(a attempt) []string {
			return []string{"HmacSignature", b64SHA256(unhex(a.secret), a.body)}
		}), hexSecret, hexWrong),
		withID(plain("aftership", idBody("event_id", "event"), "thing.done", signedBody("aftership-hmac-sha256", "", b64SHA256))),
		withKey(plain("airtable", `{"timestamp":"$TEXT"}`, "", func(a attempt) []string {
			return []string{"X-Airtable-Content-MAC", "hmac-sha256=" + hexSHA256(unbase64(a.secret), a.body)}
		}), "MDEyMzQ1Njc4OWFiY2RlZg==", "ZmVkY2JhOTg3NjU0MzIxMA=="),
		withID(plain("alchemy", plainBody, "thing.done", signedBody("X-Alchemy-Signature", "", hexSHA256))),
		plain("asana", `{"events":[{"text":"$TEXT"}]}`, "", signedBody("X-Hook-Signature", "", hexSHA256)),
		plain("attio", `{"events":[{"event_type":"note.created","text":"$TEXT"}]}`, "note.created", signedBody("Attio-Signature", "", hexSHA256)),
		withID(withKey(plain("authorize_net", idBody("notificationId", "eventType"), "thing.done", func(a attempt) []string {
			return []string{"X-ANET-Signature", "sha512=" + strings.ToUpper(hex.EncodeToString(hmacOf(sha512.New, unhex(a.secret), a.body)))}
		}), hexSecret, hexWrong)),
		plain("autodesk", `{"hook":{"event":"thing.done"},"text":"$TEXT"}`, "thing.done", signedBody("x-adsk-signature", "sha1hash=", hexSHA1)),
		headerID(plain("bitbucket", plainBody, "repo:push", signedBody("X-Hub-Signature", "sha256=", hexSHA256, "X-Request-UUID", "$ID", "X-Event-Key", "repo:push")), "X-Request-UUID", "X-Event-Key"),
		headerID(plain("bitbucket_server", plainBody, "repo:push", signedBody("X-Hub-Signature", "sha256=", hexSHA256, "X-Request-Id", "$ID", "X-Event-Key", "repo:push")), "X-Request-Id", "X-Event-Key"),
		plain("bolt", eventBody("type"), "thing.done", signedBody("X-Bolt-Hmac-Sha256", "", b64SHA256)),
		plain("calcom", eventBody("triggerEvent"), "thing.done", signedBody("X-Cal-Signature-256", "", hexSHA256)),
		plain("castle", eventBody("type"), "thing.done", signedBody("X-Castle-Signature", "", b64SHA256)),
		headerID(plain("chargify", `event=test&payload[text]=$TEXT`, "", signedBody("X-Chargify-Webhook-Signature-Hmac-Sha-256", "", hexSHA256, "X-Chargify-Webhook-Id", "$ID")), "X-Chargify-Webhook-Id"),
		withID(plain("checkout_com", plainBody, "thing.done", signedBody("Cko-Signature", "", hexSHA256))),
		withID(plain("checkr", plainBody, "thing.done", signedBody("X-Checkr-Signature", "", hexSHA256))),
		withID(plain("circleci", plainBody, "thing.done", signedBody("circleci-signature", "v1=", hexSHA256))),
		plain("clearbit", eventBody("type"), "thing.done", signedBody("X-Request-Signature", "sha1=", hexSHA1)),
		plain("clickup", eventBody("event"), "thing.done", signedBody("X-Signature", "", hexSHA256)),
		withID(plain("coinbase_commerce", `{"id":"delivery","event":{"id":"$ID","type":"charge:created","text":"$TEXT"}}`, "charge:created", signedBody("X-CC-Webhook-Signature", "", hexSHA256))),
		headerID(plain("cursor", plainBody, "statusChange", signedBody("X-Webhook-Signature", "sha256=", hexSHA256, "X-Webhook-ID", "$ID", "X-Webhook-Event", "statusChange")), "X-Webhook-ID", "X-Webhook-Event"),
		plain("docusign", eventBody("event"), "thing.done", func(a attempt) []string {
			return []string{"X-DocuSign-Signature-100", b64SHA256(a.secret, a.body)}
		}),
		plain("dropbox", `{"list_folder":{"accounts":["$TEXT"]}}`, "", signedBody("X-Dropbox-Signature", "", hexSHA256)),
		withID(plain("dub", idBody("id", "event"), "thing.done", signedBody("Dub-Signature", "", hexSHA256))),
		withID(plain("dwolla", idBody("id", "topic"), "thing.done", signedBody("X-Request-Signature-SHA-256", "", hexSHA256))),
		withID(plain("easypost", idBody("id", "description"), "thing.done", signedBody("X-Hmac-Signature", "hmac-sha256-hex=", hexSHA256))),
		headerID(plain("forgejo", plainBody, "push", signedBody("X-Forgejo-Signature", "", hexSHA256, "X-Forgejo-Delivery", "$ID", "X-Forgejo-Event", "push")), "X-Forgejo-Delivery", "X-Forgejo-Event"),
		withID(plain("fourthwall", plainBody, "thing.done", signedBody("X-Fourthwall-Hmac-SHA256", "", b64SHA256))),
		headerID(plain("gitea", plainBody, "push", signedBody("X-Gitea-Signature", "", hexSHA256, "X-Gitea-Delivery", "$ID", "X-Gitea-Event", "push")), "X-Gitea-Delivery", "X-Gitea-Event"),
		headerID(plain("github", plainBody, "push", signedBody("X-Hub-Signature-256", "sha256=", hexSHA256, "X-GitHub-Delivery", "$ID", "X-GitHub-Event", "push")), "X-GitHub-Delivery", "X-GitHub-Event"),
		withID(plain("gocardless", `{"events":[{"text":"$TEXT"}],"meta":{"webhook_id":"$ID"}}`, "", signedBody("Webhook-Signature", "", hexSHA256))),
		headerID(plain("gogs", plainBody, "push", signedBody("X-Gogs-Signature", "", hexSHA256, "X-Gogs-Delivery", "$ID", "X-Gogs-Event", "push")), "X-Gogs-Delivery", "X-Gogs-Event"),
		headerID(plain("helpscout", plainBody, "convo.created", signedBody("X-HelpScout-Signature", "", b64SHA1, "X-HelpScout-Event", "convo.created")), "", "X-HelpScout-Event"),
		withID(plain("heroku", idBody("id", "resource"), "thing.done", signedBody("Heroku-Webhook-Hmac-SHA256", "", b64SHA256))),
		withID(plain("intercom", idBody("id", "topic"), "thing.done", signedBody("X-Hub-Signature", "sha1=", hexSHA1))),
		headerID(plain("jira", eventBody("webhookEvent"), "thing.done", signedBody("X-Hub-Signature", "sha256=", hexSHA256, "X-Atlassian-Webhook-Identifier", "$ID")), "X-Atlassian-Webhook-Identifier"),
		plain("jobber", `{"data":{"webHookEvent":{"topic":"JOB_UPDATE","text":"$TEXT"}}}`, "JOB_UPDATE", signedBody("X-Jobber-Hmac-SHA256", "", b64SHA256)),
		withID(plain("launchdarkly", idBody("_id", "kind"), "thing.done", signedBody("X-LD-Signature", "", hexSHA256))),
		plain("lemonsqueezy", `{"meta":{"event_name":"order_created"},"text":"$TEXT"}`, "order_created", signedBody("X-Signature", "", hexSHA256)),
		plain("line", `{"destination":"U1","events":[{"type":"message","text":"$TEXT"}]}`, "message", signedBody("x-line-signature", "", b64SHA256)),
		plain("linkedin", eventBody("type"), "thing.done", func(a attempt) []string {
			return []string{"X-LI-Signature", hexSHA256(a.secret, "hmacsha256="+a.body)}
		}),
		withKey(plain("microsoft_teams", eventBody("type"), "thing.done", func(a attempt) []string {
			return []string{"Authorization", "HMAC " + b64SHA256(unbase64(a.secret), a.body)}
		}), "MDEyMzQ1Njc4OWFiY2RlZg==", "ZmVkY2JhOTg3NjU0MzIxMA=="),
		headerID(plain("modern_treasury", eventBody("event"), "thing.done", signedBody("X-Signature", "", hexSHA256, "X-Webhook-ID", "$ID")), "X-Webhook-ID"),
		withID(plain("mollie", plainBody, "thing.done", signedBody("X-Mollie-Signature", "sha256=", hexSHA256))),
		headerID(plain("mongodb_atlas", plainBody, "alert.open", signedBody("X-MMS-Signature", "", b64SHA1, "X-MMS-Event", "alert.open")), "", "X-MMS-Event"),
		withID(plain("notion", plainBody, "thing.done", signedBody("X-Notion-Signature", "sha256=", hexSHA256))),
		plain("npm", eventBody("event"), "thing.done", signedBody("x-npm-signature", "sha256=", hexSHA256)),
		withID(plain("nylas", plainBody, "thing.done", signedBody("X-Nylas-Signature", "", hexSHA256))),
		withKey(plain("onfleet", eventBody("triggerName"), "thing.done", func(a attempt) []string {
			return []string{"X-Onfleet-Signature", hex.EncodeToString(hmacOf(sha512.New, unhex(a.secret), a.body))}
		}), hexSecret, hexWrong),
		loosely(withID(plain("pagerduty", `{"event":{"id":"$ID","event_type":"incident.triggered","text":"$TEXT"}}`, "incident.triggered", func(a attempt) []string {
			return []string{"X-PagerDuty-Signature", "v1=" + hexSHA256("another subscription's", a.body) + ",v1=" + hexSHA256(a.secret, a.body)}
		}))),
		plain("paystack", eventBody("event"), "thing.done", signedBody("x-paystack-signature", "", hexSHA512)),
		plain("primer", eventBody("eventType"), "thing.done", signedBody("X-Signature-Primary", "", b64SHA256)),
		headerID(plain("pulumi", plainBody, "stack", signedBody("Pulumi-Webhook-Signature", "", hexSHA256, "Pulumi-Webhook-ID", "$ID", "Pulumi-Webhook-Kind", "stack")), "Pulumi-Webhook-ID", "Pulumi-Webhook-Kind"),
		plain("pusher", `{"time_ms":1,"events":[{"name":"channel_occupied","text":"$TEXT"}]}`, "channel_occupied", signedBody("X-Pusher-Signature", "", hexSHA256)),
		plain("quickbooks", `{"eventNotifications":[{"text":"$TEXT"}]}`, "", signedBody("intuit-signature", "", b64SHA256)),
		headerID(plain("razorpay", eventBody("event"), "thing.done", signedBody("X-Razorpay-Signature", "", hexSHA256, "X-Razorpay-Event-Id", "$ID")), "X-Razorpay-Event-Id"),
		withID(plain("segment", `{"messageId":"$ID","type":"track","text":"$TEXT"}`, "track", signedBody("X-Signature", "", hexSHA1))),
		headerID(plain("sentry", plainBody, "issue", signedBody("Sentry-Hook-Signature", "", hexSHA256, "Request-ID", "$ID", "Sentry-Hook-Resource", "issue")), "Request-ID", "Sentry-Hook-Resource"),
		headerID(plain("shopify", `{"text":"$TEXT"}`, "orders/create", signedBody("X-Shopify-Hmac-SHA256", "", b64SHA256, "X-Shopify-Event-Id", "$ID", "X-Shopify-Topic", "orders/create")), "X-Shopify-Event-Id", "X-Shopify-Topic"),
		headerID(plain("snyk", `{"text":"$TEXT"}`, "project_snapshot/v0", signedBody("X-Hub-Signature", "sha256=", hexSHA256, "X-Snyk-Transport-ID", "$ID", "X-Snyk-Event", "project_snapshot/v0")), "X-Snyk-Transport-ID", "X-Snyk-Event"),
		headerID(plain("sonatype", `{"text":"$TEXT"}`, "rm:repository", signedBody("X-Nexus-Webhook-Signature", "", hexSHA1, "X-Nexus-Webhook-Delivery", "$ID", "X-Nexus-Webhook-Id", "rm:repository")), "X-Nexus-Webhook-Delivery", "X-Nexus-Webhook-Id"),
		withID(withKey(plain("squarespace", idBody("id", "topic"), "thing.done", func(a attempt) []string {
			return []string{"Squarespace-Signature", hexSHA256(unhex(a.secret), a.body)}
		}), hexSecret, hexWrong)),
		plain("terraform", `{"run_id":"run-1","notifications":[{"trigger":"run:completed","text":"$TEXT"}]}`, "run:completed", signedBody("X-TFE-Notification-Signature", "", hexSHA512)),
		plain("twitter", `{"for_user_id":"1","text":"$TEXT"}`, "", signedBody("x-twitter-webhooks-signature", "sha256=", b64SHA256)),
		withID(plain("typeform", idBody("event_id", "event_type"), "thing.done", signedBody("Typeform-Signature", "sha256=", b64SHA256))),
		plain("unit", `{"data":[{"id":"$ID","type":"thing.done","text":"$TEXT"}]}`, "thing.done", signedBody("X-Unit-Signature", "", b64SHA1)),
		withID(plain("vercel", plainBody, "thing.done", signedBody("x-vercel-signature", "", hexSHA1))),
		plain("viber", eventBody("event"), "thing.done", signedBody("X-Viber-Content-Signature", "", hexSHA256)),
		plain("webex", eventBody("event"), "thing.done", signedBody("X-Spark-Signature", "", hexSHA1)),
		headerID(plain("woocommerce", `{"text":"$TEXT"}`, "order.created", signedBody("X-WC-Webhook-Signature", "", b64SHA256, "X-WC-Webhook-Delivery-ID", "$ID", "X-WC-Webhook-Topic", "order.created")), "X-WC-Webhook-Delivery-ID", "X-WC-Webhook-Topic"),
		withID(plain("worldline", plainBody, "thing.done", signedBody("X-GCS-Signature", "", b64SHA256))),
		plain("xero", `{"events":[{"eventType":"Create","text":"$TEXT"}]}`, "Create", signedBody("x-xero-signature", "", b64SHA256)),
	}
	for _, name := range []string{"facebook", "instagram", "messenger", "whatsapp"} {
		list = append(list, plain(name, `{"object":"page","entry":[{"id":"1","changes":[{"field":"feed","text":"$TEXT"}]}]}`, "feed", signedBody("X-Hub-Signature-256", "sha256=", hexSHA256)))
	}
	return list
}

// publicKeySamples sign with a private key.
func publicKeySamples() []sample {
	seed := sha256.Sum256([]byte("a"))
	signer := ed25519.NewKeyFromSeed(seed[:])
	seed = sha256.Sum256([]byte("b"))
	stranger := ed25519.NewKeyFromSeed(seed[:])
	public := func(key ed25519.PrivateKey) []byte { return []byte(key.Public().(ed25519.PublicKey)) }
	curve, spki := ecdsaKey()
	otherCurve, otherSPKI := ecdsaKey()
	return []sample{
		{
			provider: "discord", secret: hex.EncodeToString(public(signer)), key: signer, wrong: hex.EncodeToString(public(stranger)), wrongKey: stranger,
			body: `{"id":"$ID","type":2,"text":"$TEXT"}`,
			headers: func(a attempt) []string {
				return []string{
					"X-Signature-Timestamp", a.unix(),
					"X-Signature-Ed25519", hex.EncodeToString(ed25519.Sign(a.key.(ed25519.PrivateKey), []byte(a.unix()+a.body))),
				}
			},
			bodyID: true, covers: wholeCover, eventType: "2",
		},
		{
			provider: "sendgrid", secret: spki, key: curve, wrong: otherSPKI, wrongKey: otherCurve,
			body: "[{\"event\":\"open\",\"text\":\"$TEXT\"}]\r\n",
			headers: func(a attempt) []string {
				digest := sha256.Sum256([]byte(a.unix() + a.body))
				signature, err := ecdsa.SignASN1(rand.Reader, a.key.(*ecdsa.PrivateKey), digest[:])
				if err != nil {
					panic(err)
				}
				return []string{
					"X-Twilio-Email-Event-Webhook-Timestamp", a.unix(),
					"X-Twilio-Email-Event-Webhook-Signature", base64.StdEncoding.EncodeToString(signature),
				}
			},
			covers: timeCover, eventType: "open",
		},
		{
			provider: "telnyx", secret: base64.StdEncoding.EncodeToString(public(signer)), key: signer, wrong: base64.StdEncoding.EncodeToString(public(stranger)), wrongKey: stranger,
			body: `{"data":{"id":"$ID","event_type":"message.received","text":"$TEXT"}}`,
			headers: func(a attempt) []string {
				return []string{
					"telnyx-timestamp", a.unix(),
					"telnyx-signature-ed25519", base64.StdEncoding.EncodeToString(ed25519.Sign(a.key.(ed25519.PrivateKey), []byte(a.unix()+"|"+a.body))),
				}
			},
			bodyID: true, covers: wholeCover, eventType: "message.received",
		},
	}
}

// ecdsaKey is a new key on P-256 and the base64 of its public half.
func ecdsaKey() (*ecdsa.PrivateKey, string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		panic(err)
	}
	return key, base64.StdEncoding.EncodeToString(der)
}

// tokenSamples send the secret itself.
func tokenSamples() []sample {
	token := func(provider, header, body, eventType string) sample {
		return sample{
			provider: provider, secret: plainSecret, wrong: plainWrong, body: body, eventType: eventType,
			headers: func(a attempt) []string { return []string{header, a.secret} },
		}
	}
	gitlab := token("gitlab_token", "X-Gitlab-Token", `{"text":"$TEXT"}`, "Push Hook")
	gitlab.headers = func(a attempt) []string {
		return []string{"X-Gitlab-Token", a.secret, "X-Gitlab-Event-UUID", a.id, "X-Gitlab-Event", "Push Hook"}
	}
	gitlab.id, gitlab.unsigned = "X-Gitlab-Event-UUID", []string{"X-Gitlab-Event"}
	xendit := token("xendit", "x-callback-token", `{"event":"payment.succeeded","text":"$TEXT"}`, "payment.succeeded")
	xendit.headers = func(a attempt) []string { return []string{"x-callback-token", a.secret, "webhook-id", a.id} }
	xendit.id = "Webhook-Id"
	deepgram := token("deepgram", "dg-token", `{"metadata":{"request_id":"$ID"},"text":"$TEXT"}`, "")
	telegram := token("telegram", "X-Telegram-Bot-Api-Secret-Token", `{"update_id":"$ID","text":"$TEXT"}`, "")
	deepgram.bodyID, telegram.bodyID = true, true
	return []sample{
		deepgram, gitlab, telegram, xendit,
		{
			provider: "figma", secret: plainSecret, wrong: plainWrong,
			body:     `{"event_type":"FILE_UPDATE","passcode":"SECRET","text":"$TEXT"}`,
			signBody: func(a attempt) string { return strings.Replace(a.body, "SECRET", a.secret, 1) }, eventType: "FILE_UPDATE",
		},
	}
}

func otherSamples() []sample {
	return []sample{
		{
			provider: "linear", secret: plainSecret, wrong: plainWrong,
			body: `{"type":"Issue","text":"$TEXT","webhookTimestamp":$MILLIS,"webhookId":"1"}`,
			headers: func(a attempt) []string {
				return []string{"Linear-Signature", hexSHA256(a.secret, a.body), "Linear-Delivery", a.id}
			},
			id: "Linear-Delivery", covers: timeCover, eventType: "Issue",
		},
		{
			provider: "sinch", secret: plainSecret, wrong: plainWrong, body: `{"text":"$TEXT"}`,
			headers: func(a attempt) []string {
				nonce := "01FJA8B4A7BM43YGWSG9GBV067"
				return []string{
					"x-sinch-webhook-signature-timestamp", a.unix(), "x-sinch-webhook-signature-nonce", nonce,
					"x-sinch-webhook-signature", b64SHA256(a.secret, a.body, ".", nonce, ".", a.unix()),
				}
			},
			covers: timeCover,
		},
		{
			provider: "twitch", secret: plainSecret, wrong: plainWrong, body: `{"subscription":{"type":"stream.online"},"text":"$TEXT"}`,
			headers: func(a attempt) []string {
				return []string{
					"Twitch-Eventsub-Message-Id", a.id, "Twitch-Eventsub-Message-Timestamp", a.rfc3339(), "Twitch-Eventsub-Subscription-Type", "stream.online",
					"Twitch-Eventsub-Message-Signature", "sha256=" + hexSHA256(a.secret, a.id, a.rfc3339(), a.body),
				}
			},
			id: "Twitch-Eventsub-Message-Id", covers: wholeCover, unsigned: []string{"Twitch-Eventsub-Subscription-Type"}, eventType: "stream.online",
		},
	}
}
