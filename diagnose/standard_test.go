package diagnose_test

import (
	"bytes"
	"compress/gzip"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/manysends/caddy-webhooks/diagnose"
	"github.com/manysends/caddy-webhooks/webhook"
)

const (
	secret    = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	otherKey  = "whsec_ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA="
	rawKey    = "0123456789abcdef0123456789abcdef"
	eventID   = "evt_0192f0c1a2b37c4d8e5f60718293a4b5"
	tolerance = 5 * time.Minute
)

// signedAt is when the requests of the tests were signed.
var signedAt = time.Unix(1709634600, 0)

const plainBody = `{"type":"message.created","timestamp":"2024-03-05T10:30:00Z","data":{"name":"Zoë <zoe@example.com>","url":"https://example.com/a","n":[1,2,{"b":3,"a":4.5}]}}`

// sign is the signature of Standard Webhooks.
func sign(newHash func() hash.Hash, key, content string) []byte {
	mac := hmac.New(newHash, []byte(key))
	mac.Write([]byte(content))
	return mac.Sum(nil)
}

// message is a request that a test spoils.
type message struct {
	keys   []string
	header http.Header
	body   string
	now    time.Time
}

// newMessage is an authentic request.
func newMessage(body string) *message {
	m := &message{keys: []string{secret}, header: make(http.Header), body: body, now: signedAt.Add(12 * time.Second)}
	m.header.Set("webhook-id", eventID)
	m.header.Set("webhook-timestamp", strconv.FormatInt(signedAt.Unix(), 10))
	m.resign(rawKey, eventID+"."+m.header.Get("webhook-timestamp")+"."+body)
	return m
}

func (m *message) resign(key, content string) {
	m.header.Set("webhook-signature", "v1,"+base64.StdEncoding.EncodeToString(sign(sha256.New, key, content)))
}

func (m *message) content() string {
	return m.header.Get("webhook-id") + "." + m.header.Get("webhook-timestamp") + "." + m.body
}

func (m *message) explain() diagnose.Explanation {
	return diagnose.Standard(m.keys, m.header, []byte(m.body), m.now, tolerance)
}

func (m *message) signature() string {
	return strings.TrimPrefix(m.header.Get("webhook-signature"), "v1,")
}

func (m *message) sum() []byte {
	b, err := base64.StdEncoding.DecodeString(m.signature())
	if err != nil {
		panic(err)
	}
	return b
}

func indented(body, indent string) string {
	var b bytes.Buffer
	if err := json.Indent(&b, []byte(body), "", indent); err != nil {
		panic(err)
	}
	return b.String()
}

func zipped(body string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write([]byte(body))
	w.Close()
	return b.String()
}

// TestStandardFindsMistakes guards the table of mistakes: each is made for real,
// and must be found as what it is.
func TestStandardFindsMistakes(t *testing.T) {
	tests := []struct {
		name    string
		body    string // default: plainBody
		spoil   func(m *message)
		mistake diagnose.Mistake
		cause   string // a part of it
	}{
		{"trailing newline", "", func(m *message) { m.body += "\n" }, diagnose.MistakeBodyNewline, "line feed|line break was added at the end"},
		{"trailing CRLF", "", func(m *message) { m.body += "\r\n" }, diagnose.MistakeBodyNewline, "line break was added"},
		{"newline lost", plainBody + "\n", func(m *message) { m.body = plainBody }, diagnose.MistakeBodyNewline, "is missing, and it was signed"},
		{"spaces before", "", func(m *message) { m.body = "  " + m.body }, diagnose.MistakeBodyNewline, "at the beginning"},
		{"LF to CRLF", "a: 1\nb: 2\n", func(m *message) { m.body = strings.ReplaceAll(m.body, "\n", "\r\n") }, diagnose.MistakeBodyLineBreaks, "LF to CR LF"},
		{"CRLF to LF", "a: 1\r\nb: 2\r\n", func(m *message) { m.body = strings.ReplaceAll(m.body, "\r\n", "\n") }, diagnose.MistakeBodyLineBreaks, "CR LF to LF"},
		{"BOM added", "", func(m *message) { m.body = "\ufeff" + m.body }, diagnose.MistakeBodyBOM, "byte order mark"},
		{"BOM lost", "\ufeff" + plainBody, func(m *message) { m.body = plainBody }, diagnose.MistakeBodyBOM, "is missing"},
		{"UTF-8 twice", `{"n":"Zoë"}`, func(m *message) { m.body = "{\"n\":\"Zo\u00c3\u00ab\"}" }, diagnose.MistakeBodyCharset, "converted to UTF-8"},
		{"to Latin-1", `{"n":"Zoë"}`, func(m *message) { m.body = "{\"n\":\"Zo\xeb\"}" }, diagnose.MistakeBodyCharset, "to Latin-1"},
		{"indented", "", func(m *message) { m.body = indented(m.body, "  ") }, diagnose.MistakeBodyReserialised, "what was signed is compact"},
		{"compacted from 2", indented(plainBody, "  "), func(m *message) { m.body = plainBody }, diagnose.MistakeBodyReserialised, "indented by 2"},
		{"compacted from 4", indented(plainBody, "    "), func(m *message) { m.body = plainBody }, diagnose.MistakeBodyReserialised, "indented by 4"},
		{"compacted from tabs", indented(plainBody, "\t"), func(m *message) { m.body = plainBody }, diagnose.MistakeBodyReserialised, "by tabs"},
		{"compacted from Python", `{"a": 1, "b": "\u00eb"}`, func(m *message) { m.body = `{"a":1,"b":"ë"}` }, diagnose.MistakeBodyReserialised, "beyond ASCII"},
		{"slashes", `{"u":"https:\/\/example.com\/"}`, func(m *message) { m.body = `{"u":"https://example.com/"}` }, diagnose.MistakeBodyReserialised, "slashes"},
		{"HTML escaped", "", func(m *message) { m.body = strings.NewReplacer("<", `\u003c`, ">", `\u003e`).Replace(m.body) }, diagnose.MistakeBodyReserialised, "compact"},
		{"HTML unescaped", `{"u":"\u003ca\u003e"}`, func(m *message) { m.body = `{"u":"<a>"}` }, diagnose.MistakeBodyReserialised, "<, > and &"},
		{"sorted envelope", `{"type":"a.b","timestamp":"t","data":{"a":1}}`, func(m *message) { m.body = `{"data":{"a":1},"timestamp":"t","type":"a.b"}` }, diagnose.MistakeBodyReserialised, "envelope"},
		{"order lost from sorted", `{"a":1,"b":{"c":2,"d":3}}`, func(m *message) { m.body = `{"b":{"d":3,"c":2},"a":1}` }, diagnose.MistakeBodyReserialised, "sorted"},
		{"numbers shortened", `{"a":1.0,"b":2.0}`, func(m *message) { m.body = `{"a":1,"b":2}` }, diagnose.MistakeBodyReserialised, "1.0"},
		{"numbers lengthened", `{"a":1,"b":2.5}`, func(m *message) { m.body = `{"a":1.0,"b":2.5}` }, diagnose.MistakeBodyReserialised, "shortest"},
		{"gzip", "", func(m *message) { m.body = zipped(m.body) }, diagnose.MistakeBodyCompressed, "gzip"},
		{"base64", "", func(m *message) { m.body = base64.StdEncoding.EncodeToString([]byte(m.body)) }, diagnose.MistakeBodyWrapped, "base64"},
		{"JSON string", "", func(m *message) { m.body = strconv.Quote(m.body) }, diagnose.MistakeBodyWrapped, "JSON string"},
		{"extended", "", func(m *message) { m.body += " <!-- proxied -->" }, diagnose.MistakeBodyExtended, "Only the first 158 bytes"},
		{"truncated", "", func(m *message) {
			m.header.Set("Content-Length", strconv.Itoa(len(m.body)))
			m.body = m.body[:100]
		}, diagnose.MistakeBodyTruncated, "last 58 bytes"},
		{"beyond Content-Length", "", func(m *message) {
			m.header.Set("Content-Length", strconv.Itoa(len(m.body)))
			m.body += strings.Repeat("x", 5000)
		}, diagnose.MistakeBodyExtended, "Content-Length is 158"},
		{"empty", "", func(m *message) { m.body = "" }, diagnose.MistakeBodyEmpty, "empty"},
		{"an object printed", "", func(m *message) { m.body = "[object Object]" }, diagnose.MistakeBodyChanged, "prints for an object"},
		{"changed", "", func(m *message) { m.body = strings.Replace(m.body, "message", "massage", 1) }, diagnose.MistakeUnknown, "none of the usual mistakes"},

		{"other secret", "", func(m *message) { m.keys = []string{otherKey} }, diagnose.MistakeUnknown, "not made with a configured secret"},
		{"secret as text", "", func(m *message) { m.resign(secret, m.content()) }, diagnose.MistakeSecretForm, "bytes of the text"},
		{"secret as text without prefix", "", func(m *message) { m.resign(strings.TrimPrefix(secret, "whsec_"), m.content()) }, diagnose.MistakeSecretForm, "did not decode the base64"},
		{"secret with newline", "", func(m *message) { m.keys = []string{secret + "\n"} }, diagnose.MistakeSecretSpace, "white space or quotes"},
		{"secret in quotes", "", func(m *message) { m.keys = []string{`"` + secret + `"`} }, diagnose.MistakeSecretSpace, "white space or quotes"},
		{"secret in base64", "", func(m *message) { m.keys = []string{base64.StdEncoding.EncodeToString([]byte(secret + "\n"))} }, diagnose.MistakeSecretForm, "Kubernetes"},
		{"secret in hex", "", func(m *message) { m.keys = []string{hex.EncodeToString([]byte(rawKey))} }, diagnose.MistakeSecretForm, "hex"},
		{"secret without prefix", "", func(m *message) { m.keys = []string{rawKey} }, diagnose.MistakeSecretForm, "bytes of the text"},
		{"secret without whsec_", "", func(m *message) { m.keys = []string{strings.TrimPrefix(secret, "whsec_")} }, diagnose.MistakeSecretForm, "without the whsec_"},
		{"secret that is too short", "", func(m *message) {
			m.resign("0123456789", m.content())
			m.keys = []string{"whsec_" + base64.StdEncoding.EncodeToString([]byte("0123456789"))}
		}, diagnose.MistakeSecretUnusable, "cannot be used"},
		{"a public key", "", func(m *message) { m.keys = []string{"-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----"} }, diagnose.MistakeSecretKind, "is a public key"},
		{"an API key", "", func(m *message) { m.keys = []string{"sk_test_4eC39HqLyjWDarjtT1zdp7dc"} }, diagnose.MistakeSecretKind, "test mode"},
		{"no secret", "", func(m *message) { m.keys = nil }, diagnose.MistakeSecretUnusable, "no secret"},

		{"signature in hex", "", func(m *message) { m.header.Set("webhook-signature", "v1,"+hex.EncodeToString(m.sum())) }, diagnose.MistakeSignatureForm, "in hex"},
		{"signature in upper-case hex", "", func(m *message) {
			m.header.Set("webhook-signature", "v1,"+strings.ToUpper(hex.EncodeToString(m.sum())))
		}, diagnose.MistakeSignatureForm, "upper-case hex"},
		{"signature in base64url", "", func(m *message) {
			for i := 0; !strings.ContainsAny(m.signature(), "+/"); i++ {
				m.body = fmt.Sprintf(`{"i":%d}`, i)
				m.resign(rawKey, m.content())
			}
			m.header.Set("webhook-signature", "v1,"+base64.URLEncoding.EncodeToString(m.sum()))
		}, diagnose.MistakeSignatureForm, "base64url"},
		{"signature without padding", "", func(m *message) {
			m.header.Set("webhook-signature", "v1,"+base64.RawStdEncoding.EncodeToString(m.sum()))
		}, diagnose.MistakeSignatureForm, "not written exactly"},
		{"wrong version", "", func(m *message) { m.header.Set("webhook-signature", "v2,"+m.signature()) }, diagnose.MistakeSignatureForm, "prefix"},
		{"no version", "", func(m *message) { m.header.Set("webhook-signature", m.signature()) }, diagnose.MistakeSignatureForm, "prefix"},
		{"v1=", "", func(m *message) { m.header.Set("webhook-signature", "v1="+m.signature()) }, diagnose.MistakeSignatureForm, "prefix"},
		{"joined by commas", "", func(m *message) {
			m.header.Set("webhook-signature", "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=,v1,"+m.signature())
		}, diagnose.MistakeSignatureForm, "separates"},
		{"truncated signature", "", func(m *message) { m.header.Set("webhook-signature", "v1,"+m.signature()[:32]) }, diagnose.MistakeSignatureTruncated, "its end is missing"},
		{"in another header", "", func(m *message) {
			m.header.Set("X-Signature", m.header.Get("webhook-signature"))
			m.header.Del("webhook-signature")
		}, diagnose.MistakeSignatureElsewhere, "X-Signature"},
		{"no signature", "", func(m *message) { m.header.Del("webhook-signature") }, diagnose.MistakeSignatureMissing, "no signature"},
		{"another scheme", "", func(m *message) {
			m.header.Del("webhook-signature")
			m.header.Set("Stripe-Signature", "t=1,v1=00")
		}, diagnose.MistakeSignatureMissing, "Stripe-Signature"},
		{"header twice", "", func(m *message) { m.header.Add("webhook-signature", "v1,AAAA") }, diagnose.MistakeSignatureRepeated, "2 times"},
		{"Svix", "", func(m *message) {
			for _, name := range []string{"Id", "Timestamp", "Signature"} {
				m.header.Set("Svix-"+name, m.header.Get("Webhook-"+name))
				m.header.Del("Webhook-" + name)
			}
		}, diagnose.MistakeSignatureElsewhere, "Svix"},
		{"SHA-1", "", func(m *message) {
			m.header.Set("webhook-signature", "v1,"+base64.StdEncoding.EncodeToString(sign(sha1.New, rawKey, m.content())))
		}, diagnose.MistakeAlgorithm, "hmac-sha1"},
		{"SHA-512", "", func(m *message) {
			m.header.Set("webhook-signature", "v1,"+base64.StdEncoding.EncodeToString(sign(sha512.New, rawKey, m.content())))
		}, diagnose.MistakeAlgorithm, "hmac-sha512"},
		{"plain hash", "", func(m *message) {
			sum := sha256.Sum256([]byte(rawKey + m.content()))
			m.header.Set("webhook-signature", "v1,"+base64.StdEncoding.EncodeToString(sum[:]))
		}, diagnose.MistakeAlgorithm, "plain hash"},
		{"body alone signed", "", func(m *message) { m.resign(rawKey, m.body) }, diagnose.MistakeContent, "the body alone"},
		{"no dots", "", func(m *message) { m.resign(rawKey, strings.Replace(m.content(), ".", "", 2)) }, diagnose.MistakeContent, "nothing between"},
		{"object signed", "", func(m *message) {
			m.resign(rawKey, strings.TrimSuffix(m.content(), m.body)+"[object Object]")
		}, diagnose.MistakeContent, "[object Object]"},

		{"no timestamp", "", func(m *message) { m.header.Del("webhook-timestamp") }, diagnose.MistakeTimestampMissing, "webhook-timestamp"},
		{"milliseconds sent", "", func(m *message) { m.header.Set("webhook-timestamp", "1709634600000") }, diagnose.MistakeTimestampForm, "signed as Unix seconds, and sent as Unix milliseconds"},
		{"milliseconds signed", "", func(m *message) { m.resign(rawKey, eventID+".1709634600000."+m.body) }, diagnose.MistakeTimestampForm, "signed as Unix milliseconds"},
		{"milliseconds both", "", func(m *message) {
			m.header.Set("webhook-timestamp", "1709634600000")
			m.resign(rawKey, m.content())
		}, diagnose.MistakeTimestampForm, "is Unix milliseconds, and Unix seconds are expected"},
		{"other time signed", "", func(m *message) { m.header.Set("webhook-timestamp", "1709634607") }, diagnose.MistakeTimestampDifferent, "7s before"},
		{"zone signed", "", func(m *message) { m.resign(rawKey, eventID+"."+strconv.FormatInt(signedAt.Unix()+3600, 10)+"."+m.body) }, diagnose.MistakeTimestampDifferent, "time zone"},
		{"too old", "", func(m *message) { m.now = signedAt.Add(50 * time.Hour) }, diagnose.MistakeTooOld, "2 days ago"},
		{"one hour old", "", func(m *message) { m.now = signedAt.Add(time.Hour + 3*time.Second) }, diagnose.MistakeTooOld, "just one hour"},
		{"too new", "", func(m *message) { m.now = signedAt.Add(-10 * time.Minute) }, diagnose.MistakeTooNew, "10m0s ahead"},
		{"a zone ahead", "", func(m *message) { m.now = signedAt.Add(-330 * time.Minute) }, diagnose.MistakeTooNew, "just 5.5 hours"},

		{"no ID", "", func(m *message) { m.header.Del("webhook-id") }, diagnose.MistakeIDMissing, "webhook-id"},
		{"ID in another header", "", func(m *message) {
			m.header.Set("Idempotency-Key", eventID)
			m.header.Set("webhook-id", "evt_1")
		}, diagnose.MistakeIDDifferent, "Idempotency-Key"},
		{"ID with a dot", "", func(m *message) { m.header.Set("webhook-id", "a.b") }, diagnose.MistakeIDDifferent, "dot"},
		{"key and newline", "", func(m *message) {
			m.resign(secret, m.content())
			m.body += "\n"
		}, diagnose.MistakeSecretForm, "And the line break at the end"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.body == "" {
				tt.body = plainBody
			}
			m := newMessage(tt.body)
			if e := m.explain(); !e.Verified || e.Mistake != "" || e.Cause != "" || e.Remedy != "" {
				t.Fatalf("the request was not authentic to begin with: %+v", e)
			}
			tt.spoil(m)
			e := m.explain()
			if e.Verified || e.Mistake != tt.mistake {
				t.Errorf("verified %v, mistake %q (%s), want %q", e.Verified, e.Mistake, e.Cause, tt.mistake)
			}
			found := false
			for part := range strings.SplitSeq(tt.cause, "|") {
				found = found || strings.Contains(e.Cause, part)
			}
			if !found {
				t.Errorf("cause: %s\nwant in it: %s", e.Cause, tt.cause)
			}
			checkExplanation(t, m.keys, e)
		})
	}
}

// checkExplanation checks what must be true of every explanation.
func checkExplanation(t *testing.T, keys []string, e diagnose.Explanation) {
	t.Helper()
	text := fmt.Sprintf("%+v", e)
	for _, k := range append(keys, secret, rawKey) {
		if len(k) > 8 && strings.Contains(text, strings.TrimPrefix(strings.TrimSpace(k), "whsec_")) {
			t.Errorf("the explanation tells a secret: %s", text)
		}
	}
	if e.Verified {
		return
	}
	for _, s := range []string{e.Cause, e.Remedy} {
		if !strings.HasSuffix(s, ".") || s[0] < 'A' || s[0] > 'Z' {
			t.Errorf("not a sentence: %q", s)
		}
	}
	failed := false
	for _, c := range e.Checks {
		failed = failed || !c.OK
		if c.Text == "" || c.Name == "" {
			t.Errorf("an empty check: %+v", c)
		}
	}
	if !failed {
		t.Errorf("no check failed: %+v", e.Checks)
	}
}

// TestStandardPublicKeys guards that Ed25519 signatures are explained as well.
func TestStandardPublicKeys(t *testing.T) {
	key, err := webhook.GenerateSigningKey(bytes.NewReader(bytes.Repeat([]byte{7}, 64)))
	if err != nil {
		t.Fatal(err)
	}
	other, err := webhook.GenerateSigningKey(bytes.NewReader(bytes.Repeat([]byte{8}, 64)))
	if err != nil {
		t.Fatal(err)
	}
	signed := func(body string) *message {
		m := newMessage(body)
		m.keys = []string{otherKey, key.VerifyingKey().String()}
		webhook.SetHeaders(m.header, []webhook.Signer{key}, eventID, signedAt, []byte(body))
		return m
	}
	tests := []struct {
		name    string
		spoil   func(m *message)
		mistake diagnose.Mistake
	}{
		{"right", func(*message) {}, ""},
		{"newline", func(m *message) { m.body += "\n" }, diagnose.MistakeBodyNewline},
		{"indented", func(m *message) { m.body = indented(m.body, "  ") }, diagnose.MistakeBodyReserialised},
		{"seconds off", func(m *message) { m.header.Set("webhook-timestamp", "1709634601") }, diagnose.MistakeTimestampDifferent},
		{"wrong version", func(m *message) {
			m.header.Set("webhook-signature", strings.Replace(m.header.Get("webhook-signature"), "v1a,", "v1,", 1))
			m.keys = m.keys[1:]
		}, diagnose.MistakeSignatureForm},
		{"the private key", func(m *message) { m.keys = []string{key.Reveal()} }, diagnose.MistakeSecretKind},
		{"a secret alone", func(m *message) { m.keys = m.keys[:1] }, diagnose.MistakeSecretKind},
		{"another key", func(m *message) { m.keys = []string{other.VerifyingKey().String()} }, diagnose.MistakeUnknown},
		{"a key that was cut off", func(m *message) { m.keys = []string{"whpk_" + base64.StdEncoding.EncodeToString(make([]byte, 31))} }, diagnose.MistakeSecretUnusable},
		{"nobody's key", func(m *message) { m.keys = []string{"whpk_" + base64.StdEncoding.EncodeToString(make([]byte, 32))} }, diagnose.MistakeSecretUnusable},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := signed(plainBody)
			tt.spoil(m)
			e := m.explain()
			if e.Verified != (tt.mistake == "") || e.Mistake != tt.mistake {
				t.Errorf("verified %v, mistake %q, want %q: %s", e.Verified, e.Mistake, tt.mistake, e.Cause)
			}
			checkExplanation(t, []string{key.Reveal()}, e)
		})
	}
}

// TestStandardNamesKey guards that it is told which key has signed, also when
// another one cannot be read.
func TestStandardNamesKey(t *testing.T) {
	m := newMessage(plainBody)
	m.keys = []string{"nonsense", otherKey, secret}
	e := m.explain()
	told := false
	for _, c := range e.Checks {
		told = told || strings.Contains(c.Text, "key 3 of 3")
	}
	if !e.Verified || !told {
		t.Errorf("verified %v: %+v", e.Verified, e.Checks)
	}
}

// TestStandardIsNoOracle guards that nobody finds a signature piece by piece: a
// right beginning that could be found by trying is not told from a wrong one.
func TestStandardIsNoOracle(t *testing.T) {
	for length := 2; length < 22; length += 2 {
		m := newMessage(plainBody)
		m.header.Set("webhook-signature", "v1,"+m.signature()[:length])
		right := m.explain()
		m.header.Set("webhook-signature", "v1,"+strings.Repeat("A", length))
		if diff := cmp.Diff(m.explain(), right); diff != "" {
			t.Errorf("the first %d characters are told (-wrong +right):\n%s", length, diff)
		}
	}
}

// TestStandardBoundsBody guards that a body that is too large is not searched.
func TestStandardBoundsBody(t *testing.T) {
	m := newMessage(strings.Repeat("x", diagnose.MaxBody+1))
	if e := m.explain(); !e.Verified {
		t.Errorf("a large authentic body: %+v", e)
	}
	m.body += "\n"
	if e := m.explain(); e.Mistake != diagnose.MistakeUnknown || !strings.Contains(e.Cause, "too large") {
		t.Errorf("a large wrong body: %+v", e)
	}
}

// TestStandardNamesDifference guards that the place where the body differs is
// told by its bytes.
func TestStandardNamesDifference(t *testing.T) {
	tests := []struct {
		name, signed, received string
		want                   diagnose.Difference
	}{
		{"newline", `{"a":1}`, "{\"a\":1}\n", diagnose.Difference{Start: 7, End: 8}},
		{"missing newline", "{\"a\":1}\n", `{"a":1}`, diagnose.Difference{Start: 7, End: 7}},
		{"a space", `{"a":1,"b":2}`, `{"a":1, "b":2}`, diagnose.Difference{Start: 7, End: 8}},
		{"extended", `{"a":1}`, `{"a":1} too much`, diagnose.Difference{Start: 7, End: 16}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := newMessage(tt.signed)
			m.body = tt.received
			e := m.explain()
			if e.Difference == nil {
				t.Fatalf("no difference: %+v", e)
			}
			if diff := cmp.Diff(tt.want, *e.Difference); diff != "" {
				t.Errorf("difference (-want +got):\n%s", diff)
			}
		})
	}
}

// TestStandardBodySignature guards what is told of the signature in the body.
func TestStandardBodySignature(t *testing.T) {
	key, err := webhook.ParseSecret(secret)
	if err != nil {
		t.Fatal(err)
	}
	body := string(webhook.SignBody([]byte(`{"event":"a.b","timestamp":"2024-03-05T10:30:00Z","data":{"a":1}}`), key))
	check := func(e diagnose.Explanation) (diagnose.Check, bool) {
		for _, c := range e.Checks {
			if c.Name == "body_signature" {
				return c, true
			}
		}
		return diagnose.Check{}, false
	}
	m := newMessage(body)
	if c, ok := check(m.explain()); !ok || !c.OK {
		t.Errorf("an authentic body: %+v", c)
	}
	m.header.Set("webhook-id", "evt_changed")
	e := m.explain()
	if c, ok := check(e); !ok || !c.OK || e.Verified || e.Mistake != diagnose.MistakeIDDifferent {
		t.Errorf("a changed ID: %+v", e)
	}
	m = newMessage(body)
	m.body = indented(body, "  ")
	e = m.explain()
	if c, ok := check(e); !ok || c.OK || e.Mistake != diagnose.MistakeBodyReserialised {
		t.Errorf("an indented body: %+v", e)
	}
}
