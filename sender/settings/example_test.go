package settings_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/sender/settings"
	"github.com/manysends/caddy-webhooks/sender/sqlitestore"
)

func ExampleHandler() {
	dir, err := os.MkdirTemp("", "webhooks")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	store, err := sqlitestore.Open(filepath.Join(dir, "webhooks.db"), sqlitestore.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	s, err := sender.New(sender.Config{}, store, sender.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer s.Close()
	if err := s.Start(context.Background()); err != nil {
		log.Fatal(err)
	}

	mux := http.NewServeMux()
	mux.Handle("/settings/webhooks/", &settings.Handler{
		Prefix: "/settings/webhooks",
		Sender: func(context.Context) (*sender.Sender, error) { return s, nil },
		Tenant: func(r *http.Request) (string, bool) {
			user, _, ok := r.BasicAuth() // check the password, too
			return user, ok
		},
	})
	site := httptest.NewServer(mux)
	defer site.Close()

	ask := func(method, path, body, user string) {
		r, err := http.NewRequest(method, site.URL+path, strings.NewReader(body))
		if err != nil {
			log.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		if user != "" {
			r.SetBasicAuth(user, "")
		}
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			log.Fatal(err)
		}
		defer response.Body.Close()
		answer, err := io.ReadAll(response.Body)
		if err != nil {
			log.Fatal(err)
		}
		if response.StatusCode != http.StatusCreated { // whose answer differs each time
			fmt.Print(response.StatusCode, " ", string(answer))
			return
		}
		fmt.Println(response.StatusCode)
	}
	const endpoints = "/settings/webhooks/api/endpoints"
	ask("POST", endpoints, `{"url": "https://crm.example.com/hooks", "events": ["conversation.*"]}`, "acme")
	ask("POST", endpoints, `{"url": "https://crm.example.com/hooks", "timeout": "soon"}`, "acme")
	ask("GET", endpoints, "", "globex")
	ask("GET", endpoints, "", "")
	// Output:
	// 201
	// 422 {"type":"about:blank","title":"Unprocessable Entity","status":422,"detail":"timeout: duration \"soon\" is not understood: write a number and a unit, such as 500ms, 30s, 5m, 2h or 30d","field":"timeout"}
	// 200 {"endpoints":[]}
	// 403 {"type":"about:blank","title":"Forbidden","status":403,"detail":"nobody's webhook settings are yours: sign in first"}
}
