package webhook_test

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

// A plain net/http handler that takes webhooks from anyone who follows
// Standard Webhooks.
func ExampleVerify() {
	secret, err := webhook.ParseSecret("whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
	if err != nil {
		log.Fatal(err)
	}
	keys := []webhook.Verifier{secret}
	clock := func() time.Time { return time.Unix(1709634600, 0) } // time.Now outside an example

	handler := func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil {
			http.Error(w, "too large", http.StatusRequestEntityTooLarge)
			return
		}
		event, err := webhook.Verify(keys, r.Header, body, clock(), 5*time.Minute)
		if err != nil {
			log.Print(err) // why is for the log; the caller learns nothing
			http.Error(w, "not authentic", http.StatusUnauthorized)
			return
		}
		fmt.Fprintf(w, "took %s", event.ID)
	}

	send := func(body string) {
		r := httptest.NewRequest(http.MethodPost, "/hooks", strings.NewReader(body))
		r.Header.Set("webhook-id", "evt_0192f0c1a2b37c4d8e5f60718293a4b5")
		r.Header.Set("webhook-timestamp", "1709634600")
		r.Header.Set("webhook-signature", "v1,lzeWAiyRfH2KxX8DXuSUfMd0jhG7k2flAAwnTUfduFM=")
		w := httptest.NewRecorder()
		handler(w, r)
		fmt.Println(w.Code, strings.TrimSpace(w.Body.String()))
	}
	body := `{"event":"conversation.created","timestamp":"2024-03-05T10:30:00Z","data":{"id":"conv_123","status":"open","inbox_id":1,"contact_id":456},"signature":"sha256=a402d95ddc0a0141cbc0b1f3b759444d2da52b6f41d53678c2227af07e6a30ad"}`
	send(body)
	send(strings.Replace(body, "456", "789", 1))
	// Output:
	// 200 took evt_0192f0c1a2b37c4d8e5f60718293a4b5
	// 401 not authentic
}

// Two secrets sign while one replaces the other.
func ExampleSign() {
	newest, err := webhook.ParseSigner("whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
	if err != nil {
		log.Fatal(err)
	}
	previous, err := webhook.ParseSigner("whsec_YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4")
	if err != nil {
		log.Fatal(err)
	}
	signers := []webhook.Signer{newest, previous}
	fmt.Println(webhook.Sign(signers, "evt_1", time.Unix(1709634600, 0), []byte(`{"event":"ping"}`)))
	// Output:
	// v1,J7ygjBq6YxkAPY60lbNV1/bJi1xc7awmRmLd32zWJ90= v1,c12CtNsOsM9JsrBTTD8rZ1HEdXKBMiU2EOg/h4IAseU=
}

func ExampleSignBody() {
	secret, err := webhook.ParseSecret("whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", webhook.SignBody([]byte(`{"event":"ping"}`), secret))
	// Output:
	// {"event":"ping","signature":"sha256=2276b225ed0e7024ff724a5d9a49b42782c015ea8e3af60870b601063733188b"}
}

// The signature inside the body is checked on the bytes as they came, before
// anything parses them.
func ExampleVerifyBody() {
	secret, err := webhook.ParseSecret("whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=")
	if err != nil {
		log.Fatal(err)
	}
	secrets := []*webhook.Secret{secret}
	body := []byte(`{"event":"ping","signature":"sha256=2276b225ed0e7024ff724a5d9a49b42782c015ea8e3af60870b601063733188b"}`)
	index, err := webhook.VerifyBody(secrets, body)
	fmt.Println(index, err)

	body[10] = 'P'
	_, err = webhook.VerifyBody(secrets, body)
	fmt.Println(err)
	// Output:
	// 0 <nil>
	// signature mismatch: the signature member was not made with a configured secret over the rest of the body
}
