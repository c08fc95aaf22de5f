package receiver

import (
	"bufio"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/dunglas/httpsfv"

	"github.com/manysends/caddy-webhooks/webhook"
)

// The keys of RFC 9421, appendix B.1.
const (
	rfcKeyPSS = `-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAr4tmm3r20Wd/PbqvP1s2
+QEtvpuRaV8Yq40gjUR8y2Rjxa6dpG2GXHbPfvMs8ct+Lh1GH45x28Rw3Ry53mm+
oAXjyQ86OnDkZ5N8lYbggD4O3w6M6pAvLkhk95AndTrifbIFPNU8PPMO7OyrFAHq
gDsznjPFmTOtCEcN2Z1FpWgchwuYLPL+Wokqltd11nqqzi+bJ9cvSKADYdUAAN5W
Utzdpiy6LbTgSxP7ociU4Tn0g5I6aDZJ7A8Lzo0KSyZYoA485mqcO0GVAdVw9lq4
aOT9v6d+nb4bnNkQVklLQ3fVAvJm+xdDOp9LCNCN48V2pnDOkFV6+U9nV5oyc6XI
2wIDAQAB
-----END PUBLIC KEY-----`
	rfcKeyP256 = `-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqIVYZVLCrPZHGHjP17CTW0/+D9Lf
w0EkjqF7xB4FivAxzic30tMM4GF+hR6Dxh71Z50VGGdldkkDXZCnTNnoXQ==
-----END PUBLIC KEY-----`
	rfcKeyEd25519 = "MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs="
	rfcSecret     = "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ=="
)

// rfcRequest is the request of RFC 9421, appendix B.2, with a signature.
func rfcRequest(t testing.TB, input, signature string) *inbound {
	t.Helper()
	text := "POST /foo?param=Value&Pet=dog HTTP/1.1\r\nHost: example.com\r\nDate: Tue, 20 Apr 2021 02:07:55 GMT\r\n" +
		"Content-Type: application/json\r\nContent-Digest: sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:\r\n" +
		"Content-Length: 18\r\nSignature-Input: " + input + "\r\nSignature: " + signature + "\r\n\r\n" + `{"hello": "world"}`
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return &inbound{request: r, body: body, now: time.Unix(1618884473, 0), tolerance: 5 * time.Minute}
}

// TestHTTPSignaturesRFC checks the examples of RFC 9421, appendix B.2, that sign
// the body.
func TestHTTPSignaturesRFC(t *testing.T) {
	const (
		input22 = `sig-b22=("@authority" "content-digest" "@query-param";name="Pet");created=1618884473;keyid="test-key-rsa-pss";tag="header-example"`
		sig22   = `sig-b22=:LjbtqUbfmvjj5C5kr1Ugj4PmLYvx9wVjZvD9GsTT4F7GrcQEdJzgI9qHxICagShLRiLMlAJjtq6N4CDfKtjvuJyE5qH7KT8UCMkSowOB4+ECxCmT8rtAmj/0PIXxi0A0nxKyB09RNrCQibbUjsLS/2YyFYXEu4TRJQzRw1rLEuEfY17SARYhpTlaqwZVtR8NV7+4UKkjqpcAoFqWFQh62s7Cl+H2fjBSpqfZUJcsIk4N6wiKYd4je2U/lankenQ99PZfB4jY3I5rSV2DSBVkSFsURIjYErOs0tFTQosMTAoxk//0RoKUqiYY8Bh0aaUEb0rQl3/XaVe4bXTugEjHSw==:`
		input23 = `sig-b23=("date" "@method" "@path" "@query" "@authority" "content-type" "content-digest" "content-length");created=1618884473;keyid="test-key-rsa-pss"`
		sig23   = `sig-b23=:bbN8oArOxYoyylQQUU6QYwrTuaxLwjAC9fbY2F6SVWvh0yBiMIRGOnMYwZ/5MR6fb0Kh1rIRASVxFkeGt683+qRpRRU5p2voTp768ZrCUb38K0fUxN0O0iC59DzYx8DFll5GmydPxSmme9v6ULbMFkl+V5B1TP/yPViV7KsLNmvKiLJH1pFkh/aYA2HXXZzNBXmIkoQoLd7YfW91kE9o/CCoC1xMy7JA1ipwvKvfrs65ldmlu9bpG6A9BmzhuzF8Eim5f8ui9eH8LZH896+QIF61ka39VBrohr9iyMUJpvRX2Zbhl5ZJzSRxpJyoEZAFL2FUo5fTIztsDZKEgM4cUA==:`
		input21 = `sig-b21=();created=1618884473;keyid="test-key-rsa-pss";nonce="b3k2pp5k7z-50gnwp.yemd"`
		sig21   = `sig-b21=:d2pmTvmbncD3xQm8E9ZV2828BjQWGgiwAaw5bAkgibUopemLJcWDy/lkbbHAve4cRAtx31Iq786U7it++wgGxbtRxf8Udx7zFZsckzXaJMkA7ChG52eSkFxykJeNqsrWH5S+oxNFlD4dzVuwe8DhTSja8xxbR/Z2cOGdCbzR72rgFWhzx2VjBqJzsPLMIQKhO4DGezXehhWwE56YCE+O6c0mKZsfxVrogUvA4HELjVKWmAvtl6UnCh8jYzuVG5WSb/QEVPnP5TmcAnLH1g+s++v6d4s8m0gCw1fV5/SITLq9mhho8K3+7EPYTU8IU1bLhdxO5Nyt8C8ssinQ98Xw9Q==:`
	)
	tests := []struct {
		name, components, tag, input, signature string
		want                                    error
	}{
		{"B.2.3", "", "", input23, sig23, nil},
		{"B.2.2", "@authority content-digest", "header-example", input22, sig22, nil},
		{"B.2.2 does not cover the method", "", "", input22, sig22, webhook.ErrSignatureMismatch},
		{"B.2.2 has another tag", "@authority content-digest", "other", input22, sig22, webhook.ErrSignatureMismatch},
		{"B.2.1 covers nothing", "", "", input21, sig21, webhook.ErrSignatureMismatch},
		{"B.2.1 does not cover the body, whatever is asked for", "@signature-params", "", input21, sig21, nil},
		{"the second is right", "", "", `other=("@method");created=1618884473, ` + input23, `other=:AAAA:, ` + sig23, nil},
		{"the signature of another", "", "", input23, strings.Replace(sig22, "sig-b22", "sig-b23", 1), webhook.ErrSignatureMismatch},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := schemeOptions{secrets: []string{rfcKeyPSS}, parameters: map[string]string{"algorithm": messagePSS, "components": tt.components, "tag": tt.tag}}
			s, err := newMessageScheme(o)
			if tt.components == "@signature-params" {
				if err == nil {
					t.Error("a component that requests do not have was accepted")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			checkVerdict(t, s, rfcRequest(t, tt.input, tt.signature), tt.want)
		})
	}
}

// TestHTTPSignatureBaseRFC checks those examples of RFC 9421, appendix B.2, that
// do not sign the body, and so are never accepted as they are: what is signed,
// and the algorithms.
func TestHTTPSignatureBaseRFC(t *testing.T) {
	tests := []struct {
		name, algorithm, secret, key, input, signature, base string
	}{
		{
			"B.2.5", messageHMAC, rfcSecret, "base64",
			`("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret"`, "pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=",
			"\"date\": Tue, 20 Apr 2021 02:07:55 GMT\n\"@authority\": example.com\n\"content-type\": application/json\n" +
				`"@signature-params": ("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret"`,
		},
		{
			"B.2.6", messageEd25519, rfcKeyEd25519, "",
			`("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519"`,
			"wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==",
			"\"date\": Tue, 20 Apr 2021 02:07:55 GMT\n\"@method\": POST\n\"@path\": /foo\n\"@authority\": example.com\n\"content-type\": application/json\n\"content-length\": 18\n" +
				`"@signature-params": ("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519"`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d, err := httpsfv.UnmarshalDictionary([]string{"sig=" + tt.input})
			if err != nil {
				t.Fatal(err)
			}
			member, _ := d.Get("sig")
			base, _, err := appendSignatureBase(nil, rfcRequest(t, "sig="+tt.input, ""), member.(httpsfv.InnerList))
			if err != nil || string(base) != tt.base {
				t.Errorf("the base is %q, %v, want %q", base, err, tt.base)
			}
			checkMessageKey(t, tt.algorithm, tt.secret, tt.key, base, tt.signature)
		})
	}
	// B.2.4 is of a response, so that only its text can be checked.
	checkMessageKey(t, messageP256, rfcKeyP256, "", []byte("\"@status\": 200\n\"content-type\": application/json\n"+
		"\"content-digest\": sha-512=:mEWXIS7MaLRuGgxOBdODa3xqM1XdEvxoYhvlCFJ41QJgJc4GTsPp29l5oGX69wWdXymyU0rjJuahq4l5aGgfLQ==:\n\"content-length\": 23\n"+
		`"@signature-params": ("@status" "content-type" "content-digest" "content-length");created=1618884473;keyid="test-key-ecc-p256"`),
		"wNmSUAhwb5LxtOtOpNa6W5xj067m5hFrj0XQ4fvpaCLx0NKocgPquLgyahnzDnDAUy5eCdlYUEkLIj+32oiasw==")
}

func checkMessageKey(t *testing.T, algorithm, secret, key string, base []byte, signature string) {
	t.Helper()
	k, err := newMessageKeys(schemeOptions{secrets: []string{secret}, key: key, parameters: map[string]string{"algorithm": algorithm}})
	if err != nil {
		t.Fatal(err)
	}
	text, err := base64.StdEncoding.DecodeString(signature)
	if err != nil {
		t.Fatal(err)
	}
	if k.match(base, text) != 0 {
		t.Errorf("%s does not verify", algorithm)
	}
	text[0] ^= 1
	if k.match(base, text) != -1 {
		t.Errorf("%s verifies an altered signature", algorithm)
	}
}

// TestHTTPSignatures checks requests that were signed by http-message-signatures
// for Node.js, and what must not be accepted of them.
func TestHTTPSignatures(t *testing.T) {
	const (
		body    = `{"id":"evt_1","type":"message.created"}`
		digest  = "sha-256=:RZoZDbIABswWPnwJ20+UApMinGYG3DAkMjvJPe0pzgc=:"
		address = "https://hooks.example.com/in?a=1&b=x%20y%2Fz"
		secret  = "0123456789abcdef0123456789abcdef"
		ec      = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEks+K96k9bypelHJ6huJfMxi10M8FtIj8WlT4aUgtZ+4GZjAFY138N4Rl2n1dgVNmphOWT+9RgnH4HsdAraSetg=="
		rsaKey  = "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA0qcAZM5Qk4jN7qVauXYaIDuKYEjDWrUJmpC6AtZfxb4sBBOS8vnfyzhtzY9g2ttNi8B5vsfFJIb/yNUCw2dr+U8N/RMiU05/u8q7ywqzfD0mtKey7tjCE/X2Qx1aGIAkNiDlkQTG8AiEugb732SROq+bGSg4bryOSO2gggOwCHSesaVPd49RKunPx2SknH1M3tq1PHdXpBwQJb10ailuzW209SaiV1g4SSCmXF53XBRNKuMD93iGbmy4Evwqkk0cHChB2OMigTWR2rLvxseZ3H1ADfDzExHyZI+ECHjJSxzXewExC5ksp3PAthCRr5Y7WhV0je7YCNDfw4SWOIDcvwIDAQAB"
	)
	input := func(algorithm string) string {
		return `sig=("@method" "@target-uri" "@query-param";name="b" "content-type" "content-digest");created=1800000000;keyid="key-1";alg="` + algorithm + `";nonce="nonce-1";expires=1800000300`
	}
	const hmacSig = "sig=:BN0SNeKOuj7MEmoi4eCvkyBafvSYtCWum61iJmedgJE=:"
	signatures := map[string]string{
		messageHMAC:  hmacSig,
		messageP256:  "sig=:SeOacVQL9GLDntcjlfRnMx1LkqeulxFL4qHCUsWKrKHQ85a3S+vXATnB9C990FOrVG3gwAH/ughb+12R+2camg==:",
		messagePKCS1: "sig=:WjrRuqZZZF5YeknPEcoZyCLSUPwC2XKcuQNyYar3Y+xWo01aJ+t03PSBgzygKq1OXyDRz2v7y/PKILXkiKE8zp735CYT0ZVPT3yYczwr91mOFwugKGGLUJl8K9h7IArVdKE/ZCyW+KPR7QihdQ0xTpPvWq3nizd6ttwC6tE8mGDduvQVGQhvmMSLH75mqf+NcDhdwOyNZVq7Qdz92Cc0PN6rRMFPaiNoSHlOod5BpDuSGFXQJk7lYGu7Gk/jKjtDE+6eklYc6cb1zoatwYwFw2M/mpTGk9SnOWEUgE3mgEOb0lwC27l57b3QNDT2/BpAbPxTVKAyROrGe+PjrRvu6A==:",
		messagePSS:   "sig=:PrjkFmVEduIpW4DGphb9XHENY7CyEtHEa5yjOJOwtFyLZ+l68ak7cBn0h+fDQ4Hx6ZK8QpBEYWyq/O9MUbo2h4kPaEOLMQxbVSenceAU8wdpRG1p32keALIqVYM4hTg7Lb0jkcvyS5yqWnouiJ8RZnLcm5J1reQFtoJtb/44y5Ol91s5xTEgZtChw9muSAG2YEXDzboSG9wMn/4lasat8PUKeojiTdYfvQ2CBL8CCG2q25D8NpMLx0vkYS6uBPD5tnxk5oE0Vvaxx5S+V6pwHf2ZIlUW7A3eycPIllg9WPnTDzT1gGfaTxmGj+8pFzz0C/m4KvrBsbe2xmKo4FSm9Q==:",
	}
	keys := map[string]string{messageHMAC: secret, messageP256: ec, messagePKCS1: rsaKey, messagePSS: rsaKey}
	request := func(input, signature string) *inbound {
		return inboundTo(address, body, "Content-Type", "application/json", "Content-Digest", digest, "Signature-Input", input, "Signature", signature)
	}
	for algorithm, signature := range signatures {
		t.Run(algorithm, func(t *testing.T) {
			s := mustScheme(t, "http_signatures", schemeOptions{secrets: []string{keys[algorithm]}, parameters: map[string]string{"algorithm": algorithm, "keyid": "key-1"}})
			got := checkVerdict(t, s, request(input(algorithm), signature), nil)
			if got.id != "nonce-1" || !got.timestamp.Equal(verifyNow) || string(got.content[0])+string(got.content[1]) != "/in"+body {
				t.Errorf("got %+v", got)
			}
		})
	}

	tests := []struct {
		name       string
		change     func(in *inbound)
		parameters map[string]string
		want       error
	}{
		{"as it is", func(*inbound) {}, nil, nil},
		{"at the last moment", func(in *inbound) { in.now = verifyNow.Add(5 * time.Minute) }, nil, nil},
		{"behind a proxy", func(in *inbound) {
			in.request.Host, in.request.URL.Path, in.request.RequestURI = "10.0.0.1", "/x", "/x?a=1&b=x%20y%2Fz"
			in.url = "https://hooks.example.com/in"
		}, nil, nil},
		{"expired", func(in *inbound) { in.now, in.tolerance = verifyNow.Add(5*time.Minute+time.Second), -1 }, nil, webhook.ErrTimestampTooOld},
		{"old", func(in *inbound) { in.now, in.tolerance = verifyNow.Add(61*time.Second), time.Minute }, nil, webhook.ErrTimestampTooOld},
		{"new", func(in *inbound) { in.now = verifyNow.Add(-6 * time.Minute) }, nil, webhook.ErrTimestampTooNew},
		{"another body", func(in *inbound) { in.body = []byte(body + " ") }, nil, webhook.ErrSignatureMismatch},
		{"another body with its digest", func(in *inbound) {
			in.body = []byte("{}")
			in.request.Header.Set("Content-Digest", "sha-256=:RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=:")
		}, nil, webhook.ErrSignatureMismatch},
		{"another method", func(in *inbound) { in.request.Method = "PUT" }, nil, webhook.ErrSignatureMismatch},
		{"another host", func(in *inbound) { in.request.Host = "hook.example.com" }, nil, webhook.ErrSignatureMismatch},
		{"another query", func(in *inbound) { in.request.RequestURI = "/in?a=2&b=x%20y%2Fz" }, nil, webhook.ErrSignatureMismatch},
		{"another type", func(in *inbound) { in.request.Header.Set("Content-Type", "text/plain") }, nil, webhook.ErrSignatureMismatch},
		{"one more type", func(in *inbound) { in.request.Header.Add("Content-Type", "text/plain") }, nil, webhook.ErrSignatureMismatch},
		{"another signature", func(in *inbound) {
			in.request.Header.Set("Signature", "sig=:CN0SNeKOuj7MEmoi4eCvkyBafvSYtCWum61iJmedgJE=:")
		}, nil, webhook.ErrSignatureMismatch},
		{"another label", func(in *inbound) {
			in.request.Header.Set("Signature", strings.Replace(hmacSig, "sig", "gis", 1))
		}, nil, webhook.ErrSignatureMissing},
		{"no signature", func(in *inbound) { in.request.Header.Del("Signature") }, nil, webhook.ErrSignatureMissing},
		{"no input", func(in *inbound) { in.request.Header.Del("Signature-Input") }, nil, webhook.ErrSignatureMissing},
		{"empty input", func(in *inbound) { in.request.Header.Set("Signature-Input", "") }, nil, webhook.ErrSignatureMissing},
		{"malformed input", func(in *inbound) { in.request.Header.Set("Signature-Input", "sig=(") }, nil, webhook.ErrSignatureMismatch},
		{"another time", func(in *inbound) {
			in.request.Header.Set("Signature-Input", strings.Replace(input(messageHMAC), "1800000000", "1800000001", 1))
		}, nil, webhook.ErrSignatureMismatch},
		{"another nonce", func(in *inbound) {
			in.request.Header.Set("Signature-Input", strings.Replace(input(messageHMAC), "nonce-1", "nonce-2", 1))
		}, nil, webhook.ErrSignatureMismatch},
		{"fewer components", func(in *inbound) {
			in.request.Header.Set("Signature-Input", strings.Replace(input(messageHMAC), ` "content-digest"`, ``, 1))
		}, nil, webhook.ErrSignatureMismatch},
		{"a component twice", func(in *inbound) {
			in.request.Header.Set("Signature-Input", strings.Replace(input(messageHMAC), `"@method"`, `"@method" "@method"`, 1))
		}, nil, webhook.ErrSignatureMismatch},
		{"a component of a response", func(in *inbound) {
			in.request.Header.Set("Signature-Input", strings.Replace(input(messageHMAC), `"@method"`, `"@method" "@status"`, 1))
		}, nil, webhook.ErrSignatureMismatch},
		{"a component with a parameter", func(in *inbound) {
			in.request.Header.Set("Signature-Input", strings.Replace(input(messageHMAC), `"content-digest"`, `"content-digest";req`, 1))
		}, nil, webhook.ErrSignatureMismatch},
		{"too many signatures", func(in *inbound) {
			in.request.Header.Set("Signature-Input", "a=(), b=(), c=(), d=(), "+input(messageHMAC))
		}, nil, webhook.ErrSignatureMismatch},
		{"another algorithm", func(*inbound) {}, map[string]string{"algorithm": messageEd25519}, webhook.ErrSignatureMismatch},
		{"another key ID", func(*inbound) {}, map[string]string{"keyid": "key-2"}, webhook.ErrSignatureMismatch},
		{"not all that is asked for", func(*inbound) {}, map[string]string{"components": "@method date"}, webhook.ErrSignatureMismatch},
		{"all that is asked for", func(*inbound) {}, map[string]string{"components": `"@method" "content-type"`}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := schemeOptions{secrets: []string{secret}, parameters: tt.parameters}
			if tt.parameters["algorithm"] != "" {
				o.secrets = []string{rfcKeyEd25519}
			}
			in := request(input(messageHMAC), hmacSig)
			tt.change(in)
			checkVerdict(t, mustScheme(t, "http_signatures", o), in, tt.want)
		})
	}
}

// TestHTTPSignaturesCoverBody guards that a body is never accepted unless its
// digest is signed, whatever the configuration asks for.
func TestHTTPSignaturesCoverBody(t *testing.T) {
	const secret, parameters = "0123456789abcdef0123456789abcdef", `("@method" "@path");created=1800000000`
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte("\"@method\": POST\n\"@path\": /in\n\"@signature-params\": " + parameters))
	signature := "sig=:" + base64.StdEncoding.EncodeToString(mac.Sum(nil)) + ":"
	for _, components := range []string{"", "@method", "@method @path"} {
		s := mustScheme(t, "http_signatures", schemeOptions{secrets: []string{secret}, parameters: map[string]string{"components": components}})
		for body, want := range map[string]error{"": nil, "{}": webhook.ErrSignatureMismatch} {
			checkVerdict(t, s, inboundTo("https://hooks.example.com/in", body, "Signature-Input", "sig="+parameters, "Signature", signature,
				"Content-Digest", "sha-256=:RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=:"), want)
		}
	}
}

func TestHTTPSignatureKeys(t *testing.T) {
	tests := []struct {
		name, algorithm, key, secret string
		ok                           bool
	}{
		{"secret", "", "", "text", true},
		{"secret in base64", messageHMAC, "base64", rfcSecret, true},
		{"secret in hex", messageHMAC, "hex", "00ff", true},
		{"secret is not hex", messageHMAC, "hex", "text", false},
		{"secret in another way", messageHMAC, "whsec", "text", false},
		{"public key as a secret", messageHMAC, "", rfcKeyPSS, false},
		{"RSA", messagePSS, "", rfcKeyPSS, true},
		{"RSA for ECDSA", messageP256, "", rfcKeyPSS, false},
		{"ECDSA", messageP256, "", rfcKeyP256, true},
		{"Ed25519", messageEd25519, "", rfcKeyEd25519, true},
		{"Ed25519 of all zeros", messageEd25519, "", spkiOf(ed25519.PublicKey(make([]byte, 32))), false},
		{"Ed25519 in hex", messageEd25519, "hex", rfcKeyEd25519, false},
		{"secret for Ed25519", messageEd25519, "", "text", false},
		{"private key", messageEd25519, "", "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ+DYvh6SEqVTm50DFtMDoQikTmiCqirVv9mWG9qfSnF\n-----END PRIVATE KEY-----", false},
		{"unknown", "none", "", "text", false},
	}
	for _, tt := range tests {
		_, err := newMessageScheme(schemeOptions{secrets: []string{tt.secret}, key: tt.key, parameters: map[string]string{"algorithm": tt.algorithm}})
		if (err == nil) != tt.ok {
			t.Errorf("%s: %v", tt.name, err)
		}
		if err != nil && strings.Contains(err.Error(), "MC4CAQ") {
			t.Errorf("%s: the error tells the key", tt.name)
		}
	}
}

// TestHTTPSignaturesTellPathsApart guards that without a nonce the same body at
// another path, which is signed, is another event, and that a later attempt is not.
func TestHTTPSignaturesTellPathsApart(t *testing.T) {
	const body, secret = "{}", "0123456789abcdef0123456789abcdef"
	b := newBench(t, Config{Provider: "http_signatures", Secrets: []string{secret}})
	for _, attempt := range []struct {
		path      string
		after     time.Duration
		duplicate bool
	}{
		{"/users", 0, false},
		{"/users", time.Minute, true},
		{"/orders", 0, false},
		{"/orders", 0, true},
	} {
		b.clock.advance(attempt.after)
		input := fmt.Sprintf(`("@method" "@path" "content-digest");created=%d`, b.clock.Now().Unix())
		const digest = "sha-256=:RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=:"
		base := "\"@method\": POST\n\"@path\": " + attempt.path + "\n\"content-digest\": " + digest + "\n\"@signature-params\": " + input
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(base))
		r := httptest.NewRequest(http.MethodPost, attempt.path, strings.NewReader(body))
		r.Header.Set("Content-Digest", digest)
		r.Header.Set("Signature-Input", "a="+input)
		r.Header.Set("Signature", "a=:"+base64.StdEncoding.EncodeToString(mac.Sum(nil))+":")
		if w, err := b.send(r); err != nil || w.Header().Get(HeaderDuplicate) == "true" != attempt.duplicate {
			t.Errorf("%+v: error %v, headers %v", attempt, err, w.Header())
		}
	}
}

func TestContentDigest(t *testing.T) {
	// RFC 9530, appendix B.
	const body = "{\"hello\": \"world\"}\n"
	tests := []struct {
		header string
		want   bool
	}{
		{"sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:", true},
		{"unixsum=:AAA=:, sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:", true},
		{"sha-256=:SK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:", false},
		{"sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:, sha-512=:AAAA:", false},
		{"sha-256=::", false},
		{"sha-256=()", false},
		{"unixsum=:AAA=:", false},
		{"x", false},
	}
	for _, tt := range tests {
		if err := checkContentDigest(inboundTo("https://hooks.example.com/", body, "Content-Digest", tt.header)); (err == nil) != tt.want {
			t.Errorf("%s: %v", tt.header, err)
		}
	}
}

func FuzzHTTPSignatures(f *testing.F) {
	s := mustScheme(f, "http_signatures", schemeOptions{secrets: []string{"a secret that nobody can guess"}})
	f.Add(`sig=("@method" "@target-uri" "@query-param";name="b" "content-digest");created=1800000000;alg="hmac-sha256"`, "sig=:AAAA:", "sha-256=:AAAA:", "a=1&b=%2F")
	f.Add(`a=(), b=("@path";x "host" "signature");nonce=1`, "a=:AA==:;q, b=x", "sha-512=(a)", "%")
	f.Fuzz(func(t *testing.T, input, signature, digest, query string) {
		in := inboundTo("https://hooks.example.com/in", "{}", "Signature-Input", input, "Signature", signature, "Content-Digest", digest)
		in.request.URL.RawQuery, in.url = query, "https://hooks.example.com/in"
		if _, err := s.verify(t.Context(), in); err == nil {
			t.Errorf("%q %q got through", input, signature)
		}
	})
}
