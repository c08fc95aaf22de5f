package receiver

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

const (
	snsTopic       = "arn:aws:sns:eu-west-1:123456789012:orders"
	snsCertificate = "sns.eu-west-1.amazonaws.com/SimpleNotificationService-0000.pem"
)

// snsBody is a message, signed by code that shares nothing with what is tested.
// An empty value takes a member away.
func snsBody(t testing.TB, key *rsa.PrivateKey, version string, changes map[string]string) string {
	t.Helper()
	m := map[string]string{
		"Type": "Notification", "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324", "TopicArn": snsTopic,
		"Subject": "My First Message", "Message": "Hello\nworld! é <&>", "Timestamp": "2027-01-15T08:00:00.000Z",
		"SignatureVersion": version, "SigningCertURL": "https://" + snsCertificate, "UnsubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Action=Unsubscribe",
	}
	maps.Copy(m, changes)
	for name, value := range m {
		if value == "" {
			delete(m, name)
		}
	}
	var text string
	if m["Type"] == "Notification" {
		text = "Message\n" + m["Message"] + "\nMessageId\n" + m["MessageId"] + "\n"
		if m["Subject"] != "" {
			text += "Subject\n" + m["Subject"] + "\n"
		}
		text += "Timestamp\n" + m["Timestamp"] + "\nTopicArn\n" + m["TopicArn"] + "\nType\nNotification\n"
	} else {
		text = "Message\n" + m["Message"] + "\nMessageId\n" + m["MessageId"] + "\nSubscribeURL\n" + m["SubscribeURL"] +
			"\nTimestamp\n" + m["Timestamp"] + "\nToken\n" + m["Token"] + "\nTopicArn\n" + m["TopicArn"] + "\nType\n" + m["Type"] + "\n"
	}
	sum1, sum2 := sha1.Sum([]byte(text)), sha256.Sum256([]byte(text))
	hash, digest := crypto.SHA1, sum1[:]
	if version == "2" {
		hash, digest = crypto.SHA256, sum2[:]
	}
	signature, err := rsa.SignPKCS1v15(nil, key, hash, digest)
	if err != nil {
		t.Fatal(err)
	}
	m["Signature"] = base64.StdEncoding.EncodeToString(signature)
	body, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func snsHostOf(t testing.TB, key *rsa.PrivateKey) *keyHost {
	t.Helper()
	h := newKeyHost(t)
	_, text := certificate(t, "sns.amazonaws.com", key, nil, nil, verifyNow.Add(-time.Hour), verifyNow.Add(3*time.Hour))
	h.publish(snsCertificate, text)
	return h
}

func TestSNS(t *testing.T) {
	key, other := rsaKeys()[0], rsaKeys()[1]
	h := snsHostOf(t, key)
	_, text := certificate(t, "sns.amazonaws.com", key, nil, nil, verifyNow.Add(-2*time.Hour), verifyNow.Add(-time.Hour))
	h.publish("sns.eu-west-1.amazonaws.com/expired.pem", text)
	h.publish("sns.eu-west-1.amazonaws.com/none.pem", "nothing")
	h.answer("sns.eu-west-1.amazonaws.com/broken.pem", http.StatusBadGateway)
	h.answer("sns.eu-west-1.amazonaws.com/missing.pem", http.StatusNotFound)
	h.other = h.pages[snsCertificate] // so that every other host would do
	s := mustScheme(t, "sns", schemeOptions{client: h.client, parameters: map[string]string{"topics": "arn:aws:sns:eu-west-1:123456789012:other, " + snsTopic}})

	none := map[string]string{}
	good := snsBody(t, key, "1", none)
	confirmation := map[string]string{"Type": "SubscriptionConfirmation", "Subject": "", "Token": "2336412f37", "SubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=2336412f37"}
	change := func(from, to string) string {
		if strings.Count(good, from) != 1 {
			t.Fatalf("%q is not in the message once", from)
		}
		return strings.Replace(good, from, to, 1)
	}
	at := func(address string) string { return snsBody(t, key, "1", map[string]string{"SigningCertURL": address}) }
	tests := []struct {
		name, body string
		now        time.Time
		want       error
	}{
		{"version 1", good, verifyNow, nil},
		{"version 2", snsBody(t, key, "2", none), verifyNow, nil},
		{"no subject", snsBody(t, key, "1", map[string]string{"Subject": ""}), verifyNow, nil},
		{"subject is null", strings.Replace(snsBody(t, key, "1", map[string]string{"Subject": ""}), `{`, `{"Subject":null,`, 1), verifyNow, nil},
		{"confirmation", snsBody(t, key, "1", confirmation), verifyNow, nil},
		{"late attempt", good, verifyNow.Add(time.Hour + 4*time.Minute), nil},

		{"too late an attempt", good, verifyNow.Add(time.Hour + 6*time.Minute), webhook.ErrTimestampTooOld},
		{"from the future", good, verifyNow.Add(-6 * time.Minute), webhook.ErrTimestampTooNew},
		{"malformed time", snsBody(t, key, "1", map[string]string{"Timestamp": "yesterday"}), verifyNow, webhook.ErrTimestampMalformed},
		{"another message", change("Hello", "Hallo"), verifyNow, webhook.ErrSignatureMismatch},
		{"another ID", change("22b80b92", "22b80b93"), verifyNow, webhook.ErrSignatureMismatch},
		{"another subject", change("My First", "My Last"), verifyNow, webhook.ErrSignatureMismatch},
		{"no subject any more", change(`"Subject":"My First Message",`, ``), verifyNow, webhook.ErrSignatureMismatch},
		{"another version", change(`"SignatureVersion":"1"`, `"SignatureVersion":"2"`), verifyNow, webhook.ErrSignatureMismatch},
		{"unknown version", change(`"SignatureVersion":"1"`, `"SignatureVersion":"3"`), verifyNow, webhook.ErrSignatureMismatch},
		{"unknown type", change(`"Type":"Notification"`, `"Type":"Other"`), verifyNow, webhook.ErrSignatureMismatch},
		{"no signature", change(`"Signature":`, `"S":`), verifyNow, webhook.ErrSignatureMissing},
		{"another key", snsBody(t, other, "1", none), verifyNow, webhook.ErrSignatureMismatch},
		{"another topic", snsBody(t, key, "1", map[string]string{"TopicArn": "arn:aws:sns:eu-west-1:999999999999:orders"}), verifyNow, webhook.ErrSignatureMismatch},
		{"member twice", change(`{"Message":`, `{"Message":"evil","Message":`), verifyNow, webhook.ErrSignatureMismatch},
		{"member in another case", change(`{"Message":`, `{"message":"evil","Message":`), verifyNow, webhook.ErrSignatureMismatch},
		{"two values", good + good, verifyNow, webhook.ErrSignatureMismatch},
		{"lines cut elsewhere", snsBody(t, key, "1", map[string]string{"Subject": "x\nTimestamp\ny"}), verifyNow, webhook.ErrSignatureMismatch},

		{"certificate of another host", at("https://sns.example.com/SimpleNotificationService-0000.pem"), verifyNow, webhook.ErrSignatureMismatch},
		{"certificate of a host that looks alike", at("https://sns.eu-west-1.amazonaws.com.example.com/x.pem"), verifyNow, webhook.ErrSignatureMismatch},
		{"certificate of a bucket", at("https://s3.eu-west-1.amazonaws.com/x.pem"), verifyNow, webhook.ErrSignatureMismatch},
		{"certificate with a user name", at("https://sns.eu-west-1.amazonaws.com@example.com/x.pem"), verifyNow, webhook.ErrSignatureMismatch},
		{"certificate at another port", at("https://sns.eu-west-1.amazonaws.com:8443/x.pem"), verifyNow, webhook.ErrSignatureMismatch},
		{"certificate over http", at("http://" + snsCertificate), verifyNow, webhook.ErrSignatureMismatch},
		{"certificate with another ending", at("https://sns.eu-west-1.amazonaws.com/?x=.pem"), verifyNow, webhook.ErrSignatureMismatch},
		{"certificate that is not there", at("https://sns.eu-west-1.amazonaws.com/missing.pem"), verifyNow, webhook.ErrSignatureMismatch},
		{"certificate has expired", at("https://sns.eu-west-1.amazonaws.com/expired.pem"), verifyNow, webhook.ErrSignatureMismatch},
		{"certificate out of reach", at("https://sns.eu-west-1.amazonaws.com/broken.pem"), verifyNow, ErrKeysUnavailable},
		{"certificate is none", at("https://sns.eu-west-1.amazonaws.com/none.pem"), verifyNow, ErrKeysUnavailable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := inboundTo("https://hooks.example.com/sns", tt.body, "Content-Type", "text/plain; charset=UTF-8")
			in.now = tt.now
			got := checkVerdict(t, s, in, tt.want)
			if tt.want == nil && (got.id != "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324" || !got.timestamp.Equal(verifyNow)) {
				t.Errorf("got %+v", got)
			}
		})
	}
	if n := h.times(snsCertificate); n != 1 {
		t.Errorf("the certificate was fetched %d times", n)
	}
	if n := h.times("sns.example.com/SimpleNotificationService-0000.pem"); n != 0 {
		t.Error("a foreign host was asked")
	}
}

func TestSNSHandshake(t *testing.T) {
	key := rsaKeys()[0]
	h := snsHostOf(t, key)
	const page = "sns.eu-west-1.amazonaws.com/"
	confirmation := func(address string) string {
		return snsBody(t, key, "1", map[string]string{"Type": "SubscriptionConfirmation", "Subject": "", "Token": "2336412f37", "SubscribeURL": address})
	}
	const address = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=x&Token=2336412f37"
	tests := []struct {
		name, confirm, body string
		status              int
		handled             bool
		want                error
	}{
		{"not wanted", "false", confirmation(address), http.StatusOK, false, nil},
		{"a notification", "true", snsBody(t, key, "1", nil), http.StatusOK, false, nil},
		{"confirmed", "true", confirmation(address), http.StatusOK, true, nil},
		{"not confirmed", "true", confirmation(address), http.StatusForbidden, false, ErrKeysUnavailable},
		{"another host", "true", confirmation("https://sns.example.com/?Action=ConfirmSubscription"), http.StatusOK, false, webhook.ErrSignatureMismatch},
		{"another action", "true", confirmation("https://sns.eu-west-1.amazonaws.com/?Action=Unsubscribe"), http.StatusOK, false, webhook.ErrSignatureMismatch},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := mustScheme(t, "sns", schemeOptions{client: h.client, parameters: map[string]string{"topics": snsTopic, "confirm_subscriptions": tt.confirm}})
			h.publish(page, "<ConfirmSubscriptionResponse/>")
			h.answer(page, map[bool]int{true: 0, false: tt.status}[tt.status == http.StatusOK])
			before := h.times(page)
			in := inboundTo("https://hooks.example.com/sns", tt.body)
			p := checkVerdict(t, s, in, nil)
			handled, err := s.(challenger).handshake(t.Context(), in, p)
			if handled != tt.handled || tt.want == nil && err != nil || tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("handshake: %t, %v", handled, err)
			}
			visits := h.times(page) - before
			if wanted := tt.handled || errors.Is(tt.want, ErrKeysUnavailable); wanted != (visits == 1) {
				t.Errorf("the subscription was confirmed %d times", visits)
			}
		})
	}
}

func TestSNSURL(t *testing.T) {
	for address, want := range map[string]bool{
		"https://sns.us-east-1.amazonaws.com/x.pem":      true,
		"https://sns.cn-north-1.amazonaws.com.cn/x.pem":  true,
		"http://sns.us-east-1.amazonaws.com/x.pem":       false,
		"https://sns.us-east-1.amazonaws.com:443/x.pem":  false,
		"https://sns.us-east-1.amazonaws.com./x.pem":     false,
		"https://SNS.us-east-1.amazonaws.com/x.pem":      false,
		"https://a@sns.us-east-1.amazonaws.com/x.pem":    false,
		"https://sns.us-east-1.amazonaws.com\\@a/x.pem":  false,
		"https://sns.a.b.amazonaws.com/x.pem":            false,
		"https://sns.amazonaws.com/x.pem":                false,
		"https://sns.us-east-1.amazonaws.com.evil/x.pem": false,
		"https:sns.us-east-1.amazonaws.com/x.pem":        false,
		"//sns.us-east-1.amazonaws.com/x.pem":            false,
		"https://sns.us-east-1.amazonaws.com/x#.pem":     false,
		"https://sns.us-east-1.amazonaws.com/\nx.pem":    false,
		"": false,
	} {
		if _, ok := snsURL(address); ok != want {
			t.Errorf("snsURL(%q) = %t", address, ok)
		}
	}
	for address, want := range map[string]bool{
		"https://api.paypal.com/v1/notifications/certs/CERT": true,
		"https://api.sandbox.paypal.com/x":                   true,
		"https://API.PayPal.com/x":                           true,
		"http://api.paypal.com/x":                            false,
		"https://api.paypal.com:8443/x":                      false,
		"https://paypal.com.example.com/x":                   false,
		"https://apipaypal.com/x":                            false,
		"https://a@api.paypal.com/x":                         false,
		"https://api.paypal.com#@example.com/x":              false,
		"https://example.com/.paypal.com":                    false,
	} {
		if isPayPalURL(address) != want {
			t.Errorf("isPayPalURL(%q) = %t", address, !want)
		}
	}
}

// TestSNSTopics guards that topics must be named: the signature only proves that
// some AWS account has sent the message.
func TestSNSTopics(t *testing.T) {
	for _, topics := range []string{"", " , ", "orders"} {
		if _, err := newSNSScheme(schemeOptions{parameters: map[string]string{"topics": topics}}); err == nil {
			t.Errorf("topics %q was accepted", topics)
		}
	}
}

func FuzzSNS(f *testing.F) {
	key := rsaKeys()[0]
	h := snsHostOf(f, key)
	s := mustScheme(f, "sns", schemeOptions{client: h.client, parameters: map[string]string{"topics": "*"}})
	good := snsBody(f, key, "2", nil)
	var signed map[string]string
	if err := json.Unmarshal([]byte(good), &signed); err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(strings.Replace(good, "Hello", "H\\u0065llo", 1))
	f.Add(`{"Type":"SubscriptionConfirmation"}`)
	f.Fuzz(func(t *testing.T, body string) {
		if _, err := s.verify(t.Context(), inboundTo("https://hooks.example.com/sns", body)); err != nil {
			return
		}
		var got map[string]any
		if err := json.Unmarshal([]byte(body), &got); err != nil {
			t.Fatalf("%q got through", body)
		}
		for _, name := range []string{"Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"} {
			if got[name] != signed[name] {
				t.Errorf("%q got through with another %s", body, name)
			}
		}
	})
}
