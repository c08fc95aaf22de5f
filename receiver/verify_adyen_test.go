package receiver

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/manysends/caddy-webhooks/webhook"
)

// adyenKey and adyenItem are the vector of Adyen's library for Go
// (src/hmacvalidator/hmacvalidator_test.go).
const (
	adyenKey  = "DFB1EB5485895CFA84146406857104ABB4CBCABDC8AAF103A624C8F6A3EAAB00"
	adyenItem = `{"NotificationRequestItem":{"additionalData":{"hmacSignature":"ipnxGCaUZ4l8TUW75a71/ghd2Fe5ffvX0pV4TLTntIc="},` +
		`"amount":{"currency":"EUR","value":1000},"eventCode":"EVENT","eventDate":"1970-01-01T00:00:00Z","merchantAccountCode":"merchantAccount",` +
		`"merchantReference":"reference","originalReference":"originalReference","paymentMethod":"VISA","pspReference":"pspReference","reason":"reason","success":"true"}}`
)

func adyenBody(items ...string) string {
	return `{"live":"false","notificationItems":[` + strings.Join(items, ",") + `]}`
}

func TestAdyen(t *testing.T) {
	// Made by Adyen's library for Node.js.
	const colons = `{"NotificationRequestItem":{"additionalData":{"hmacSignature":"vj7kswxyCxJsZFYs6X4ZX+Tk/FMdih90lMOfdlNZwWs="},` +
		`"amount":{"currency":"EUR","value":1000},"eventCode":"AUTHORISATION","merchantAccountCode":"merchantAccount",` +
		`"merchantReference":"a:b\\c","pspReference":"pspReference","success":"true"}}`
	change := func(from, to string) string {
		if strings.Count(adyenItem, from) != 1 {
			t.Fatalf("%q is not in the item once", from)
		}
		return adyenBody(strings.Replace(adyenItem, from, to, 1))
	}
	tests := []struct {
		name, body, id string
		want           error
	}{
		{"one item", adyenBody(adyenItem), "pspReference:EVENT:true", nil},
		{"colons in the reference", adyenBody(colons), "pspReference:AUTHORISATION:true", nil},
		{"a member that is not signed", change("VISA", "MC"), "pspReference:EVENT:true", nil},

		{"no items", adyenBody(), "", webhook.ErrSignatureMissing},
		{"no list of items", `{}`, "", webhook.ErrSignatureMissing},
		{"no signature", change(`"hmacSignature"`, `"other"`), "", webhook.ErrSignatureMissing},
		// Each is authentic, and their list is new to the receiver each time.
		{"two items", adyenBody(adyenItem, colons), "", webhook.ErrSignatureMismatch},
		{"an item twice", adyenBody(adyenItem, adyenItem), "", webhook.ErrSignatureMismatch},
		{"another amount", change("1000", "1001"), "", webhook.ErrSignatureMismatch},
		{"amount written in another way", change("1000", "1e3"), "", webhook.ErrSignatureMismatch},
		{"another success", change(`"success":"true"`, `"success":"false"`), "", webhook.ErrSignatureMismatch},
		{"another signature", change("ipnx", "ipny"), "", webhook.ErrSignatureMismatch},
		{"a member twice", change(`"currency":"EUR"`, `"currency":"USD","currency":"EUR"`), "", webhook.ErrSignatureMismatch},
		{"a member again in another case", change(`"currency":"EUR"`, `"currency":"EUR","Currency":"USD"`), "", webhook.ErrSignatureMismatch},
		{"a list again in another case", strings.Replace(adyenBody(adyenItem), `"live":"false"`, `"NotificationItems":[]`, 1), "", webhook.ErrSignatureMismatch},
		// The same text is signed, cut at other colons: it would be another event.
		{"fields cut elsewhere", adyenBody(strings.NewReplacer(`"pspReference":"pspReference"`, `"pspReference":"pspReference:","originalReference":"merchantAccount"`,
			`"merchantAccountCode":"merchantAccount"`, `"merchantAccountCode":"a"`, `"a:b\\c"`, `"b\\c"`).Replace(colons)), "", webhook.ErrSignatureMismatch},
		{"not JSON", "[accepted]", "", webhook.ErrSignatureMismatch},
	}
	s := mustScheme(t, "adyen", schemeOptions{secrets: []string{strings.Repeat("00", 32), adyenKey}})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := checkVerdict(t, s, inboundTo("https://hooks.example.com/adyen", tt.body), tt.want)
			if got.id != tt.id || tt.want == nil && got.secret != 1 {
				t.Errorf("got ID %q of secret %d, want %q of 1", got.id, got.secret, tt.id)
			}
		})
	}
	if _, err := newAdyenScheme(schemeOptions{secrets: []string{"not hex"}}); err == nil {
		t.Error("a key that is not hex was accepted")
	}
}

// TestAdyenEventInOtherLists guards that an event which was processed is not
// processed again because somebody has put it into a list with others, or with
// itself.
func TestAdyenEventInOtherLists(t *testing.T) {
	b := newBench(t, Config{Provider: "adyen", Secrets: []string{adyenKey}})
	for n := range 4 {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(adyenBody(slices.Repeat([]string{adyenItem}, n+1)...)))
		if w, err := b.send(r); n == 0 && err != nil || n > 0 && !errors.Is(err, webhook.ErrSignatureMismatch) {
			t.Errorf("%d times in the list: error %v, status %d", n+1, err, w.Code)
		}
	}
	if b.calls != 1 {
		t.Errorf("the event was processed %d times", b.calls)
	}
}

func FuzzAdyen(f *testing.F) {
	s := mustScheme(f, "adyen", schemeOptions{secrets: []string{adyenKey}})
	f.Add(adyenBody(adyenItem))
	f.Add(adyenBody(strings.Replace(adyenItem, "EUR", `E\u0055R`, 1)))
	f.Fuzz(func(t *testing.T, body string) {
		p, err := s.verify(t.Context(), inboundTo("https://hooks.example.com/adyen", body))
		if err == nil && !strings.HasPrefix(p.id, "pspReference:EVENT:true") {
			t.Errorf("%q got through", body)
		}
	})
}
