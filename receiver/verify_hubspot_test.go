package receiver

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

const hubspotSecret = "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy"

func TestHubSpot(t *testing.T) {
	const (
		body    = `[{"eventId":1,"subscriptionType":"contact.creation"}]`
		address = "https://hooks.example.com/hubspot?a=1&b=x:y/z"
		// Made by HubSpot's library for Node.js.
		signature = "gGi2yDrn1N7ev0bZAQfW1nk9VpLNiJMrXJGKSm20o/Y="
		timestamp = "1800000000123"
	)
	escaped := "https://hooks.example.com/hubspot?a=1&b=x%3Ay%2Fz"
	signEscaped := func() string {
		mac := hmac.New(sha256.New, []byte(hubspotSecret))
		mac.Write([]byte("POST" + escaped + body + timestamp))
		return base64.StdEncoding.EncodeToString(mac.Sum(nil))
	}
	tests := []struct {
		name, address, body, signature, timestamp string
		now                                       time.Time
		want                                      error
	}{
		{"signed", address, body, signature, timestamp, verifyNow, nil},
		{"escapes are taken away", escaped, body, signature, timestamp, verifyNow, nil},
		{"escapes are left", escaped, body, signEscaped(), timestamp, verifyNow, nil},
		{"old", address, body, signature, timestamp, verifyNow.Add(5*time.Minute + time.Second), webhook.ErrTimestampTooOld},
		{"new", address, body, signature, timestamp, verifyNow.Add(-5 * time.Minute), webhook.ErrTimestampTooNew},
		{"another time", address, body, signature, "1800000000124", verifyNow, webhook.ErrSignatureMismatch},
		{"digit moved from the time to the body", address, body + "1", signature, "800000000123", verifyNow, webhook.ErrSignatureMismatch},
		{"another body", address, body + " ", signature, timestamp, verifyNow, webhook.ErrSignatureMismatch},
		{"another query", "https://hooks.example.com/hubspot?b=x:y/z&a=1", body, signature, timestamp, verifyNow, webhook.ErrSignatureMismatch},
		{"another host", strings.Replace(address, "hooks", "hook", 1), body, signature, timestamp, verifyNow, webhook.ErrSignatureMismatch},
		{"no time", address, body, signature, "", verifyNow, webhook.ErrSignatureMissing},
		{"no signature", address, body, "", timestamp, verifyNow, webhook.ErrSignatureMissing},
	}
	s := mustScheme(t, "hubspot", schemeOptions{secrets: []string{"other", hubspotSecret}})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := inboundTo(tt.address, tt.body, headerHubSpot3, tt.signature, headerHubSpotTimestamp, tt.timestamp)
			in.now = tt.now
			if got := checkVerdict(t, s, in, tt.want); tt.want == nil && (got.secret != 1 || !got.timestamp.Equal(time.UnixMilli(1800000000123))) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// TestHubSpotBytesMoved: nothing separates the URL from the body in what HubSpot
// signs, so that whoever has seen a request can move bytes from one to the
// other. What comes of it is a duplicate of that request.
func TestHubSpotBytesMoved(t *testing.T) {
	const address, body, timestamp = "https://hooks.example.com/hubspot?a=", `[{"eventId":1}]`, "1800000000123"
	mac := hmac.New(sha256.New, []byte(hubspotSecret))
	mac.Write([]byte("POST" + address + body + timestamp))
	signature := base64.StdEncoding.EncodeToString(mac.Sum(nil))
	s := mustScheme(t, "hubspot", schemeOptions{secrets: []string{hubspotSecret}})
	keys := newKeyMaker("hooks", "hubspot")
	var first key
	for moved := range len(body) + 1 {
		in := inboundTo("https://hooks.example.com/hubspot", body[moved:], headerHubSpot3, signature, headerHubSpotTimestamp, timestamp)
		in.request.URL.RawQuery = "a=" + body[:moved]
		in.now = verifyNow
		got := checkVerdict(t, s, in, nil)
		if k := keys.ofContent(got.content[:]...); moved == 0 {
			first = k
		} else if k != first {
			t.Errorf("with %d bytes moved it is another event", moved)
		}
	}
}

// TestHubSpotOld checks the examples of HubSpot's documentation.
func TestHubSpotOld(t *testing.T) {
	const (
		body = `[{"eventId":1,"subscriptionId":12345,"portalId":62515,"occurredAt":1564113600000,"subscriptionType":"contact.creation","attemptNumber":0,"objectId":123,"changeSource":"CRM","changeFlag":"NEW","appId":54321}]`
		one  = "232db2615f3d666fe21a8ec971ac7b5402d33b9a925784df3ca654d05f4817de"
		two  = "eee2dddcc73c94d699f5e395f4b9d454a069a6855fbfa152e91e88823087200e" // of a GET without a body
	)
	address := "https://www.example.com/webhook_uri"
	sum := sha256.Sum256([]byte(hubspotSecret + "POST" + address + body))
	tests := []struct {
		name, provider, address, body, signature string
		want                                     error
	}{
		{"version 1", "hubspot_v1", address, body, one, nil},
		{"version 2", "hubspot_v2", address, body, hexOf(sum[:]), nil},
		{"version 1, another body", "hubspot_v1", address, strings.Replace(body, "NEW", "OLD", 1), one, webhook.ErrSignatureMismatch},
		{"version 2, another path", "hubspot_v2", address + "s", body, hexOf(sum[:]), webhook.ErrSignatureMismatch},
		{"version 2 as version 1", "hubspot_v1", address, body, hexOf(sum[:]), webhook.ErrSignatureMismatch},
		{"no signature", "hubspot_v1", address, body, "", webhook.ErrSignatureMissing},
		{"not hex", "hubspot_v1", address, body, "x", webhook.ErrSignatureMismatch},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := mustScheme(t, tt.provider, schemeOptions{secrets: []string{hubspotSecret}})
			checkVerdict(t, s, inboundTo(tt.address, tt.body, headerHubSpot, tt.signature), tt.want)
		})
	}

	// The published example of version 2 is a GET, which is not accepted for want
	// of a body; its hash is right all the same.
	if got := sha256.Sum256([]byte(hubspotSecret + "GET" + address)); hexOf(got[:]) != two {
		t.Errorf("version 2 of a GET is %x", got)
	}

	// A plain hash can be extended by whoever knows how long the secret is: the
	// padding of SHA-256 becomes part of the body.
	t.Run("extended", func(t *testing.T) {
		long := body + "\x80\x00\x00\x00" + body
		sum := sha256.Sum256([]byte(hubspotSecret + long))
		s := mustScheme(t, "hubspot_v1", schemeOptions{secrets: []string{hubspotSecret}})
		checkVerdict(t, s, inboundTo(address, long, headerHubSpot, hexOf(sum[:])), webhook.ErrSignatureMismatch)
	})
}
