package load

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/manysends/caddy-webhooks/webhook"
)

// TestSecureSitesCountAlike has net/http deliver to both kinds of sites over
// TLS, which speak nothing else than they say.
func TestSecureSitesCountAlike(t *testing.T) {
	s := listen(t, Plan{Run: 5, Events: 4, VerifyEvery: 1, Secret: testSecret})
	key, err := webhook.ParseSecret(testSecret)
	if err != nil {
		t.Fatal(err)
	}
	number := uint32(0)
	for _, http2 := range []bool{false, true} {
		site, err := s.Secure(t.Context(), http2)
		if err != nil {
			t.Fatal(err)
		}
		trusted := x509.NewCertPool()
		if !trusted.AppendCertsFromPEM([]byte(site.CA)) {
			t.Fatal("the certificate is none")
		}
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS13}, ForceAttemptHTTP2: true}
		defer transport.CloseIdleConnections()
		for range 2 {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://"+site.Address+"/e/0", strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			mark := Mark{Run: 5, Number: number, At: Now()}
			webhook.SetHeaders(req.Header, []webhook.Signer{key}, mark.String(), time.Now(), []byte("{}"))
			resp, err := transport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if want := map[bool]int{false: 1, true: 2}[http2]; resp.ProtoMajor != want || resp.StatusCode != http.StatusOK {
				t.Errorf("%s %s, want HTTP/%d", resp.Proto, resp.Status, want)
			}
			number++
		}
	}
	want := &Account{Arrived: 4, Distinct: 4, Verified: 4}
	if diff := cmp.Diff(want, s.tally.Load().account(4, nil), numbersOnly); diff != "" {
		t.Error(diff)
	}
}
