package receiver

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

// verifyNow is the time at which requests of these tests arrive.
var verifyNow = time.Unix(1_800_000_000, 0)

// inboundTo is a request with pairs of header names and values.
func inboundTo(address, body string, headers ...string) *inbound {
	r := httptest.NewRequest(http.MethodPost, address, bytes.NewReader([]byte(body)))
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return &inbound{request: r, body: []byte(body), now: verifyNow, tolerance: 5 * time.Minute}
}

// mustScheme makes the scheme of a provider.
func mustScheme(t testing.TB, name string, o schemeOptions) scheme {
	t.Helper()
	row := findProvider(name)
	if row == nil {
		t.Fatalf("there is no provider %s", name)
	}
	s, err := row.newScheme(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// checkVerdict compares the outcome of a check with the error that it should
// wrap, nil for none.
func checkVerdict(t *testing.T, s scheme, in *inbound, want error) proof {
	t.Helper()
	got, err := s.verify(context.Background(), in)
	if want == nil && err != nil || want != nil && !errors.Is(err, want) {
		t.Fatalf("verify: %v, want %v", err, want)
	}
	if want == nil {
		return got
	}
	// Whatever is wrong has one reason, so that the answer is not a guess.
	reasons := 0
	for _, reason := range []error{ErrKeysUnavailable, webhook.ErrSignatureMissing, webhook.ErrSignatureMismatch,
		webhook.ErrTimestampMalformed, webhook.ErrTimestampTooNew, webhook.ErrTimestampTooOld} {
		if errors.Is(err, reason) {
			reasons++
		}
	}
	if reasons != 1 {
		t.Fatalf("verify: %v has %d reasons", err, reasons)
	}
	return got
}

// keyHost is a TLS server that stands for all hosts that publish keys.
type keyHost struct {
	client *http.Client

	// other is what it answers where no page is, if it is not empty.
	other string

	mu     sync.Mutex
	pages  map[string]string // by host and path
	status map[string]int
	asked  map[string]int
}

func newKeyHost(t testing.TB) *keyHost {
	t.Helper()
	h := &keyHost{pages: map[string]string{}, status: map[string]int{}, asked: map[string]int{}}
	server := httptest.NewTLSServer(h)
	t.Cleanup(server.Close)
	transport := server.Client().Transport.(*http.Transport).Clone()
	transport.TLSClientConfig.ServerName = "example.com" // the name of httptest's certificate
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, server.Listener.Addr().String())
	}
	t.Cleanup(transport.CloseIdleConnections)
	h.client = &http.Client{Transport: transport}
	return h
}

func (h *keyHost) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	name := r.Host + r.URL.Path
	h.asked[name]++
	if status := h.status[name]; status != 0 {
		w.Header().Set("Location", "https://elsewhere.example.com/")
		w.WriteHeader(status)
		return
	}
	page, ok := h.pages[name]
	if !ok && h.other != "" {
		page, ok = h.other, true
	}
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	_, _ = w.Write([]byte(page))
}

func (h *keyHost) publish(name, page string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pages[name] = page
}

func (h *keyHost) answer(name string, status int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.status[name] = status
}

func (h *keyHost) times(name string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.asked[name]
}

// rsaKeys are made once, because that takes long.
var rsaKeys = sync.OnceValue(func() [2]*rsa.PrivateKey {
	var keys [2]*rsa.PrivateKey
	for i := range keys {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		keys[i] = key
	}
	return keys
})

// certificate is one for a name, signed by a parent or by itself.
func certificate(t testing.TB, name string, key *rsa.PrivateKey, parent *x509.Certificate, by *rsa.PrivateKey, from, to time.Time) (*x509.Certificate, string) {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: from, NotAfter: to,
		KeyUsage: x509.KeyUsageDigitalSignature,
	}
	if parent == nil {
		parent, by = template, key
		template.IsCA, template.BasicConstraintsValid, template.KeyUsage = true, true, x509.KeyUsageCertSign|x509.KeyUsageDigitalSignature
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, by)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// testSchemes are schemes of all special providers, with a client that reaches
// nothing.
func testSchemes(t testing.TB) map[string]scheme {
	t.Helper()
	unreachable := &http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) {
		return nil, errors.New("there is no network")
	})}
	schemes := map[string]scheme{}
	for _, p := range specialProviders {
		o := schemeOptions{client: unreachable, parameters: map[string]string{}}
		if !p.Keyless {
			o.secrets = []string{strings.Repeat("abcdef", 8)}
		}
		for _, parameter := range p.Parameters {
			if !parameter.Required {
				continue
			}
			o.parameters[parameter.Name] = "value"
			switch parameter.Name {
			case "topics":
				o.parameters[parameter.Name] = "*"
			case "jwks_url":
				o.parameters[parameter.Name] = "https://issuer.example.com/keys"
			}
		}
		s, err := p.newScheme(o)
		if err != nil {
			t.Fatalf("%s: %v", p.Name, err)
		}
		schemes[p.Name] = s
	}
	return schemes
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestSpecialProvidersFailClosed guards that no provider lets an empty request
// through, and that each says what it misses.
func TestSpecialProvidersFailClosed(t *testing.T) {
	for name, s := range testSchemes(t) {
		for _, body := range []string{"", "{}", `{"a":1}`, "null", "[]"} {
			_, err := s.verify(context.Background(), inboundTo("https://hooks.example.com/in", body))
			if !errors.Is(err, webhook.ErrSignatureMissing) && !errors.Is(err, webhook.ErrSignatureMismatch) {
				t.Errorf("%s with body %q: %v", name, body, err)
			}
		}
	}
}

// TestSpecialProviderRows guards that the rows are complete: what they need is
// refused when it is missing, and they are in order.
func TestSpecialProviderRows(t *testing.T) {
	schemes := testSchemes(t)
	before := ""
	for _, p := range specialProviders {
		if p.Name <= before {
			t.Errorf("%s comes after %s", p.Name, before)
		}
		before = p.Name
		if p.Title == "" || p.Description == "" || p.Source == "" || len(p.claims) == 0 || schemes[p.Name] == nil {
			t.Errorf("%s lacks something: %+v", p.Name, p.Provider)
		}
		for _, parameter := range p.Parameters {
			if !parameter.Required {
				continue
			}
			if _, err := p.newScheme(schemeOptions{secrets: []string{"abcdef"}}); err == nil {
				t.Errorf("%s does not need %s", p.Name, parameter.Name)
			}
		}
	}
}

// response is what a transport answers with.
func response(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body))}
}

func hexOf(b []byte) string { return fmt.Sprintf("%x", b) }
