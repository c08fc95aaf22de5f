package receiver_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/go-chi/chi/v5"

	"github.com/manysends/caddy-webhooks/receiver"
	"github.com/manysends/caddy-webhooks/webhook"
)

// With a router such as chi, each route has a receiver of its own. One State
// serves them all, because their names keep their events apart.
func ExampleReceiver_Middleware_chi() {
	const secret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
	state := receiver.NewState(receiver.StateOptions{})
	defer state.Close()
	guard := func(name string) func(http.Handler) http.Handler {
		rc, err := receiver.New(receiver.Config{
			Name: name, Provider: "standard", Secrets: []string{secret}, Headers: true,
		}, receiver.Options{State: state})
		if err != nil {
			panic(err)
		}
		return rc.Middleware
	}
	router := chi.NewRouter()
	for _, name := range []string{"orders", "invoices"} {
		router.With(guard(name)).Post("/hooks/"+name, func(w http.ResponseWriter, r *http.Request) {
			fmt.Println(name, "got", r.Header.Get("X-Webhook-Type"), r.Header.Get("X-Webhook-Id"))
			w.WriteHeader(http.StatusNoContent)
		})
	}

	signer, err := webhook.ParseSecret(secret)
	if err != nil {
		panic(err)
	}
	for _, path := range []string{"/hooks/orders", "/hooks/orders", "/hooks/invoices"} {
		const body = `{"type":"order.paid","data":{"order":7}}`
		r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
		webhook.SetHeaders(r.Header, []webhook.Signer{signer}, "evt_1", time.Now(), []byte(body))
		w := httptest.NewRecorder()
		router.ServeHTTP(w, r)
		fmt.Println(w.Code)
	}

	// Output:
	// orders got order.paid evt_1
	// 204
	// 200
	// invoices got order.paid evt_1
	// 204
}
