package webhook_test

import (
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

// The vector that the documentation prints. Anyone can check it:
//
//	printf '%s' "$ID.$TIMESTAMP.$BODY" | openssl dgst -sha256 -hmac "$KEY" -binary | base64
//	printf '%s' "${BODY:0:-87}}" | openssl dgst -sha256 -hmac "$KEY"
const (
	vectorKey       = "0123456789abcdef0123456789abcdef"
	vectorSecret    = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	vectorID        = "evt_0192f0c1a2b37c4d8e5f60718293a4b5"
	vectorTimestamp = 1709634600
	vectorData      = `{"id":"conv_123","status":"open","inbox_id":1,"contact_id":456}`
	vectorUnsigned  = `{"event":"conversation.created","timestamp":"2024-03-05T10:30:00Z","data":` + vectorData + `}`
	vectorBody      = `{"event":"conversation.created","timestamp":"2024-03-05T10:30:00Z","data":` + vectorData +
		`,"signature":"sha256=a402d95ddc0a0141cbc0b1f3b759444d2da52b6f41d53678c2227af07e6a30ad"}`
	vectorSignature = "v1,lzeWAiyRfH2KxX8DXuSUfMd0jhG7k2flAAwnTUfduFM="

	// otherSecret is 24 bytes, the least there may be; it has no padding.
	otherSecret = "whsec_YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4"
)

// The Ed25519 vector: the key of RFC 8032, section 7.1, TEST 1, over the same
// ID, timestamp and body. Made with OpenSSL 3, where content holds
// "$ID.$TIMESTAMP.$BODY" without a newline:
//
//	printf 302e020100300506032b657004220420%s "$SEED_IN_HEX" | xxd -r -p > key.der
//	openssl pkeyutl -sign -rawin -keyform DER -inkey key.der -in content | base64 -w0
//	openssl pkey -inform DER -in key.der -pubout -outform DER | tail -c 32 | base64
const (
	vectorSeedHex          = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"
	vectorPublicHex        = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
	vectorSigningKey       = "whsk_nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A="
	vectorVerifyingKey     = "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
	vectorEd25519Signature = "v1a,SaZmK2ADV0MqmADQKfqyxbYWmmIMxZ3xqOTyvw+kDdb12XBmQrdto9DZ5GA+IJefl8tojol4epAbLJixwSoGCg=="
)

// The vector that the reference implementation of Standard Webhooks tests
// itself with (libraries/go/webhook_test.go, TestWebhookSign).
const (
	publishedSecret    = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	publishedID        = "msg_p5jXN8AQM9LWM0D4loKWxJek"
	publishedTimestamp = 1614265330
	publishedBody      = `{"test": 2432232314}`
	publishedSignature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
)

func vectorEvent() *webhook.Event {
	return &webhook.Event{
		ID:        vectorID,
		Type:      "conversation.created",
		Timestamp: time.Date(2024, 3, 5, 10, 30, 0, 0, time.UTC),
		Tenant:    "acme",
		Data:      []byte(vectorData),
	}
}

func mustSecret(tb testing.TB, s string) *webhook.Secret {
	tb.Helper()
	secret, err := webhook.ParseSecret(s)
	if err != nil {
		tb.Fatal(err)
	}
	return secret
}

func mustSigningKey(tb testing.TB, s string) *webhook.SigningKey {
	tb.Helper()
	key, err := webhook.ParseSigningKey(s)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

func mustVerifyingKey(tb testing.TB, s string) *webhook.VerifyingKey {
	tb.Helper()
	key, err := webhook.ParseVerifyingKey(s)
	if err != nil {
		tb.Fatal(err)
	}
	return key
}
