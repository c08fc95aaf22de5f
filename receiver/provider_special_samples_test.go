package receiver

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// openText stands where the scheme does not cover a body that it covers
// otherwise. The table alters it, and it must get through.
const openText = "whatever"

// specialSamples are those of the providers that no template can express.
func specialSamples(t testing.TB) []sample {
	return slices.Concat(memberSamples(t), addressSamples(), tokenBodySamples(t), bearerSamples(t), messageSignatureSamples(t), payPalSamples(t))
}

// keysAt is a client that finds these pages, by host and path, and no others.
func keysAt(pages map[string]string) *http.Client {
	return &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		page, ok := pages[r.URL.Host+r.URL.Path]
		if !ok {
			return response(http.StatusNotFound, ""), nil
		}
		return response(http.StatusOK, page), nil
	})}
}

// memberText is the value of the first member of that name, which is a string
// without escapes.
func memberText(body, name string) string {
	_, rest, _ := strings.Cut(body, `"`+name+`":"`)
	text, _, _ := strings.Cut(rest, `"`)
	return text
}

func b64Digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.StdEncoding.EncodeToString(sum[:])
}

func hexDigest(texts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(texts, "")))
	return hex.EncodeToString(sum[:])
}

// memberSamples have the signature over some members of the body, or over all
// of it with more beside it.
func memberSamples(t testing.TB) []sample {
	certified, other := rsaKeys()[0], rsaKeys()[1]
	_, published := certificate(t, "sns.amazonaws.com", certified, nil, nil, verifyNow.Add(-time.Hour), verifyNow.Add(time.Hour))
	return []sample{
		{
			provider: "adyen", secret: hexSecret, wrong: hexWrong,
			body: `{"live":"false","notificationItems":[{"NotificationRequestItem":{"additionalData":{"hmacSignature":"SIGNATURE"},"amount":{"currency":"EUR","value":1000},` +
				`"eventCode":"AUTHORISATION","merchantAccountCode":"merchant","merchantReference":"$TEXT","pspReference":"$ID","reason":"` + openText + `","success":"true"}}]}`,
			signBody: func(a attempt) string {
				content := a.id + "::merchant:" + memberText(a.body, "merchantReference") + ":1000:EUR:AUTHORISATION:true"
				return strings.Replace(a.body, "SIGNATURE", b64SHA256(unhex(a.secret), content), 1)
			},
			bodyID: true, idForm: "$ID:AUTHORISATION:true", covers: bodyAndID, eventType: "AUTHORISATION",
		},
		{
			// The token is the ID. The event itself is not covered.
			provider: "mailgun", secret: plainSecret, wrong: plainWrong,
			body: `{"signature":{"timestamp":"$UNIX","token":"$ID","signature":"SIGNATURE"},"event-data":{"event":"opened","text":"$TEXT"}}`,
			signBody: func(a attempt) string {
				return strings.Replace(a.body, "SIGNATURE", hexSHA256(a.secret, a.unix(), a.id), 1)
			},
			bodyID: true, covers: []string{coveredTime, coveredID}, eventType: "opened",
		},
		{
			provider: "payos", secret: plainSecret, wrong: plainWrong,
			body: `{"code":"00","desc":"` + openText + `","success":true,"data":{"text":"$TEXT","orderCode":123,"reference":"$ID","counterAccountName":null},"signature":"SIGNATURE"}`,
			signBody: func(a attempt) string {
				content := "counterAccountName=&orderCode=123&reference=" + a.id + "&text=" + memberText(a.body, "text")
				return strings.Replace(a.body, "SIGNATURE", hexSHA256(a.secret, content), 1)
			},
			covers: bodyCover,
		},
		{
			provider: "sns", key: certified, wrongKey: other, settings: map[string]string{"topics": snsTopic},
			client: keysAt(map[string]string{snsCertificate: published}),
			body:   `{"text":"$TEXT"}`,
			signBody: func(a attempt) string {
				return snsBody(t, a.key.(*rsa.PrivateKey), "2", map[string]string{
					"Message": a.body, "MessageId": a.id, "Timestamp": a.rfc3339(),
					"UnsubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Action=" + openText,
				})
			},
			bodyID: true, covers: wholeCover, grace: time.Hour, eventType: "Notification",
		},
		{
			// What stands before the signature only names its key.
			provider: "worldpay", secret: plainSecret, wrong: plainWrong,
			body:    `{"eventId":"$ID","eventDetails":{"type":"sentForSettlement","text":"$TEXT"}}`,
			headers: signedBody("Event-Signature", "key7/SHA256/", hexSHA256), spare: "key7",
			bodyID: true, covers: bodyAndID,
		},
	}
}

// addressSamples sign the URL, or would if they were newer.
func addressSamples() []sample {
	plain := func(provider, body, eventType string, headers func(attempt) []string, covers ...string) sample {
		return sample{provider: provider, secret: plainSecret, wrong: plainWrong, body: body, headers: headers, covers: covers, eventType: eventType}
	}
	const hubspotBody = `[{"eventId":1,"subscriptionType":"contact.creation","text":"$TEXT"}]`

	form := plain("twilio", "To=%2B18005551212&MessageStatus=delivered&Body=$TEXT", "delivered", func(a attempt) []string {
		text := strings.TrimPrefix(a.body, "To=%2B18005551212&MessageStatus=delivered&Body=")
		return []string{
			"Content-Type", formType, "I-Twilio-Idempotency-Token", a.id,
			"X-Twilio-Signature", b64SHA1(a.secret, a.url, "Body", text, "MessageStatus", "delivered", "To", "+18005551212"),
		}
	}, coveredBody, coveredURL)
	query := func(a attempt) string { return "a=b&bodySHA256=" + hexDigest(a.body) }
	digest := plain("twilio", `{"text":"$TEXT"}`, "", func(a attempt) []string {
		return []string{"I-Twilio-Idempotency-Token", a.id, "X-Twilio-Signature", b64SHA1(a.secret, a.url, "?", query(a))}
	}, coveredBody, coveredURL)
	digest.query = query
	form.id, digest.id = "I-Twilio-Idempotency-Token", "I-Twilio-Idempotency-Token"

	return []sample{
		form, digest,
		plain("contentful", `{"sys":{"id":"$ID"},"text":"$TEXT"}`, "ContentManagement.Entry.publish", func(a attempt) []string {
			const topic, names = "ContentManagement.Entry.publish", "content-type,x-contentful-signed-headers,x-contentful-timestamp,x-contentful-topic"
			signed := "content-type:application/json;x-contentful-signed-headers:" + names + ";x-contentful-timestamp:" + a.millis() + ";x-contentful-topic:" + topic
			return []string{
				"X-Contentful-Topic", topic, "X-Contentful-Signed-Headers", names, "X-Contentful-Timestamp", a.millis(),
				"X-Contentful-Signature", hexSHA256(a.secret, "POST\n/hooks\n", signed, "\n", a.body),
			}
		}, coveredBody, coveredTime, coveredURL),
		plain("hubspot", hubspotBody, "", func(a attempt) []string {
			return []string{"X-HubSpot-Request-Timestamp", a.millis(), "X-HubSpot-Signature-v3", b64SHA256(a.secret, "POST", a.url, a.body, a.millis())}
		}, coveredBody, coveredTime, coveredURL),
		plain("hubspot_v1", hubspotBody, "", func(a attempt) []string {
			return []string{"X-HubSpot-Signature", hexDigest(a.secret, a.body)}
		}, coveredBody),
		plain("hubspot_v2", hubspotBody, "", func(a attempt) []string {
			return []string{"X-HubSpot-Signature", hexDigest(a.secret, "POST", a.url, a.body)}
		}, coveredBody, coveredURL),
	}
}

// tokenBodySamples have a token that holds the digest of the body.
func tokenBodySamples(t testing.TB) []sample {
	signer, other := rsaKeys()[0], rsaKeys()[1]
	curve, otherCurve := ecKey(t), ecKey(t)
	claims := func(a attempt) map[string]any {
		return map[string]any{"request_body_sha256": b64Digest(a.body), "iat": a.at.Unix()}
	}
	shared := sample{
		provider: "fusionauth", secret: plainSecret + ", long enough", wrong: plainWrong + ", long enough",
		body: `{"event":{"id":"$ID","type":"user.create","text":"$TEXT"}}`,
		headers: func(a attempt) []string {
			return []string{"X-FusionAuth-Signature-JWT", tokenOf(t, []byte(a.secret), map[string]any{"alg": "HS256", "typ": "JWT"}, claims(a))}
		},
		bodyID: true, covers: wholeCover, eventType: "user.create",
	}
	public := shared
	public.secret, public.wrong = publicPEM(t, &signer.PublicKey), publicPEM(t, &other.PublicKey)
	public.key, public.wrongKey = signer, other
	public.headers = func(a attempt) []string {
		return []string{"X-FusionAuth-Signature-JWT", tokenOf(t, a.key, map[string]any{"alg": "RS256", "typ": "JWT"}, claims(a))}
	}
	return []sample{
		shared, public,
		{
			// The secret is that of the API which gives out the key.
			provider: "plaid", secret: plainSecret, wrong: plainWrong, key: curve, wrongKey: otherCurve,
			settings: map[string]string{"client_id": "client"},
			client: &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
				var question map[string]string
				if err := json.NewDecoder(r.Body).Decode(&question); err != nil {
					return nil, err
				}
				if r.URL.Host != "production.plaid.com" || question["client_id"] != "client" || question["secret"] != plainSecret || question["key_id"] != "1" {
					return response(http.StatusBadRequest, ""), nil
				}
				return response(http.StatusOK, `{"key":`+jwkEC(curve, "1", `,"expired_at":null`)+`}`), nil
			})},
			body: `{"webhook_type":"TRANSACTIONS","webhook_code":"SYNC_UPDATES_AVAILABLE","text":"$TEXT"}`,
			headers: func(a attempt) []string {
				digest := with(claims(a), "request_body_sha256", hexDigest(a.body))
				return []string{"Plaid-Verification", tokenOf(t, a.key, map[string]any{"alg": "ES256", "kid": "1", "typ": "JWT"}, digest)}
			},
			covers: timeCover, eventType: "TRANSACTIONS.SYNC_UPDATES_AVAILABLE",
		},
	}
}

// bearerSamples have a token that need not hold anything of the body.
func bearerSamples(t testing.TB) []sample {
	certified, other := rsaKeys()[0], rsaKeys()[1]
	curve, otherCurve := ecKey(t), ecKey(t)
	issued := func(a attempt, digest bool) []string {
		claims := map[string]any{"iss": "https://issuer.example.com", "aud": "hooks", "iat": a.at.Unix(), "exp": a.at.Unix() + 60}
		if a.id != "" {
			claims["jti"] = a.id
		}
		if digest {
			claims["body"] = b64Digest(a.body)
		}
		return []string{"Authorization", "Bearer " + tokenOf(t, a.key, map[string]any{"alg": "ES256", "kid": "1"}, claims)}
	}
	whole := sample{
		provider: "jwt", key: curve, wrongKey: otherCurve,
		settings: map[string]string{"issuer": "https://issuer.example.com", "audience": "hooks", "jwks_url": "https://issuer.example.com/jwks.json", "body_claim": "body"},
		client:   keysAt(map[string]string{"issuer.example.com/jwks.json": `{"keys":[` + jwkEC(curve, "1", "") + `]}`}),
		body:     `{"text":"$TEXT"}`, headers: func(a attempt) []string { return issued(a, true) },
		bodyID: true, covers: wholeCover,
	}
	bare := whole
	bare.settings = map[string]string{"issuer": "https://issuer.example.com", "audience": "hooks", "jwks_url": "https://issuer.example.com/jwks.json"}
	bare.headers = func(a attempt) []string { return issued(a, false) }
	bare.bodyID, bare.covers, bare.partly, bare.anew = false, []string{coveredTime}, true, true
	nameless := whole
	nameless.headers = func(a attempt) []string {
		a.id = ""
		return issued(a, true)
	}
	nameless.bodyID, nameless.covers, nameless.partly = false, timeCover, true
	return []sample{
		whole, bare, nameless,
		{
			// One token is used for many messages, so it is of another time. Of
			// the message it covers nothing, and an attempt at it has its number.
			provider: "google_pubsub", key: certified, wrongKey: other,
			settings: map[string]string{"audience": "https://hooks.example.com/hooks", "email": "push@project.iam.gserviceaccount.com"},
			client:   keysAt(map[string]string{"www.googleapis.com/oauth2/v3/certs": `{"keys":[` + jwkRSA(certified, "1") + `]}`}),
			body:     `{"message":{"data":"$TEXT","messageId":"$ID"},"deliveryAttempt":$UNIX}`,
			headers: func(a attempt) []string {
				return []string{"Authorization", "Bearer " + tokenOf(t, a.key, map[string]any{"alg": "RS256", "kid": "1", "typ": "JWT"}, map[string]any{
					"iss": "https://accounts.google.com", "aud": "https://hooks.example.com/hooks", "email": "push@project.iam.gserviceaccount.com",
					"email_verified": true, "iat": verifyNow.Unix() - 1800, "exp": verifyNow.Unix() + 1800,
				})}
			},
			bodyID: true,
		},
	}
}

// messageSignatureSamples sign as RFC 9421 says. The nonce is the ID.
//
// A parser should take no notice of bits that a base64 has to spare (RFC 8941,
// section 4.2.7); the bit that the table alters at the end of these signatures
// is none of them.
func messageSignatureSamples(t testing.TB) []sample {
	signer, other := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)), ed25519.NewKeyFromSeed([]byte(plainSecret+"12345678"))
	signedBy := func(sign func(a attempt, base string) []byte) func(a attempt) []string {
		return func(a attempt) []string {
			digest := "sha-256=:" + b64Digest(a.body) + ":"
			parameters := `("@method" "@target-uri" "content-digest");created=` + a.unix() + `;nonce="` + a.id + `"`
			base := `"@method": POST` + "\n" + `"@target-uri": ` + a.url + "\n" + `"content-digest": ` + digest + "\n" + `"@signature-params": ` + parameters
			return []string{
				"Content-Digest", digest, "Signature-Input", "sig=" + parameters,
				"Signature", "sig=:" + base64.StdEncoding.EncodeToString(sign(a, base)) + ":",
			}
		}
	}
	shared := sample{
		provider: "http_signatures", secret: plainSecret, wrong: plainWrong, body: `{"text":"$TEXT"}`,
		headers: signedBy(func(a attempt, base string) []byte { return hmacOf(sha256.New, a.secret, base) }),
		bodyID:  true, covers: append(slices.Clone(wholeCover), coveredURL),
		merged: []string{"Signature-Input", "Signature"},
	}
	public := shared
	public.settings = map[string]string{"algorithm": messageEd25519}
	public.secret, public.wrong = publicPEM(t, signer.Public()), publicPEM(t, other.Public())
	public.key, public.wrongKey = signer, other
	public.headers = signedBy(func(a attempt, base string) []byte { return ed25519.Sign(a.key.(ed25519.PrivateKey), []byte(base)) })
	return []sample{shared, public}
}

// payPalSamples sign a CRC-32 of the body: a body that was changed at random is
// refused, and one that was made to have the same is not.
func payPalSamples(t testing.TB) []sample {
	signer, authority := rsaKeys()[0], rsaKeys()[1]
	root, _ := certificate(t, "Root", authority, nil, nil, verifyNow.Add(-time.Hour), verifyNow.Add(time.Hour))
	_, published := certificate(t, "messageverificationcerts.paypal.com", signer, root, authority, verifyNow.Add(-time.Hour), verifyNow.Add(time.Hour))
	roots := x509.NewCertPool()
	roots.AddCert(root)
	return []sample{{
		provider: "paypal", key: signer, wrongKey: authority, settings: map[string]string{"webhook_id": "1JE4291016473214C"},
		client: keysAt(map[string]string{"api.paypal.com/certs/CERT-1": published}), roots: roots,
		body: `{"id":"$ID","event_type":"PAYMENT.CAPTURE.COMPLETED","text":"$TEXT"}`,
		headers: func(a attempt) []string {
			transmission, sent := a.id+"-"+a.unix(), a.at.UTC().Format(time.RFC3339)
			sum := sha256.Sum256(fmt.Appendf(nil, "%s|%s|1JE4291016473214C|%d", transmission, sent, crc32.ChecksumIEEE([]byte(a.body))))
			signature, err := rsa.SignPKCS1v15(nil, a.key.(*rsa.PrivateKey), crypto.SHA256, sum[:])
			if err != nil {
				panic(err)
			}
			return []string{
				"Paypal-Transmission-Id", transmission, "Paypal-Transmission-Time", sent, "Paypal-Transmission-Sig", base64.StdEncoding.EncodeToString(signature),
				"Paypal-Cert-Url", "https://api.paypal.com/certs/CERT-1", "Paypal-Auth-Algo", "SHA256withRSA",
			}
		},
		bodyID: true, covers: timeCover, collide: sameCRC, eventType: "PAYMENT.CAPTURE.COMPLETED",
	}}
}

// sameCRC is changed with four bytes after it that give it the CRC-32 of
// original.
func sameCRC(original, changed string) string {
	state := ^crc32.ChecksumIEEE([]byte(original))
	for range 4 { // the steps of the checksum, backwards
		for i, entry := range crc32.IEEETable {
			if entry>>24 == state>>24 {
				state = (state^entry)<<8 | uint32(i)
				break
			}
		}
	}
	state ^= ^crc32.ChecksumIEEE([]byte(changed))
	return changed + string([]byte{byte(state), byte(state >> 8), byte(state >> 16), byte(state >> 24)})
}
