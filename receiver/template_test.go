package receiver

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"hash"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// customConfig is a configuration with a template that signs as few others do:
// an ID, a time and the body.
func customConfig(change func(*Template)) Config {
	t := &Template{
		Content:   "{id}.{timestamp}.{body}",
		Signature: []Place{{Header: "X-Sig"}},
		Timestamp: []Place{{Header: "X-Time"}},
		ID:        []Place{{Header: "X-Id"}},
	}
	if change != nil {
		change(t)
	}
	return Config{Provider: customName, Template: t, Secrets: []string{plainSecret, plainWrong}}
}

// customRequest is a request with a body and headers, which are names and
// values by turns.
func customRequest(body string, headers ...string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "https://hooks.example.com/in?a=b&c=%20", strings.NewReader(body))
	for pair := range slices.Chunk(headers, 2) {
		r.Header.Add(pair[0], pair[1])
	}
	return r
}

func spkiOf(public any) string {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		panic(err)
	}
	return base64.StdEncoding.EncodeToString(der)
}

func pemOf(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// TestTemplateKeysAndAlgorithms pairs every algorithm with every way to write
// its key.
func TestTemplateKeysAndAlgorithms(t *testing.T) {
	const text = "some text with = and ÿ"
	sum := sha256.Sum256([]byte(text))
	shared := []struct{ key, secret, bytes string }{
		{"raw", text, text},
		{"hex", hex.EncodeToString([]byte(text)), text},
		{"hex", strings.ToUpper(hex.EncodeToString([]byte(text))), text},
		{"base64", base64.StdEncoding.EncodeToString([]byte(text)), text},
		{"base64", base64.RawStdEncoding.EncodeToString([]byte(text)), text},
		{"whsec", "whsec_" + base64.StdEncoding.EncodeToString([]byte(text)), text},
		{"whsec", "v1,whsec_" + base64.StdEncoding.EncodeToString([]byte(text)), text},
		{"whsec", base64.StdEncoding.EncodeToString([]byte(text)), text},
		{"sha256", text, string(sum[:])},
	}
	hashes := map[string]func() hash.Hash{"hmac-sha1": sha1.New, "hmac-sha256": sha256.New, "hmac-sha384": sha512.New384, "hmac-sha512": sha512.New}

	type signer struct {
		algorithm, key, secret string
		sign                   func(message []byte) []byte
	}
	var signers []signer
	for algorithm, newHash := range hashes {
		for _, s := range shared {
			signers = append(signers, signer{algorithm, s.key, s.secret, func(message []byte) []byte {
				mac := hmac.New(newHash, []byte(s.bytes))
				mac.Write(message)
				return mac.Sum(nil)
			}})
		}
	}
	private := ed25519.NewKeyFromSeed(sum[:])
	public := private.Public().(ed25519.PublicKey)
	for key, secret := range map[string]string{"hex": hex.EncodeToString(public), "base64": base64.StdEncoding.EncodeToString(public), "spki": spkiOf(public), "": hex.EncodeToString(public)} {
		signers = append(signers, signer{"ed25519", key, secret, func(message []byte) []byte { return ed25519.Sign(private, message) }})
	}
	curve, curveSPKI := ecdsaKey()
	signers = append(signers,
		signer{"ecdsa-p256-sha256", "spki", curveSPKI, func(message []byte) []byte {
			digest := sha256.Sum256(message)
			signature, err := ecdsa.SignASN1(rand.Reader, curve, digest[:])
			if err != nil {
				t.Fatal(err)
			}
			return signature
		}},
		signer{"ecdsa-p256-sha256", "", curveSPKI, func(message []byte) []byte {
			digest := sha256.Sum256(message)
			r, s, err := ecdsa.Sign(rand.Reader, curve, digest[:])
			if err != nil {
				t.Fatal(err)
			}
			return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
		}},
	)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(rsaKey.Public())
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{spkiOf(rsaKey.Public()), pemOf("PUBLIC KEY", spki), pemOf("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&rsaKey.PublicKey))} {
		signers = append(signers, signer{"rsa-sha256", "", secret, func(message []byte) []byte {
			digest := sha256.Sum256(message)
			signature, err := rsa.SignPKCS1v15(rand.Reader, rsaKey, crypto.SHA256, digest[:])
			if err != nil {
				t.Fatal(err)
			}
			return signature
		}})
	}

	encodings := map[string][]func([]byte) string{
		"hex":       {hex.EncodeToString, func(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) }},
		"base64":    {base64.StdEncoding.EncodeToString, base64.RawStdEncoding.EncodeToString},
		"base64url": {base64.URLEncoding.EncodeToString, base64.RawURLEncoding.EncodeToString},
	}
	for _, s := range signers {
		for encoding, encoders := range encodings {
			cfg := customConfig(func(t *Template) {
				*t = Template{Algorithm: s.algorithm, Key: s.key, Content: "<{{{body}}}>", Encoding: encoding, Signature: t.Signature}
			})
			cfg.Secrets = []string{s.secret}
			b := newBench(t, cfg)
			for i, encode := range encoders {
				body := eventID(i)
				signature := encode(s.sign([]byte("<{" + body + "}>")))
				if got := b.verdictOn(customRequest(body, "X-Sig", signature)); got != accepted {
					t.Errorf("%s with key %s, signature in %s: %s", s.algorithm, s.key, encoding, got)
				}
				if got := b.verdictOn(customRequest(body+"!", "X-Sig", signature)); got != verdict(ReasonSignatureMismatch) {
					t.Errorf("%s with key %s, another body: %s", s.algorithm, s.key, got)
				}
				if got := b.verdictOn(customRequest(body, "X-Sig", signature[:len(signature)-4])); got != verdict(ReasonSignatureMismatch) {
					t.Errorf("%s with key %s, a short signature: %s", s.algorithm, s.key, got)
				}
			}
		}
	}
}

// TestTemplateParts signs everything that can be signed.
func TestTemplateParts(t *testing.T) {
	body := `{"n":12.50,"s":"a\u0062\"c","deep":[{"t":true}],"nothing":null,"list":[]}`
	sum := sha256.Sum256([]byte(body))
	digest := hex.EncodeToString(sum[:])
	for content, signed := range map[string]string{
		"{method} {path}?{query}{body}":   "POST /in?a=b&c=%20" + body,
		"{url}{body}":                     "https://hooks.example.com/in?a=b&c=%20" + body,
		"{body}{header.x-id}":             body + "event",
		"{body_sha256}":                   digest,
		"{body_sha256}|{body}":            digest + "|" + body,
		"{json.n}|{json.s}|{body}":        `12.50|ab"c|` + body,
		"{json.deep.0.t}{body}":           "true" + body,
		"{header.x-id}:{timestamp}{body}": "",
		"{json.nothing}{body}":            "",
		"{json.list}{body}":               "",
		"{json.deep.0}{body}":             "",
		"{json.deep.1.t}{body}":           "",
		"{header.X-None}{body}":           "",
	} {
		cfg := customConfig(func(t *Template) {
			t.Content = content
			if !strings.Contains(content, "timestamp") {
				t.Timestamp = nil
			}
		})
		want := accepted
		if signed == "" { // a part is not there
			want = verdict(ReasonSignatureMissing)
		}
		r := customRequest(body, "X-Id", "event", "X-Sig", hexSHA256(plainSecret, signed))
		if got := newBench(t, cfg).verdictOn(r); got != want {
			t.Errorf("%s: %s, want %s", content, got, want)
		}
	}
}

// TestTemplateSignatures is about finding the right one of many.
func TestTemplateSignatures(t *testing.T) {
	const body = "x"
	good, old := hexSHA256(plainSecret, body), hexSHA256(plainWrong, body)
	junk := strings.Repeat("0", 64)
	for _, c := range []struct {
		name    string
		places  []Place
		headers []string
		want    verdict
		secret  int
	}{
		{"one", []Place{{Header: "X-Sig"}}, []string{"X-Sig", good}, accepted, 0},
		{"of the other secret", []Place{{Header: "X-Sig"}}, []string{"X-Sig", old}, accepted, 1},
		{"upper case", []Place{{Header: "X-Sig"}}, []string{"X-Sig", strings.ToUpper(old)}, accepted, 1},
		{"list", []Place{{Header: "X-Sig", List: ","}}, []string{"X-Sig", junk + " , " + old + "," + junk}, accepted, 1},
		{"both secrets", []Place{{Header: "X-Sig", List: ","}}, []string{"X-Sig", old + "," + good}, accepted, 0},
		{"labels", []Place{{Header: "X-Sig", List: ",;", Prefix: "v1="}}, []string{"X-Sig", "v0=" + junk + "; v1=" + junk + ",v2=x;v1=" + good}, accepted, 0},
		{"unknown label", []Place{{Header: "X-Sig", List: ",", Prefix: "v1="}}, []string{"X-Sig", "v0=" + good}, verdict(ReasonSignatureMissing), 0},
		{"no prefix", []Place{{Header: "X-Sig", Prefix: "sha256="}}, []string{"X-Sig", good}, verdict(ReasonSignatureMissing), 0},
		{"empty", []Place{{Header: "X-Sig", Prefix: "sha256="}}, []string{"X-Sig", "sha256="}, verdict(ReasonSignatureMissing), 0},
		{"not hex", []Place{{Header: "X-Sig"}}, []string{"X-Sig", "zz" + good[2:]}, verdict(ReasonSignatureMismatch), 0},
		{"twice", []Place{{Header: "X-Sig"}}, []string{"X-Sig", good, "X-Sig", good}, verdict(ReasonSignatureMissing), 0},
		{"two headers", []Place{{Header: "X-A"}, {Header: "X-B"}}, []string{"X-B", good}, accepted, 0},
		{"numbered", []Place{{Header: "X-Sig-{n}"}}, []string{"X-Sig-7", junk, "X-Sig-99", good}, accepted, 0},
		{"a number too high", []Place{{Header: "X-Sig-{n}"}}, []string{"X-Sig-101", good}, verdict(ReasonSignatureMissing), 0},
		{"sixteenth", []Place{{Header: "X-Sig", List: " "}}, []string{"X-Sig", strings.Repeat(junk+" ", 15) + good}, accepted, 0},
		{"seventeenth", []Place{{Header: "X-Sig", List: " "}}, []string{"X-Sig", strings.Repeat(junk+" ", 16) + good}, verdict(ReasonSignatureMismatch), 0},
		{"sixteen in all", []Place{{Header: "X-A", List: " "}, {Header: "X-B"}}, []string{"X-A", strings.Repeat(junk+" ", 16), "X-B", good}, verdict(ReasonSignatureMismatch), 0},
		{"4 KiB", []Place{{Header: "X-Sig", List: " "}}, []string{"X-Sig", good + strings.Repeat(" ", 4096-64)}, accepted, 0},
		{"over 4 KiB", []Place{{Header: "X-Sig", List: " "}}, []string{"X-Sig", good + strings.Repeat(" ", 4097-64)}, verdict(ReasonSignatureMismatch), 0},
	} {
		cfg := customConfig(func(t *Template) { *t = Template{Signature: c.places} })
		b := newBench(t, cfg)
		if got := b.verdictOn(customRequest(body, c.headers...)); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		if got := b.observed[0].SecretIndex; c.want == accepted && got != c.secret {
			t.Errorf("%s: secret %d, want %d", c.name, got, c.secret)
		}
	}
	query := customRequest(body)
	query.URL.RawQuery = "sig=" + good
	b := newBench(t, customConfig(func(t *Template) { *t = Template{Signature: []Place{{Query: "sig"}}} }))
	if got := b.verdictOn(query); got != accepted {
		t.Errorf("in the URL: %s", got)
	}
	query = customRequest(body + "x")
	query.URL.RawQuery = "sig=" + good + "&sig=" + good
	if got := b.verdictOn(query); got != verdict(ReasonSignatureMissing) {
		t.Errorf("twice in the URL: %s", got)
	}
}

// TestSignaturesHaveOneForm: encoding/base64 reads over line breaks, which a JSON
// string may hold.
func TestSignaturesHaveOneForm(t *testing.T) {
	for encoding, text := range map[string]string{encodingHex: "00ff", encodingBase64: "AP8=", encodingBase64URL: "AP8"} {
		if got, ok := appendDecoded(nil, encoding, text); !ok || string(got) != "\x00\xff" {
			t.Errorf("%s: %q is read as %x, %t", encoding, text, got, ok)
		}
		for _, odd := range []string{text[:2] + "\n" + text[2:], text + "\r\n", "\n" + text, text[:2] + " " + text[2:]} {
			if got, ok := appendDecoded(nil, encoding, odd); ok {
				t.Errorf("%s: %q is read as %x", encoding, odd, got)
			}
		}
	}
}

// TestAddress guards the URL against what a client says of it.
func TestAddress(t *testing.T) {
	plain := httptest.NewRequest(http.MethodPost, "http://a.example/in?x=%2f", nil)
	secure := httptest.NewRequest(http.MethodPost, "https://a.example:8443/in", nil)
	secure.Header.Set("X-Forwarded-Proto", "http")
	secure.Header.Set("X-Forwarded-Host", "b.example")
	absolute := httptest.NewRequest(http.MethodPost, "http://a.example/in", nil)
	absolute.RequestURI = "http://c.example/in"
	served := httptest.NewRequest(http.MethodPost, "/in?b=1&a=2", nil)
	served.Host, served.TLS = "d.example", &tls.ConnectionState{}
	for _, c := range []struct {
		in   inbound
		want string
	}{
		{inbound{request: plain}, "http://a.example/in?x=%2f"},
		{inbound{request: secure}, "https://a.example:8443/in"},
		{inbound{request: absolute}, "http://a.example/in"},
		{inbound{request: served}, "https://d.example/in?b=1&a=2"},
		{inbound{request: secure, url: "https://told.example/x"}, "https://told.example/x"},
	} {
		if got := c.in.address(); got != c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
	}
}

// TestKeyOverride guards secrets that are written in another way than the
// provider usually does.
func TestKeyOverride(t *testing.T) {
	key := []byte("0123456789abcdef0123456789abcdef")
	for _, c := range []struct{ provider, key, secret string }{
		{"standard", "", "whsec_" + base64.StdEncoding.EncodeToString(key)},
		{"standard", "whsec", "whsec_" + base64.StdEncoding.EncodeToString(key)},
		{"standard", "base64", base64.StdEncoding.EncodeToString(key)},
		{"standard", "hex", hex.EncodeToString(key)},
		{"standard", "raw", string(key)},
		{"polar", "whsec", "whsec_" + base64.StdEncoding.EncodeToString(key)},
		{"polar", "", string(key)},
	} {
		b := newBench(t, Config{Provider: c.provider, Secrets: []string{c.secret}, Key: c.key})
		unix := attempt{at: b.clock.Now()}.unix()
		body := `{"type":"thing.done"}`
		r := customRequest(body, "Webhook-Id", "e1", "Webhook-Timestamp", unix, "Webhook-Signature", "v1,"+b64SHA256(string(key), "e1."+unix+"."+body))
		if got := b.verdictOn(r); got != accepted || b.observed[0].Type != "thing.done" || b.observed[0].ID != "e1" {
			t.Errorf("%s with key %s: %s, observed %+v", c.provider, c.key, got, b.observed[0])
		}
	}
}

// TestNoSecretIsShown looks for secrets in errors about them.
func TestNoSecretIsShown(t *testing.T) {
	for _, p := range providers {
		if p.Name == customName {
			continue
		}
		const secret = "hunter2-hunter2"
		err := Config{Provider: p.Name, Secrets: []string{secret}, Key: "hex"}.Validate()
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", p.Name, err)
		}
	}
}
