package receiver

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

var base64url = base64.RawURLEncoding

// tokenOf is a JSON Web Token, made without a library. The key is an RSA or
// ECDSA key, the bytes of an HMAC secret, or nil for no signature.
func tokenOf(t testing.TB, key any, header, claims map[string]any) string {
	t.Helper()
	var parts []string
	for _, part := range []map[string]any{header, claims} {
		text, err := json.Marshal(part)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, base64url.EncodeToString(text))
	}
	text := strings.Join(parts, ".")
	sum := sha256.Sum256([]byte(text))
	var signature []byte
	var err error
	switch key := key.(type) {
	case *rsa.PrivateKey:
		signature, err = rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	case *ecdsa.PrivateKey:
		var r, s *big.Int
		r, s, err = ecdsa.Sign(rand.Reader, key, sum[:])
		if err == nil {
			signature = append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
		}
	case []byte:
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(text))
		signature = mac.Sum(nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + base64url.EncodeToString(signature)
}

func jwkRSA(key *rsa.PrivateKey, kid string) string {
	return fmt.Sprintf(`{"kty":"RSA","use":"sig","alg":"RS256","kid":%q,"n":%q,"e":"AQAB"}`, kid, base64url.EncodeToString(key.N.Bytes()))
}

func jwkEC(key *ecdsa.PrivateKey, kid, more string) string {
	point, err := key.PublicKey.Bytes()
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf(`{"kty":"EC","crv":"P-256","use":"sig","alg":"ES256","kid":%q,"x":%q,"y":%q%s}`, kid, base64url.EncodeToString(point[1:33]), base64url.EncodeToString(point[33:]), more)
}

func ecKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// with is a copy of claims with some changed; nil takes one away.
func with(claims map[string]any, changes ...any) map[string]any {
	changed := maps.Clone(claims)
	for i := 0; i+1 < len(changes); i += 2 {
		changed[changes[i].(string)] = changes[i+1]
		if changes[i+1] == nil {
			delete(changed, changes[i].(string))
		}
	}
	return changed
}

func publicPEM(t testing.TB, key any) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func TestGooglePubSub(t *testing.T) {
	key, other := rsaKeys()[0], rsaKeys()[1]
	const page = "www.googleapis.com/oauth2/v3/certs"
	h := newKeyHost(t)
	h.publish(page, `{"keys":[{"kty":"oct","kid":"1","k":"AAAA"},{"kty":"unknown"},`+jwkRSA(key, "1")+`]}`)
	s := mustScheme(t, "google_pubsub", schemeOptions{client: h.client, parameters: map[string]string{"audience": "https://hooks.example.com/pubsub", "email": "push@project.iam.gserviceaccount.com"}})
	header := map[string]any{"alg": "RS256", "kid": "1", "typ": "JWT"}
	claims := map[string]any{"iss": "https://accounts.google.com", "aud": "https://hooks.example.com/pubsub", "email": "push@project.iam.gserviceaccount.com",
		"email_verified": true, "iat": verifyNow.Unix() - 1800, "exp": verifyNow.Unix() + 1800}
	signed := tokenOf(t, key, header, claims)
	public := x509.MarshalPKCS1PublicKey(&key.PublicKey)
	tests := []struct {
		name, header string
		want         error
	}{
		{"signed", "Bearer " + signed, nil},
		{"short issuer", "bearer " + tokenOf(t, key, header, with(claims, "iss", "accounts.google.com")), nil},
		{"just expired", "Bearer " + tokenOf(t, key, header, with(claims, "exp", verifyNow.Add(-clockSkew).Unix())), nil},
		{"no key ID", "Bearer " + tokenOf(t, key, with(header, "kid", nil), claims), nil},
		{"several audiences", "Bearer " + tokenOf(t, key, header, with(claims, "aud", []string{"x", "https://hooks.example.com/pubsub"})), nil},

		{"expired", "Bearer " + tokenOf(t, key, header, with(claims, "exp", verifyNow.Add(-clockSkew-time.Second).Unix())), webhook.ErrTimestampTooOld},
		{"never expires", "Bearer " + tokenOf(t, key, header, with(claims, "exp", nil)), webhook.ErrTimestampMalformed},
		{"expires in text", "Bearer " + tokenOf(t, key, header, with(claims, "exp", "1800001800")), webhook.ErrTimestampMalformed},
		{"expires too late to tell", "Bearer " + tokenOf(t, key, header, with(claims, "exp", 1e300)), webhook.ErrTimestampMalformed},
		{"not yet issued", "Bearer " + tokenOf(t, key, header, with(claims, "iat", verifyNow.Add(2*clockSkew).Unix())), webhook.ErrTimestampTooNew},
		{"not yet valid", "Bearer " + tokenOf(t, key, header, with(claims, "nbf", verifyNow.Add(2*clockSkew).Unix())), webhook.ErrTimestampTooNew},
		{"another issuer", "Bearer " + tokenOf(t, key, header, with(claims, "iss", "https://example.com")), webhook.ErrSignatureMismatch},
		{"another audience", "Bearer " + tokenOf(t, key, header, with(claims, "aud", "https://hooks.example.com/")), webhook.ErrSignatureMismatch},
		{"no audience", "Bearer " + tokenOf(t, key, header, with(claims, "aud", nil)), webhook.ErrSignatureMismatch},
		{"another account", "Bearer " + tokenOf(t, key, header, with(claims, "email", "me@example.com")), webhook.ErrSignatureMismatch},
		{"account not verified", "Bearer " + tokenOf(t, key, header, with(claims, "email_verified", false)), webhook.ErrSignatureMismatch},
		{"another key", "Bearer " + tokenOf(t, other, header, claims), webhook.ErrSignatureMismatch},
		{"unknown key", "Bearer " + tokenOf(t, key, with(header, "kid", "2"), claims), webhook.ErrSignatureMismatch},
		{"altered", "Bearer " + strings.Replace(signed, ".", ".A", 1), webhook.ErrSignatureMismatch},
		{"no algorithm", "Bearer " + tokenOf(t, nil, with(header, "alg", "none"), claims), webhook.ErrSignatureMismatch},
		{"HMAC with the public key", "Bearer " + tokenOf(t, public, with(header, "alg", "HS256"), claims), webhook.ErrSignatureMismatch},
		{"algorithm that Google does not use", "Bearer " + tokenOf(t, key, with(header, "alg", "RS512"), claims), webhook.ErrSignatureMismatch},
		{"key in the token", "Bearer " + tokenOf(t, other, with(header, "jwk", json.RawMessage(jwkRSA(other, "1"))), claims), webhook.ErrSignatureMismatch},
		{"not a token", "Bearer x", webhook.ErrSignatureMismatch},
		{"not a Bearer token", "Basic x", webhook.ErrSignatureMissing},
		{"nothing", "", webhook.ErrSignatureMissing},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := checkVerdict(t, s, inboundTo("https://hooks.example.com/pubsub", `{"message":{"data":"e30=","messageId":"136969346945","message_id":"136969346945"},"deliveryAttempt":2}`, "Authorization", tt.header), tt.want)
			if tt.want == nil && got.id != "136969346945" {
				t.Errorf("got %+v", got)
			}
		})
	}
	if n := h.times(page); n != 1 {
		t.Errorf("the keys were fetched %d times", n)
	}
}

// TestKeySetChanges guards that a new key is found soon, and that naming unknown
// keys does not have the set fetched each time.
func TestKeySetChanges(t *testing.T) {
	first, second := rsaKeys()[0], rsaKeys()[1]
	const page = "issuer.example.com/jwks.json"
	h := newKeyHost(t)
	h.publish(page, `{"keys":[`+jwkRSA(first, "1")+`]}`)
	s := mustScheme(t, "jwt", schemeOptions{client: h.client, parameters: map[string]string{"issuer": "i", "audience": "a", "jwks_url": "https://" + page}})
	request := func(key *rsa.PrivateKey, kid string, after time.Duration) *inbound {
		token := tokenOf(t, key, map[string]any{"alg": "RS256", "kid": kid}, map[string]any{"iss": "i", "aud": "a", "exp": verifyNow.Unix() + 9999})
		in := inboundTo("https://hooks.example.com/", "{}", "Authorization", "Bearer "+token)
		in.now = verifyNow.Add(after)
		return in
	}
	checkVerdict(t, s, request(first, "1", 0), nil)
	h.publish(page, `{"keys":[`+jwkRSA(first, "1")+`,`+jwkRSA(second, "2")+`]}`)
	for range 10 {
		checkVerdict(t, s, request(second, "2", unknownAfter-1), webhook.ErrSignatureMismatch)
	}
	if n := h.times(page); n != 1 {
		t.Errorf("the keys were fetched %d times within a minute", n)
	}
	checkVerdict(t, s, request(second, "2", unknownAfter), nil)
	checkVerdict(t, s, request(first, "1", unknownAfter), nil)
	for range 10 {
		checkVerdict(t, s, request(second, "3", unknownAfter), webhook.ErrSignatureMismatch)
	}
	if n := h.times(page); n != 2 {
		t.Errorf("the keys were fetched %d times", n)
	}
	h.answer(page, http.StatusNotFound)
	checkVerdict(t, s, request(first, "1", 2*time.Hour), nil) // the old ones are better than none
	checkVerdict(t, s, request(first, "1", 4*staleKept), ErrKeysUnavailable)
}

func TestJWT(t *testing.T) {
	key, ec := rsaKeys()[0], ecKey(t)
	const page = "issuer.example.com/jwks.json"
	h := newKeyHost(t)
	h.publish(page, `{"keys":[`+jwkRSA(key, "1")+`,`+jwkEC(ec, "2", "")+`]}`)
	h.publish("issuer.example.com/secrets.json", `{"keys":[{"kty":"oct","kid":"1","k":"AAAA"}]}`)
	parameters := map[string]string{"issuer": "https://issuer.example.com", "audience": "hooks", "jwks_url": "https://" + page}
	const body = `{"id":"evt_1"}`
	sum := sha256.Sum256([]byte(body))
	claims := map[string]any{"iss": "https://issuer.example.com", "aud": "hooks", "sub": "sender", "jti": "evt_1", "iat": verifyNow.Unix(), "exp": verifyNow.Unix() + 60,
		"body": base64.StdEncoding.EncodeToString(sum[:])}
	rs, es := map[string]any{"alg": "RS256", "kid": "1"}, map[string]any{"alg": "ES256", "kid": "2"}
	tests := []struct {
		name       string
		parameters map[string]string
		token      string
		id         string
		want       error
	}{
		{"RSA", nil, tokenOf(t, key, rs, claims), "", nil},
		{"ECDSA", nil, tokenOf(t, ec, es, claims), "", nil},
		{"subject", map[string]string{"subject": "sender"}, tokenOf(t, ec, es, claims), "", nil},
		{"body", map[string]string{"body_claim": "body"}, tokenOf(t, ec, es, claims), "evt_1", nil},
		{"body in hex", map[string]string{"body_claim": "body"}, tokenOf(t, ec, es, with(claims, "body", hexOf(sum[:]))), "evt_1", nil},
		{"body in base64url", map[string]string{"body_claim": "body"}, tokenOf(t, ec, es, with(claims, "body", base64url.EncodeToString(sum[:]))), "evt_1", nil},
		{"no exp", nil, tokenOf(t, ec, es, with(claims, "exp", nil)), "", nil},

		{"no exp and old", nil, tokenOf(t, ec, es, with(claims, "exp", nil, "iat", verifyNow.Unix()-301)), "", webhook.ErrTimestampTooOld},
		{"neither exp nor iat", nil, tokenOf(t, ec, es, with(claims, "exp", nil, "iat", nil)), "", webhook.ErrTimestampMalformed},
		{"another subject", map[string]string{"subject": "other"}, tokenOf(t, ec, es, claims), "", webhook.ErrSignatureMismatch},
		{"another body", map[string]string{"body_claim": "body"}, tokenOf(t, ec, es, with(claims, "body", hexOf(make([]byte, 32)))), "", webhook.ErrSignatureMismatch},
		{"no body", map[string]string{"body_claim": "body"}, tokenOf(t, ec, es, with(claims, "body", nil)), "", webhook.ErrSignatureMismatch},
		{"other algorithm", map[string]string{"algorithms": "ES256, ES384"}, tokenOf(t, key, rs, claims), "", webhook.ErrSignatureMismatch},
		{"algorithm of another key", nil, tokenOf(t, ec, with(es, "kid", "1"), claims), "", webhook.ErrSignatureMismatch},
		{"issuer publishes secrets", map[string]string{"jwks_url": "https://issuer.example.com/secrets.json"}, tokenOf(t, []byte{0, 0, 0}, map[string]any{"alg": "HS256", "kid": "1"}, claims), "", webhook.ErrSignatureMismatch},
		{"issuer publishes nothing", map[string]string{"jwks_url": "https://issuer.example.com/secrets.json"}, tokenOf(t, ec, es, claims), "", ErrKeysUnavailable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := maps.Clone(parameters)
			maps.Copy(p, tt.parameters)
			s := mustScheme(t, "jwt", schemeOptions{client: h.client, parameters: p})
			got := checkVerdict(t, s, inboundTo("https://hooks.example.com/", body, "Authorization", "Bearer "+tt.token), tt.want)
			if tt.want == nil && (got.id != tt.id || !got.timestamp.Equal(verifyNow)) {
				t.Errorf("got %+v", got)
			}
		})
	}
	t.Run("another header", func(t *testing.T) {
		p := replaced(parameters, "header", "x-token")
		s := mustScheme(t, "jwt", schemeOptions{client: h.client, parameters: p})
		checkVerdict(t, s, inboundTo("https://hooks.example.com/", body, "X-Token", tokenOf(t, ec, es, claims)), nil)
	})
	for _, wrong := range [][2]string{{"jwks_url", "http://issuer.example.com/"}, {"jwks_url", ""}, {"algorithms", "HS256"}, {"algorithms", "none"}, {"body_claim", "jti"}, {"audience", ""}} {
		if _, err := newTokenScheme(schemeOptions{parameters: replaced(parameters, wrong[0], wrong[1])}); err == nil {
			t.Errorf("%s %q was accepted", wrong[0], wrong[1])
		}
	}
}

func replaced(parameters map[string]string, name, value string) map[string]string {
	changed := maps.Clone(parameters)
	changed[name] = value
	return changed
}

func TestPlaid(t *testing.T) {
	key, retired := ecKey(t), ecKey(t)
	const body = "{\n  \"webhook_code\": \"ERROR\",\n  \"webhook_type\": \"ITEM\"\n}"
	sum := sha256.Sum256([]byte(body))
	client := &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		var q map[string]string
		if err := json.NewDecoder(r.Body).Decode(&q); err != nil {
			return nil, err
		}
		status, answer := http.StatusBadRequest, `{"error_code":"INVALID_WEBHOOK_VERIFICATION_KEY_ID"}`
		if r.Method == http.MethodPost && r.URL.String() == "https://sandbox.plaid.com/webhook_verification_key/get" && q["client_id"] == "client" && q["secret"] == "secret" {
			switch q["key_id"] {
			case "current":
				status, answer = http.StatusOK, `{"key":`+jwkEC(key, "current", `,"created_at":1560466143,"expired_at":null`)+`,"request_id":"x"}`
			case "retired":
				status, answer = http.StatusOK, `{"key":`+jwkEC(retired, "retired", `,"created_at":1560466143,"expired_at":1560466144`)+`,"request_id":"x"}`
			case "broken":
				status = http.StatusInternalServerError
			}
		}
		return response(status, answer), nil
	})}
	s := mustScheme(t, "plaid", schemeOptions{client: client, secrets: []string{"old", "secret"}, parameters: map[string]string{"client_id": "client", "environment": "sandbox"}})
	header := map[string]any{"alg": "ES256", "kid": "current", "typ": "JWT"}
	claims := map[string]any{"iat": verifyNow.Unix() - 60, "request_body_sha256": hexOf(sum[:])}
	tests := []struct {
		name, token, body string
		want              error
	}{
		{"signed", tokenOf(t, key, header, claims), body, nil},
		{"another body", tokenOf(t, key, header, claims), body + "\n", webhook.ErrSignatureMismatch},
		{"no digest", tokenOf(t, key, header, with(claims, "request_body_sha256", nil)), body, webhook.ErrSignatureMismatch},
		{"old", tokenOf(t, key, header, with(claims, "iat", verifyNow.Unix()-301)), body, webhook.ErrTimestampTooOld},
		{"no time", tokenOf(t, key, header, with(claims, "iat", nil)), body, webhook.ErrTimestampMalformed},
		{"another key", tokenOf(t, retired, header, claims), body, webhook.ErrSignatureMismatch},
		{"retired key", tokenOf(t, retired, with(header, "kid", "retired"), claims), body, webhook.ErrSignatureMismatch},
		{"unknown key", tokenOf(t, key, with(header, "kid", "other"), claims), body, webhook.ErrSignatureMismatch},
		{"no key", tokenOf(t, key, with(header, "kid", nil), claims), body, webhook.ErrSignatureMismatch},
		{"HMAC", tokenOf(t, []byte("secret"), with(header, "alg", "HS256"), claims), body, webhook.ErrSignatureMismatch},
		{"Plaid is broken", tokenOf(t, key, with(header, "kid", "broken"), claims), body, ErrKeysUnavailable},
		{"no token", "", body, webhook.ErrSignatureMissing},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := checkVerdict(t, s, inboundTo("https://hooks.example.com/", tt.body, "Plaid-Verification", tt.token), tt.want)
			if tt.want == nil && (got.eventType != "ITEM.ERROR" || got.secret != 1 || !got.timestamp.Equal(verifyNow.Add(-time.Minute))) {
				t.Errorf("got %+v", got)
			}
		})
	}
}

func TestFusionAuth(t *testing.T) {
	key, ec := rsaKeys()[0], ecKey(t)
	const body = `{"event":{"id":"e502168a-b469-45d9-a079-fd45f83e0406","type":"user.create"}}`
	sum := sha256.Sum256([]byte(body))
	claims := map[string]any{"request_body_sha256": base64.StdEncoding.EncodeToString(sum[:]), "iat": verifyNow.Unix()}
	public := publicPEM(t, &key.PublicKey)
	s := mustScheme(t, "fusionauth", schemeOptions{secrets: []string{"an HMAC secret of some length, 32", public, publicPEM(t, &ec.PublicKey)}})
	hs, rs, es := map[string]any{"alg": "HS256"}, map[string]any{"alg": "RS256", "kid": "x"}, map[string]any{"alg": "ES256"}
	tests := []struct {
		name, token, body string
		secret            int
		want              error
	}{
		{"HMAC", tokenOf(t, []byte("an HMAC secret of some length, 32"), hs, claims), body, 0, nil},
		{"RSA", tokenOf(t, key, rs, claims), body, 1, nil},
		{"ECDSA", tokenOf(t, ec, es, claims), body, 2, nil},
		{"without a time", tokenOf(t, ec, es, with(claims, "iat", nil)), body, 2, nil},
		{"old", tokenOf(t, ec, es, with(claims, "iat", verifyNow.Unix()-301)), body, 2, webhook.ErrTimestampTooOld},
		{"HMAC with the public key", tokenOf(t, []byte(public), hs, claims), body, 0, webhook.ErrSignatureMismatch},
		{"no algorithm", tokenOf(t, nil, map[string]any{"alg": "none"}, claims), body, 0, webhook.ErrSignatureMismatch},
		{"another secret", tokenOf(t, []byte("another HMAC secret of some length"), hs, claims), body, 0, webhook.ErrSignatureMismatch},
		{"another body", tokenOf(t, ec, es, claims), body + " ", 0, webhook.ErrSignatureMismatch},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := checkVerdict(t, s, inboundTo("https://hooks.example.com/", tt.body, "X-FusionAuth-Signature-JWT", tt.token), tt.want)
			if tt.want == nil && (got.secret != tt.secret || got.id != "e502168a-b469-45d9-a079-fd45f83e0406" || got.eventType != "user.create") {
				t.Errorf("got %+v", got)
			}
		})
	}
}

// TestFusionAuthShortSecret guards that a secret with which no token is ever
// verified is refused when it is configured, and not each request.
func TestFusionAuthShortSecret(t *testing.T) {
	for size, want := range map[int]error{minTokenSecret - 1: webhook.ErrKey, minTokenSecret: nil} {
		if _, err := newFusionAuthScheme(schemeOptions{secrets: []string{strings.Repeat("s", size)}}); !errors.Is(err, want) {
			t.Errorf("secret of %d characters: %v, want %v", size, err, want)
		}
	}
}

// TestTokenText guards that a token has one form: what the parser would read in
// the same way is not accepted as the same.
func TestTokenText(t *testing.T) {
	secret := strings.Repeat("s", minTokenSecret)
	s := mustScheme(t, "fusionauth", schemeOptions{secrets: []string{secret}})
	sum := sha256.Sum256([]byte("{}"))
	// Of each part, the last character has bits to spare.
	good := tokenOf(t, []byte(secret), map[string]any{"alg": "HS256", "typ": "J"}, map[string]any{"request_body_sha256": hexOf(sum[:]), "iat": verifyNow.Unix()})
	checkVerdict(t, s, inboundTo("https://hooks.example.com/", "{}", "X-FusionAuth-Signature-JWT", good), nil)
	parts := strings.Split(good, ".")
	for i, part := range parts {
		if len(part)%4 == 0 {
			t.Fatalf("part %d has no bits to spare", i)
		}
		const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
		last := strings.IndexByte(alphabet, part[len(part)-1])
		changed := slices.Clone(parts)
		changed[i] = part[:len(part)-1] + alphabet[last+1:last+2]
		checkVerdict(t, s, inboundTo("https://hooks.example.com/", "{}", "X-FusionAuth-Signature-JWT", strings.Join(changed, ".")), webhook.ErrSignatureMismatch)
		changed[i] = part[:1] + "\n" + part[1:]
		checkVerdict(t, s, inboundTo("https://hooks.example.com/", "{}", "X-FusionAuth-Signature-JWT", strings.Join(changed, ".")), webhook.ErrSignatureMismatch)
	}
}

func FuzzJWT(f *testing.F) {
	ec := ecKey(f)
	s := mustScheme(f, "fusionauth", schemeOptions{secrets: []string{publicPEM(f, &ec.PublicKey), "a secret that nobody can guess, is it not?"}})
	f.Add(tokenOf(f, ec, map[string]any{"alg": "ES256"}, map[string]any{"iat": 1}), "{}")
	f.Add(tokenOf(f, []byte("x"), map[string]any{"alg": "HS256", "crit": []string{"b64"}, "b64": false}, map[string]any{"exp": "x"}), "{}")
	f.Add(tokenOf(f, nil, map[string]any{"alg": "none"}, nil), "")
	f.Fuzz(func(t *testing.T, token, body string) {
		if _, err := s.verify(t.Context(), inboundTo("https://hooks.example.com/", body, "X-FusionAuth-Signature-JWT", token)); err == nil {
			t.Errorf("%q with %q got through", token, body)
		}
	})
}

func FuzzKeySet(f *testing.F) {
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}`))
	f.Add([]byte(`{"keys":[` + jwkEC(ecKey(f), "1", "") + `]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		keys, err := parseKeySet(text)
		for i := range keys {
			if !isVerifyingKey(&keys[i]) {
				t.Errorf("%q gives a key that is not for verifying", text)
			}
		}
		if err == nil && len(keys) == 0 {
			t.Errorf("%q gives no keys and no error", text)
		}
	})
}
