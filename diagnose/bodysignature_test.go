package diagnose_test

import (
	"strings"
	"testing"

	"github.com/manysends/caddy-webhooks/diagnose"
	"github.com/manysends/caddy-webhooks/webhook"
)

// TestBodyFindsMistakes guards what is told of the signature in a body.
func TestBodyFindsMistakes(t *testing.T) {
	key, err := webhook.ParseSecret(secret)
	if err != nil {
		t.Fatal(err)
	}
	signed := string(webhook.SignBody([]byte(`{"event":"a.b","timestamp":"2024-03-05T10:30:00Z","data":{"url":"https://example.com/<a>","n":1}}`), key))
	tests := []struct {
		name    string
		body    string
		secret  string
		mistake diagnose.Mistake
		cause   string
	}{
		{"right", signed, secret, "", ""},
		{"newline", signed + "\n", secret, diagnose.MistakeBodyNewline, "line"},
		{"indented", indented(signed, "\t"), secret, diagnose.MistakeBodyReserialised, "compact"},
		{"HTML escaped", strings.NewReplacer("<", `\u003c`, ">", `\u003e`).Replace(signed), secret, diagnose.MistakeBodyReserialised, "compact"},
		{"sorted members", reordered(t, signed), secret, diagnose.MistakeBodyReserialised, "envelope"},
		{"changed", strings.Replace(signed, `"n":1`, `"n":2`, 1), secret, diagnose.MistakeUnknown, "not made"},
		{"no member", `{"event":"a.b"}`, secret, diagnose.MistakeSignatureMissing, "member signature"},
		{"upper-case hex", upperSignature(signed), secret, diagnose.MistakeSignatureForm, "not written exactly"},
		{"other secret", signed, otherKey, diagnose.MistakeUnknown, "not made"},
		{"secret as text", string(signedWith(t, secret)), secret, diagnose.MistakeSecretForm, "text"},
		{"truncated", signed[:60], secret, diagnose.MistakeSignatureMissing, "member signature"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			e := diagnose.Body([]string{tt.secret}, nil, []byte(tt.body))
			if e.Mistake != tt.mistake || e.Verified != (tt.mistake == "") || !strings.Contains(e.Cause, tt.cause) {
				t.Errorf("verified %v, mistake %q, want %q; cause: %s", e.Verified, e.Mistake, tt.mistake, e.Cause)
			}
			checkExplanation(t, []string{tt.secret}, e)
		})
	}
}

// reordered is a body with its members in the order of their names.
func reordered(t *testing.T, body string) string {
	t.Helper()
	data := body[strings.Index(body, `"data":`):strings.Index(body, `,"signature"`)]
	signature := body[strings.Index(body, `"signature"`) : len(body)-1]
	return `{` + data + `,"event":"a.b",` + signature + `,"timestamp":"2024-03-05T10:30:00Z"}`
}

func upperSignature(body string) string {
	i := strings.Index(body, "sha256=") + len("sha256=")
	return body[:i] + strings.ToUpper(body[i:i+64]) + body[i+64:]
}

// signedWith is a body that was signed with the text of a secret.
func signedWith(t *testing.T, text string) []byte {
	t.Helper()
	key, err := webhook.NewSecret([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return webhook.SignBody([]byte(`{"event":"a.b","data":{}}`), key)
}
