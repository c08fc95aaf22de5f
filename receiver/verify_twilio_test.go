package receiver

import (
	"strings"
	"testing"

	"github.com/manysends/caddy-webhooks/webhook"
)

const formType = "application/x-www-form-urlencoded"

// TestTwilio checks the vectors of twilio-go (client/request_validator_test.go)
// and twilio-node.
func TestTwilio(t *testing.T) {
	const (
		token    = "12345"
		address  = "https://mycompany.com/myapp.php?foo=1&bar=2"
		form     = "Digits=1234&CallSid=CA1234567890ABCDE&To=%2B18005551212&Caller=%2B14158675309&From=%2B14158675309&ReasonConferenceEnded=test&Reason=Participant"
		formSig  = "vOEb5UThFn24KEfnOFLQY2AE5FY="
		httpSig  = "n2xBNyzSW7rfYStDtOFiFMv7qNo="
		jsonBody = `{"property": "value", "boolean": true}`
		digest   = "0a1ff7634d9ab3b95db5c9a2dfe9416e41502b283a80c7cf19632632f96e6620"
		jsonSig  = "a9nBmqA0ju/hNViExpshrM61xv4="
		soleSig  = "y77kIzt2vzLz71DgmJGsen2scGs="
	)
	tests := []struct {
		name, address, kind, body, signature string
		want                                 error
	}{
		{"form", address, formType, form, formSig, nil},
		{"form with a charset", address, formType + "; charset=UTF-8", form, formSig, nil},
		{"form in another order", address, formType, "CallSid=CA1234567890ABCDE&Caller=%2B14158675309&Digits=1234&From=%2B14158675309&Reason=Participant&ReasonConferenceEnded=test&To=%2B18005551212", formSig, nil},
		{"form with a port in the URL", "https://mycompany.com:1234/myapp.php?foo=1&bar=2", formType, form, formSig, nil},
		{"form over http", "http://mycompany.com:1234/myapp.php?foo=1&bar=2", formType, form, httpSig, nil},
		{"several values of one name", address, formType, "MediaUrl=b&MediaUrl=a&MediaUrl=b&CallSid=CA1", "3WhYtrlWWkCDmaepL3sjPYqtIUE=", nil},
		{"digest in the URL", address + "&bodySHA256=" + digest, "application/json", jsonBody, jsonSig, nil},
		{"digest alone in the URL", "https://mycompany.com/myapp.php?bodySHA256=" + digest, "application/json", jsonBody, soleSig, nil},

		{"no signature", address, formType, form, "", webhook.ErrSignatureMissing},
		{"signature is not base64", address, formType, form, "WRONG SIGNATURE", webhook.ErrSignatureMismatch},
		{"signature of another order", address, formType, form, "95+Bu0JVPi0r/SsESZCVf0dWAjw=", webhook.ErrSignatureMismatch},
		{"another value", address, formType, strings.Replace(form, "1234&", "1235&", 1), formSig, webhook.ErrSignatureMismatch},
		{"one more parameter", address, formType, form + "&x=1", formSig, webhook.ErrSignatureMismatch},
		{"one more value", address, formType, form + "&Digits=9", formSig, webhook.ErrSignatureMismatch},
		{"another path", strings.Replace(address, "myapp", "yourapp", 1), formType, form, formSig, webhook.ErrSignatureMismatch},
		{"another host", strings.Replace(address, "mycompany", "yourcompany", 1), formType, form, formSig, webhook.ErrSignatureMismatch},
		{"JSON that nothing covers", address, "application/json", jsonBody, formSig, webhook.ErrSignatureMismatch},
		{"body of unknown type", address, "", jsonBody, formSig, webhook.ErrSignatureMismatch},
		{"another body", address + "&bodySHA256=" + digest, "application/json", jsonBody + " ", jsonSig, webhook.ErrSignatureMismatch},
		{"two digests", address + "&bodySHA256=" + digest + "&bodySHA256=" + digest, "application/json", jsonBody, jsonSig, webhook.ErrSignatureMismatch},
		{"malformed form", address, formType, "a=%zz", formSig, webhook.ErrSignatureMismatch},
	}
	s := mustScheme(t, "twilio", schemeOptions{secrets: []string{"other", token}})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := inboundTo(tt.address, tt.body, headerTwilioSignature, tt.signature)
			if tt.kind != "" {
				in.request.Header.Set("Content-Type", tt.kind)
			}
			if got := checkVerdict(t, s, in, tt.want); tt.want == nil && got.secret != 1 {
				t.Errorf("secret %d matched", got.secret)
			}
		})
	}

	t.Run("behind a proxy", func(t *testing.T) {
		in := inboundTo("http://10.0.0.1:8080/internal?foo=1&bar=2", form, headerTwilioSignature, formSig, "Content-Type", formType)
		checkVerdict(t, s, in, webhook.ErrSignatureMismatch)
		in.url = "https://mycompany.com/myapp.php"
		checkVerdict(t, s, in, nil)
	})

	// A captured request must stay the same event when it is sent again to the
	// host with its port, or with the form in another order.
	t.Run("variants are the same event", func(t *testing.T) {
		var first string
		for _, a := range []string{address, strings.Replace(address, ".com", ".com:443", 1), strings.Replace(address, ".com", ".com:8443", 1)} {
			for _, body := range []string{form, "To=%2B18005551212&Digits=1234&CallSid=CA1234567890ABCDE&Caller=%2B14158675309&From=%2B14158675309&ReasonConferenceEnded=test&Reason=Participant"} {
				p := checkVerdict(t, s, inboundTo(a, body, headerTwilioSignature, formSig, "Content-Type", formType), nil)
				content := string(p.content[0]) + string(p.content[1])
				if first == "" {
					first = content
				}
				if content != first {
					t.Errorf("%q is another event than %q", content, first)
				}
			}
		}
	})
}

func FuzzTwilio(f *testing.F) {
	s := mustScheme(f, "twilio", schemeOptions{secrets: []string{"12345"}})
	f.Add("foo=1&bar=2", formType, "a=1&b=2", "vOEb5UThFn24KEfnOFLQY2AE5FY=")
	f.Add("bodySHA256=00", "application/json", "{}", "")
	f.Fuzz(func(t *testing.T, query, kind, body, signature string) {
		in := inboundTo("https://hooks.example.com:443/in", body, headerTwilioSignature, signature, "Content-Type", kind)
		in.request.URL.RawQuery, in.url = query, "https://hooks.example.com/in"
		if _, err := s.verify(t.Context(), in); err == nil {
			t.Errorf("%q %q %q %q got through", query, kind, body, signature)
		}
	})
}
