package receiver

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"hash/crc32"
	"net/http"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

func TestPayPal(t *testing.T) {
	const (
		body      = `{"id":"WH-2WR32451HC0233532-67976317FL4543714","event_type":"PAYMENT.CAPTURE.COMPLETED"}`
		webhookID = "1JE4291016473214C"
		page      = "api.paypal.com/v1/notifications/certs/CERT-360caa42-fca2a594-a5cafa77"
	)
	key, authority := rsaKeys()[0], rsaKeys()[1]
	hour := time.Hour
	root, _ := certificate(t, "Root", authority, nil, nil, verifyNow.Add(-hour), verifyNow.Add(hour))
	_, good := certificate(t, "messageverificationcerts.paypal.com", key, root, authority, verifyNow.Add(-hour), verifyNow.Add(hour))
	_, foreign := certificate(t, "messageverificationcerts.example.com", key, root, authority, verifyNow.Add(-hour), verifyNow.Add(hour))
	_, expired := certificate(t, "messageverificationcerts.paypal.com", key, root, authority, verifyNow.Add(-hour), verifyNow.Add(-time.Minute))
	_, alone := certificate(t, "messageverificationcerts.paypal.com", key, nil, nil, verifyNow.Add(-hour), verifyNow.Add(hour))
	h := newKeyHost(t)
	h.publish(page, good)
	h.publish("api.paypal.com/foreign", foreign)
	h.publish("api.paypal.com/expired", expired)
	h.publish("api.paypal.com/alone", alone)
	h.other = good // so that every other host would do
	h.answer("api.paypal.com/missing", http.StatusNotFound)
	h.answer("api.paypal.com/broken", http.StatusInternalServerError)

	s := mustScheme(t, "paypal", schemeOptions{client: h.client, parameters: map[string]string{"webhook_id": webhookID}})
	s.(*paypalScheme).roots = x509.NewCertPool()
	s.(*paypalScheme).roots.AddCert(root)

	type request struct {
		id, time, certificate, algorithm, body, webhookID string
		key                                               *rsa.PrivateKey
	}
	tests := []struct {
		name   string
		signed func(*request) // before it is signed
		sent   func(*request) // and after that
		want   error
	}{
		{"signed", nil, nil, nil},
		{"another body", nil, func(r *request) { r.body += " " }, webhook.ErrSignatureMismatch},
		{"another transmission", nil, func(r *request) { r.id += "1" }, webhook.ErrSignatureMismatch},
		{"another time", nil, func(r *request) { r.time = "2027-01-15T08:00:01Z" }, webhook.ErrSignatureMismatch},
		{"another webhook", func(r *request) { r.webhookID = "OTHER" }, nil, webhook.ErrSignatureMismatch},
		{"another key", func(r *request) { r.key = authority }, nil, webhook.ErrSignatureMismatch},
		{"old", func(r *request) { r.time = "2027-01-15T07:54:59Z" }, nil, webhook.ErrTimestampTooOld},
		{"new", func(r *request) { r.time = "2027-01-15T08:05:01Z" }, nil, webhook.ErrTimestampTooNew},
		{"malformed time", func(r *request) { r.time = "now" }, nil, webhook.ErrTimestampMalformed},
		{"bar in the ID", func(r *request) { r.id = "a|b" }, nil, webhook.ErrSignatureMismatch},
		{"another algorithm", nil, func(r *request) { r.algorithm = "none" }, webhook.ErrSignatureMismatch},
		{"no certificate", nil, func(r *request) { r.certificate = "" }, webhook.ErrSignatureMissing},
		{"certificate of another host", nil, func(r *request) { r.certificate = "https://api.paypal.com.example.com/good" }, webhook.ErrSignatureMismatch},
		{"certificate over http", nil, func(r *request) { r.certificate = "http://" + page }, webhook.ErrSignatureMismatch},
		{"certificate at another port", nil, func(r *request) { r.certificate = "https://api.paypal.com:8443/good" }, webhook.ErrSignatureMismatch},
		{"certificate that is not there", nil, func(r *request) { r.certificate = "https://api.paypal.com/missing" }, webhook.ErrSignatureMismatch},
		{"certificate for another name", nil, func(r *request) { r.certificate = "https://api.paypal.com/foreign" }, webhook.ErrSignatureMismatch},
		{"certificate that has expired", nil, func(r *request) { r.certificate = "https://api.paypal.com/expired" }, webhook.ErrSignatureMismatch},
		{"certificate that nobody vouches for", nil, func(r *request) { r.certificate = "https://api.paypal.com/alone" }, webhook.ErrSignatureMismatch},
		{"certificate out of reach", nil, func(r *request) { r.certificate = "https://api.paypal.com/broken" }, ErrKeysUnavailable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := request{"69cd13f0-d67a-11e5-baa3-778b53f4ae55", "2027-01-15T08:00:00Z", "https://" + page, "SHA256withRSA", body, webhookID, key}
			if tt.signed != nil {
				tt.signed(&r)
			}
			sum := sha256.Sum256(fmt.Appendf(nil, "%s|%s|%s|%d", r.id, r.time, r.webhookID, crc32.ChecksumIEEE([]byte(r.body))))
			signature, err := rsa.SignPKCS1v15(nil, r.key, crypto.SHA256, sum[:])
			if err != nil {
				t.Fatal(err)
			}
			if tt.sent != nil {
				tt.sent(&r)
			}
			got := checkVerdict(t, s, inboundTo("https://hooks.example.com/paypal", r.body, headerPayPalID, r.id, headerPayPalTime, r.time,
				headerPayPalCertURL, r.certificate, headerPayPalAlgorithm, r.algorithm, headerPayPalSignature, base64.StdEncoding.EncodeToString(signature)), tt.want)
			if tt.want == nil && (got.id != "WH-2WR32451HC0233532-67976317FL4543714" || got.eventType != "PAYMENT.CAPTURE.COMPLETED" || string(got.content[0]) != r.id) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// TestPayPalCertificateInUse guards that strangers who name many addresses of
// certificates, all of which are there, do not push out the one that PayPal signs
// with: fetching it again would have to wait behind theirs.
func TestPayPalCertificateInUse(t *testing.T) {
	const page = "https://api.paypal.com/cert"
	key := rsaKeys()[0]
	root, text := certificate(t, "messageverificationcerts.paypal.com", key, nil, nil, verifyNow.Add(-time.Hour), verifyNow.Add(time.Hour))
	h := newKeyHost(t)
	h.publish("api.paypal.com/cert", text)
	s := mustScheme(t, "paypal", schemeOptions{client: h.client, parameters: map[string]string{"webhook_id": "W"}})
	s.(*paypalScheme).roots = x509.NewCertPool()
	s.(*paypalScheme).roots.AddCert(root)

	sum := sha256.Sum256(fmt.Appendf(nil, "T|2027-01-15T08:00:00Z|W|%d", crc32.ChecksumIEEE([]byte("{}"))))
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	request := func(id, certificate string) *inbound {
		return inboundTo("https://hooks.example.com/paypal", "{}", headerPayPalID, id, headerPayPalTime, "2027-01-15T08:00:00Z",
			headerPayPalCertURL, certificate, headerPayPalAlgorithm, "SHA256withRSA", headerPayPalSignature, base64.StdEncoding.EncodeToString(signature))
	}
	checkVerdict(t, s, request("T", page), nil)
	for i := range 2 * maxKept {
		forged := request("forged", fmt.Sprint(page, "?", i))
		forged.now = verifyNow.Add(time.Duration(i) * fetchEvery)
		checkVerdict(t, s, forged, webhook.ErrSignatureMismatch)
	}
	h.answer("api.paypal.com/cert", http.StatusServiceUnavailable)
	last := request("T", page)
	last.now = verifyNow.Add(2 * maxKept * fetchEvery)
	checkVerdict(t, s, last, nil)
}
