package receiver

import (
	"strings"
	"testing"

	"github.com/manysends/caddy-webhooks/webhook"
)

// payosBody was signed by payOS's library for Node.js with payosSecret.
const (
	payosSecret = "1a54716c8f0efb2744fb28b6e38b25da7f67a925d98bc1c18bd8faaecadd7675"
	payosBody   = `{"code":"00","desc":"success","success":true,"data":{"orderCode":123,"amount":3000,"description":"VQRIO123 é","accountNumber":"12345678",` +
		`"reference":"TF230204212323","transactionDateTime":"2023-02-04 18:25:00","currency":"VND","paymentLinkId":"124c33293c43417ab7879e14c8d9eb18","code":"00",` +
		`"desc":"Thành công","counterAccountBankId":"","counterAccountBankName":null,"counterAccountName":"null","flag":true},` +
		`"signature":"61e5135eeebd9ef949be11bf214019191c343f664061adde7f82db6faa584007"}`
)

func TestPayOS(t *testing.T) {
	tests := []struct {
		name, from, to string
		want           error
	}{
		{"signed", "", "", nil},
		{"a member that is not signed", `"success":true`, `"success":false`, nil},
		{"another amount", "3000", "3001", webhook.ErrSignatureMismatch},
		{"amount written in another way", "3000", "3e3", webhook.ErrSignatureMismatch},
		{"another text", "VQRIO", "VQRI0", webhook.ErrSignatureMismatch},
		{"one more member", `"flag":true`, `"flag":true,"more":1`, webhook.ErrSignatureMismatch},
		{"a member twice", `"amount":3000`, `"amount":1,"amount":3000`, webhook.ErrSignatureMismatch},
		{"a member again in another case", `"amount":3000`, `"amount":3000,"Amount":1`, webhook.ErrSignatureMismatch},
		// The same text is signed, but with one member less.
		{"members joined", `"currency":"VND",`, ``, webhook.ErrSignatureMismatch},
		{"members joined in a value", `"code":"00","desc":"Thành công","counterAccountBankId":"",`, `"code":"00&counterAccountBankId=","desc":"Thành công",`, webhook.ErrSignatureMismatch},
		{"a member that is an object", `"flag":true`, `"flag":{}`, webhook.ErrSignatureMismatch},
		{"another signature", "61e5", "61e6", webhook.ErrSignatureMismatch},
		{"no signature", `"signature":`, `"s":`, webhook.ErrSignatureMissing},
		{"no data", `"data":`, `"d":`, webhook.ErrSignatureMissing},
		{"two signatures", `"success":true`, `"signature":"00"`, webhook.ErrSignatureMismatch},
	}
	s := mustScheme(t, "payos", schemeOptions{secrets: []string{"other", payosSecret}})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.from != "" && strings.Count(payosBody, tt.from) != 1 {
				t.Fatalf("%q is not in the body once", tt.from)
			}
			got := checkVerdict(t, s, inboundTo("https://hooks.example.com/", strings.Replace(payosBody, tt.from, tt.to, 1)), tt.want)
			if tt.want == nil && (got.secret != 1 || !strings.HasPrefix(string(got.content[0]), "accountNumber=12345678&amount=3000&")) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func FuzzPayOS(f *testing.F) {
	s := mustScheme(f, "payos", schemeOptions{secrets: []string{"a secret that nobody can guess"}})
	f.Add(payosBody)
	f.Add(`{"data":{"a":-0,"b":"\u0026c=d"},"signature":""}`)
	f.Fuzz(func(t *testing.T, body string) {
		if _, err := s.verify(t.Context(), inboundTo("https://hooks.example.com/", body)); err == nil {
			t.Errorf("%q got through", body)
		}
	})
}
