package webhook_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

// kilobyteEvent is an event whose body in the ManySends format is 1 KB long.
func kilobyteEvent() *webhook.Event {
	e := vectorEvent()
	const around = len(`{"event":"conversation.created","timestamp":"2024-03-05T10:30:00Z","data":{"text":""}}`) + webhook.BodySignatureLength - 1
	e.Data = []byte(`{"text":"` + strings.Repeat("a", 1024-around) + `"}`)
	return e
}

func kilobyteBody() []byte {
	body, _ := webhook.FormatManySends.AppendBody(nil, kilobyteEvent(), nil)
	return body
}

func TestKilobyteEventIsOne(t *testing.T) {
	body, _ := webhook.FormatManySends.AppendBody(nil, kilobyteEvent(), mustSecret(t, vectorSecret))
	if len(body) != 1024 {
		t.Errorf("the benchmarks' body has %d bytes, want 1024", len(body))
	}
}

func BenchmarkSign(b *testing.B) {
	body := kilobyteBody()
	signers := []webhook.Signer{mustSecret(b, vectorSecret)}
	at := time.Unix(vectorTimestamp, 0)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		webhook.Sign(signers, vectorID, at, body)
	}
}

func BenchmarkSignTwoSecrets(b *testing.B) {
	body := kilobyteBody()
	signers := []webhook.Signer{mustSecret(b, vectorSecret), mustSecret(b, otherSecret)}
	at := time.Unix(vectorTimestamp, 0)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		webhook.Sign(signers, vectorID, at, body)
	}
}

// BenchmarkSignBaseline is Sign as it is written without this package: a new
// HMAC for each signature.
func BenchmarkSignBaseline(b *testing.B) {
	body := kilobyteBody()
	at := time.Unix(vectorTimestamp, 0)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		plainSignature(vectorKey, vectorID, at.Unix(), body)
	}
}

// plainSignature is the specification's formula, word for word.
func plainSignature(key, id string, timestamp int64, body []byte) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(id + "." + strconv.FormatInt(timestamp, 10) + "."))
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// signedRequest is a request whose signature list has two elements, the one of
// vectorSecret last, and the keys and clock that accept it.
func signedRequest(tb testing.TB, body []byte) ([]webhook.Verifier, http.Header, time.Time) {
	tb.Helper()
	at := time.Unix(vectorTimestamp, 0)
	h := make(http.Header)
	webhook.SetHeaders(h, []webhook.Signer{mustSecret(tb, otherSecret), mustSecret(tb, vectorSecret)}, vectorID, at, body)
	return []webhook.Verifier{mustSecret(tb, vectorSecret)}, h, at
}

func BenchmarkVerify(b *testing.B) {
	body := kilobyteBody()
	keys, h, now := signedRequest(b, body)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := webhook.Verify(keys, h, body, now, time.Minute); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkVerifyBaseline does what [BenchmarkVerify] does with a new HMAC for
// each request.
func BenchmarkVerifyBaseline(b *testing.B) {
	body := kilobyteBody()
	_, h, now := signedRequest(b, body)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		at, err := strconv.ParseInt(h.Get("webhook-timestamp"), 10, 64)
		if err != nil || now.Sub(time.Unix(at, 0)).Abs() > time.Minute {
			b.Fatal("stale")
		}
		want, ok := plainSignature(vectorKey, h.Get("webhook-id"), at, body), false
		for _, got := range strings.Split(h.Get("webhook-signature"), " ") {
			ok = ok || hmac.Equal([]byte(got), []byte(want))
		}
		if !ok {
			b.Fatal("mismatch")
		}
	}
}

func BenchmarkSignBody(b *testing.B) {
	body := kilobyteBody()
	room := make([]byte, 0, len(body)+webhook.BodySignatureLength)
	secret := mustSecret(b, vectorSecret)
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		webhook.SignBody(append(room, body...), secret)
	}
}

func BenchmarkVerifyBody(b *testing.B) {
	body := webhook.SignBody(kilobyteBody(), mustSecret(b, vectorSecret))
	secrets := []*webhook.Secret{mustSecret(b, otherSecret), mustSecret(b, vectorSecret)}
	b.SetBytes(int64(len(body)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := webhook.VerifyBody(secrets, body); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendBody(b *testing.B) {
	for _, f := range []webhook.Format{webhook.FormatManySends, webhook.FormatStandard, webhook.FormatCloudEvents, webhook.FormatRaw} {
		b.Run(string(f), func(b *testing.B) {
			e, secret := kilobyteEvent(), mustSecret(b, vectorSecret)
			room := make([]byte, 0, 2048)
			b.SetBytes(1024)
			b.ReportAllocs()
			for b.Loop() {
				f.AppendBody(room, e, secret)
			}
		})
	}
}
