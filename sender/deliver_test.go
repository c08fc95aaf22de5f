package sender_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/manysends/caddy-webhooks/webhook"
)

// TestDeliverOnTheWire checks every byte of a delivery in every format.
func TestDeliverOnTheWire(t *testing.T) {
	const head = `{"event":"conversation.created","timestamp":"2024-03-05T10:29:00Z","data":{"z":1.0,"a":"\u2028"}`
	tests := []struct {
		format      webhook.Format
		secrets     []string
		contentType string
		body        string
		bodySigned  bool
		signatures  []string // the version of each
	}{
		{webhook.FormatManySends, []string{secretText}, "application/json", head, true, []string{"v1"}},
		{webhook.FormatManySends, []string{otherSecretText, secretText, signingKeyText}, "application/json", head, true, []string{"v1", "v1", "v1a"}},
		{webhook.FormatManySends, []string{signingKeyText, secretText}, "application/json", head, true, []string{"v1a", "v1"}},
		{webhook.FormatManySends, []string{signingKeyText}, "application/json", head + "}", false, []string{"v1a"}},
		{webhook.FormatManySends, nil, "application/json", head + "}", false, nil},
		{webhook.FormatStandard, []string{secretText}, "application/json", `{"type":"conversation.created","timestamp":"2024-03-05T10:29:00Z","data":{"z":1.0,"a":"\u2028"}}`, false, []string{"v1"}},
		{webhook.FormatCloudEvents, []string{secretText}, "application/cloudevents+json; charset=utf-8", `{"specversion":"1.0","id":"evt_1","source":"/webhooks","type":"conversation.created","time":"2024-03-05T10:29:00Z","datacontenttype":"application/json","data":{"z":1.0,"a":"\u2028"}}`, false, []string{"v1"}},
		{webhook.FormatRaw, []string{secretText}, "application/json", `{"z":1.0,"a":"\u2028"}`, false, []string{"v1"}},
	}
	for _, test := range tests {
		t.Run(string(test.format)+" "+strings.Join(test.signatures, " "), func(t *testing.T) {
			p := newPeer(t, nil)
			c := toPeers(p)
			c.Endpoints[0].Format, c.Endpoints[0].Secrets = test.format, test.secrets
			r := newRig(t, c)
			const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
			if _, err := r.Publish(t.Context(), webhook.Event{
				ID: "evt_1", Type: "conversation.created", Timestamp: r.clock.Now().Add(-time.Minute),
				Data: []byte(` { "z" : 1.0 , "a" : "\u2028" } `), TraceParent: parent,
			}); err != nil {
				t.Fatal(err)
			}
			r.delivered("a", "evt_1")
			p.waitFor(t, 1)
			got := p.all()[0]
			if got.method != http.MethodPost || got.uri != "/hooks" || "http://"+got.host != p.URL {
				t.Errorf("%s %s at %s", got.method, got.uri, got.host)
			}
			for name, want := range map[string]string{
				"Content-Type": test.contentType, "webhook-id": "evt_1", "webhook-timestamp": "1709634600", "Traceparent": parent,
				"Accept-Encoding": "", "Authorization": "", "Idempotency-Key": "",
			} {
				if value := got.header.Get(name); value != want {
					t.Errorf("header %s is %q, want %q", name, value, want)
				}
			}
			if agent := got.header.Get("User-Agent"); !strings.HasPrefix(agent, "caddy-webhooks/") {
				t.Errorf("User-Agent is %q", agent)
			}
			body := string(got.body)
			if test.bodySigned {
				newest := test.secrets[0]
				if newest == signingKeyText {
					newest = test.secrets[1]
				}
				if _, err := webhook.VerifyBody([]*webhook.Secret{parseSecret(t, newest)}, got.body); err != nil {
					t.Errorf("the signature in the body: %v", err)
				}
				body = body[:len(body)-webhook.BodySignatureLength]
			}
			if body != test.body {
				t.Errorf("the body is %s, want %s", body, test.body)
			}
			var versions []string
			for signature := range strings.FieldsSeq(got.header.Get("webhook-signature")) {
				version, _, _ := strings.Cut(signature, ",")
				versions = append(versions, version)
			}
			if diff := cmp.Diff(test.signatures, versions); diff != "" {
				t.Errorf("signatures (-want +got):\n%s", diff)
			}
			for _, s := range test.secrets {
				if _, err := webhook.Verify([]webhook.Verifier{verifierOf(t, s)}, got.header, got.body, r.clock.Now(), time.Second); err != nil {
					t.Errorf("the signature of %.6s…: %v", s, err)
				}
			}
		})
	}
}

// signingKeyText is a signing key: the seed alone.
const signingKeyText = "whsk_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

func parseSecret(t *testing.T, s string) *webhook.Secret {
	t.Helper()
	secret, err := webhook.ParseSecret(s)
	if err != nil {
		t.Fatal(err)
	}
	return secret
}

// verifierOf is what a receiver needs to verify what s has signed.
func verifierOf(t *testing.T, s string) webhook.Verifier {
	t.Helper()
	signer, err := webhook.ParseSigner(s)
	if err != nil {
		t.Fatal(err)
	}
	if key, ok := signer.(*webhook.SigningKey); ok {
		return key.VerifyingKey()
	}
	return signer.(*webhook.Secret)
}

// TestURLOnTheWire: what cannot stand in the target of a request is sent in per cent
// form, and what is so already, or may stand there, as it was written.
func TestURLOnTheWire(t *testing.T) {
	for written, sent := range map[string]string{
		"":                            "/",
		"?key=a":                      "/?key=a",
		"/a b?name=Hooks for a \"b\"": "/a%20b?name=Hooks%20for%20a%20%22b%22",
		"/é?name=é<>":                 "/%C3%A9?name=%C3%A9%3C%3E",
		"/%2Fa?b=%20+%zz&c='|{}^`\\~": "/%2Fa?b=%20+%zz&c='|{}^`\\~",
	} {
		p := newPeer(t, nil)
		c := toPeers(p)
		c.Endpoints[0].URL = p.URL + written
		r := newRig(t, c)
		r.publish("e")
		r.delivered("a", "e")
		if got := p.all()[0].uri; got != sent {
			t.Errorf("%q is posted to as %q, want %q", written, got, sent)
		}
	}
}
