package receiver

import (
	"context"
	"testing"
)

// FuzzSpecialHeaders: whatever stands in the headers that the special providers
// read, none of them panics, and none accepts what nobody has signed.
func FuzzSpecialHeaders(f *testing.F) {
	f.Add("keyid/SHA256/deadbeef", "1800000000000", "https://api.paypal.com/cert", `{"a":1}`)
	f.Add("1/SHA256/00,2/SHA256/11", "2027-01-15T08:00:00Z", "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-1", "")
	f.Add("AAAA", "", "http://127.0.0.1/", "not JSON")
	schemes := testSchemes(f)
	f.Fuzz(func(t *testing.T, signature, sent, address, body string) {
		for name, s := range schemes {
			in := inboundTo("https://hooks.example.com/in", body)
			h := in.request.Header
			for _, header := range []string{
				"Event-Signature", headerHubSpot, headerHubSpot3, "Paypal-Transmission-Sig", "Paypal-Transmission-Id",
				"X-Twilio-Signature", "X-Contentful-Signature", "Authorization", "Plaid-Verification", "X-Fusionauth-Signature-Jwt", "Signature", "Signature-Input",
			} {
				h[header] = []string{signature}
			}
			h["Paypal-Auth-Algo"] = []string{"SHA256withRSA"}
			h["Paypal-Cert-Url"] = []string{address}
			for _, header := range []string{headerHubSpotTimestamp, "Paypal-Transmission-Time", "X-Contentful-Timestamp"} {
				h[header] = []string{sent}
			}
			if _, err := s.verify(context.Background(), in); err == nil {
				t.Errorf("%s accepts %q, %q, %q with body %q", name, signature, sent, address, body)
			}
		}
	})
}
