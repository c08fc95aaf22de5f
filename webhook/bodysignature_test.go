package webhook_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/manysends/caddy-webhooks/webhook"
)

func TestSignBody(t *testing.T) {
	secret := mustSecret(t, vectorSecret)
	if got := string(webhook.SignBody([]byte(vectorUnsigned), secret)); got != vectorBody {
		t.Errorf("SignBody = %s\nwant %s", got, vectorBody)
	}
	if webhook.BodySignatureLength != 87 {
		t.Errorf("BodySignatureLength is %d, and every verifier in the field cuts 87", webhook.BodySignatureLength)
	}
}

func TestVerifyBody(t *testing.T) {
	vector, other := mustSecret(t, vectorSecret), mustSecret(t, otherSecret)
	signed := func(body string) string { return string(webhook.SignBody([]byte(body), vector)) }
	member := vectorBody[len(vectorBody)-87 : len(vectorBody)-1] // ,"signature":"sha256=…"
	moved := `{` + member[1:] + `,` + vectorUnsigned[1:]
	upper := vectorBody[:len(vectorBody)-66] + strings.ToUpper(vectorBody[len(vectorBody)-66:])
	tests := []struct {
		name    string
		body    string
		secrets []*webhook.Secret // default: vector
		index   int
		err     error
	}{
		{name: "the documented vector", body: vectorBody},
		{name: "the last of several secrets", body: vectorBody, secrets: []*webhook.Secret{other, other, vector}, index: 2},
		{name: "nasty data", body: signed(`{"event":"a","timestamp":"t","data":` + nastyData + `}`)},
		{name: "the shortest body", body: signed(`{"":0}`)},
		{name: "signature members in the data", body: signed(`{"data":{"signature":"sha256=00"},"n":"` + strings.ReplaceAll(member, `"`, `\"`) + `"}`)},

		{name: "another secret", body: vectorBody, secrets: []*webhook.Secret{other}, err: webhook.ErrSignatureMismatch},
		{name: "no secrets", body: vectorBody, secrets: []*webhook.Secret{}, err: webhook.ErrSignatureMismatch},
		{name: "a signature of other data", body: strings.Replace(vectorBody, "open", "shut", 1), err: webhook.ErrSignatureMismatch},
		{name: "space before the member", body: strings.Replace(vectorBody, `},"signature"`, `} ,"signature"`, 1), err: webhook.ErrSignatureMismatch},
		{name: "another member before it", body: strings.Replace(vectorBody, `},"signature"`, `},"admin":true,"signature"`, 1), err: webhook.ErrSignatureMismatch},
		{name: "the member twice", body: strings.Replace(vectorBody, member, member+member, 1), err: webhook.ErrSignatureMismatch},

		{name: "unsigned", body: vectorUnsigned, err: webhook.ErrSignatureMissing},
		{name: "empty", body: "", err: webhook.ErrSignatureMissing},
		{name: "shorter than the member", body: `{"a":1}`, err: webhook.ErrSignatureMissing},
		{name: "the member alone", body: `{` + member[1:] + `}`, err: webhook.ErrSignatureMissing},
		{name: "the member after a brace", body: `{` + member + `}`, err: webhook.ErrSignatureMissing},
		{name: "an array", body: `[` + vectorBody[1:], err: webhook.ErrSignatureMissing},
		{name: "a byte order mark", body: "\ufeff" + vectorBody, err: webhook.ErrSignatureMissing},
		{name: "a newline at the end", body: vectorBody + "\n", err: webhook.ErrSignatureMissing},
		{name: "a space before the brace", body: vectorBody[:len(vectorBody)-1] + " }", err: webhook.ErrSignatureMissing},
		{name: "a space after the colon", body: strings.Replace(vectorBody, `"signature":`, `"signature": `, 1), err: webhook.ErrSignatureMissing},
		{name: "moved to the front", body: moved, err: webhook.ErrSignatureMissing},
		{name: "member in upper case", body: strings.Replace(vectorBody, `"signature"`, `"SIGNATURE"`, 1), err: webhook.ErrSignatureMissing},
		{name: "sha512", body: strings.Replace(vectorBody, "sha256", "sha512", 1), err: webhook.ErrSignatureMissing},
		{name: "hex cut short", body: strings.Replace(vectorBody, `ad"}`, `"}`, 1), err: webhook.ErrSignatureMissing},
		{name: "hex in upper case", body: upper, err: webhook.ErrSignatureMismatch},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.secrets == nil {
				tt.secrets = []*webhook.Secret{vector}
			}
			before := tt.body
			body := []byte(tt.body)
			index, err := webhook.VerifyBody(tt.secrets, body)
			if !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) {
				t.Fatalf("error %v, want %v", err, tt.err)
			}
			if string(body) != before {
				t.Error("the body was changed")
			}
			if err != nil {
				tt.index = -1
				if strings.Contains(err.Error(), "a402d95ddc0a") {
					t.Errorf("the error shows the expected signature: %v", err)
				}
			}
			if index != tt.index {
				t.Errorf("index %d, want %d", index, tt.index)
			}
		})
	}
}

// TestVerifyBodyNoticesEveryByte changes each bit, drops each byte and inserts
// a space before each byte of a short body: all must be refused.
func TestVerifyBodyNoticesEveryByte(t *testing.T) {
	secrets := []*webhook.Secret{mustSecret(t, vectorSecret)}
	good := webhook.SignBody([]byte(`{"event":"a.b","data":{"id":1}}`), secrets[0])
	if _, err := webhook.VerifyBody(secrets, good); err != nil {
		t.Fatal(err)
	}
	refused := func(what string, i int, body []byte) {
		if _, err := webhook.VerifyBody(secrets, body); !errors.Is(err, webhook.ErrSignatureMismatch) && !errors.Is(err, webhook.ErrSignatureMissing) {
			t.Errorf("%s %d: %s gave %v", what, i, body, err)
		}
	}
	for i := range good {
		for bit := range 8 {
			body := bytes.Clone(good)
			body[i] ^= 1 << bit
			refused("flipped a bit of byte", i, body)
		}
		refused("dropped byte", i, append(bytes.Clone(good[:i]), good[i+1:]...))
		refused("space before byte", i, append(append(bytes.Clone(good[:i]), ' '), good[i:]...))
		refused("cut at byte", i, good[:i])
	}
}

// verifyPlainly is the check as anyone can write it: cut 87 bytes, put the
// brace back, compare.
func verifyPlainly(key string, body []byte) bool {
	if len(body) < 92 {
		return false
	}
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write(append(bytes.Clone(body[:len(body)-87]), '}'))
	return string(body[len(body)-87:]) == `,"signature":"sha256=`+hex.EncodeToString(mac.Sum(nil))+`"}`
}

func FuzzVerifyBody(f *testing.F) {
	f.Add([]byte(vectorBody))
	f.Add([]byte(vectorUnsigned))
	f.Add([]byte(nastyData))
	f.Add([]byte(`{"":0}`))
	f.Add([]byte(nil))
	secret := mustSecret(f, vectorSecret)
	secrets := []*webhook.Secret{secret}
	f.Fuzz(func(t *testing.T, body []byte) {
		if _, err := webhook.VerifyBody(secrets, body); (err == nil) != (verifyPlainly(vectorKey, body) && body[0] == '{') {
			t.Errorf("%q gave %v, unlike the plain check", body, err)
		}
		var members map[string]json.RawMessage
		if json.Unmarshal(body, &members) != nil || len(members) == 0 || body[0] != '{' || body[len(body)-1] != '}' {
			return
		}
		signed := webhook.SignBody(bytes.Clone(body), secret)
		if !bytes.HasPrefix(signed, body[:len(body)-1]) || len(signed) != len(body)-1+webhook.BodySignatureLength {
			t.Errorf("signing %q gave %q", body, signed)
		}
		if !json.Valid(signed) {
			t.Errorf("signing made invalid JSON: %q", signed)
		}
		if _, err := webhook.VerifyBody(secrets, signed); err != nil || !verifyPlainly(vectorKey, signed) {
			t.Errorf("signed %q: %v", signed, err)
		}
	})
}
