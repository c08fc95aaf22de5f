package receiver_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/manysends/caddy-webhooks/receiver"
	"github.com/manysends/caddy-webhooks/webhook"
)

// A handler behind the middleware sees each authentic event once, with its
// exact body.
func ExampleReceiver_Middleware() {
	const secret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	state := receiver.NewState(receiver.StateOptions{})
	defer state.Close()
	rc, err := receiver.New(receiver.Config{
		Provider: "standard",
		Secrets:  []string{secret},
	}, receiver.Options{State: state})
	if err != nil {
		fmt.Println(err)
		return
	}
	hooks := rc.Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Printf("the application got %s\n", body)
		w.WriteHeader(http.StatusNoContent)
	}))

	// What a sender does, twice, and then somebody without the secret.
	send := func(signer webhook.Signer) {
		const body = `{"type":"order.paid","data":{"order":7}}`
		r := httptest.NewRequest(http.MethodPost, "/hooks", strings.NewReader(body))
		webhook.SetHeaders(r.Header, []webhook.Signer{signer}, "evt_1", time.Now(), []byte(body))
		w := httptest.NewRecorder()
		hooks.ServeHTTP(w, r)
		fmt.Println(w.Code, "duplicate:", w.Header().Get(receiver.HeaderDuplicate) == "true")
	}
	sender, err := webhook.ParseSecret(secret)
	if err != nil {
		fmt.Println(err)
		return
	}
	stranger, err := webhook.NewSecret(make([]byte, 32))
	if err != nil {
		fmt.Println(err)
		return
	}
	send(sender)
	send(sender)
	send(stranger)

	// Output:
	// the application got {"type":"order.paid","data":{"order":7}}
	// 204 duplicate: false
	// 200 duplicate: true
	// 401 duplicate: false
}
