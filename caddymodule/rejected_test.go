package caddymodule

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

func init() { caddy.RegisterModule(new(arrival)) }

// arrival is an HTTP handler that tells of each request and passes it on.
type arrival struct{}

// onArrival is called for each request.
var onArrival = func() {}

func (*arrival) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.webhooks_test_arrival", New: func() caddy.Module { return new(arrival) }}
}

func (*arrival) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	onArrival()
	return next.ServeHTTP(w, r)
}

// TestRequestsThroughARejectedConfiguration: the HTTP server of a configuration
// that is then rejected may take requests meanwhile, on the same addresses as
// the one in force. They were answered 503. They must be served as the one in
// force would, whatever store and file the rejected one names.
func TestRequestsThroughARejectedConfiguration(t *testing.T) {
	dir := t.TempDir()
	with := func(address, name string, apps map[string]any) []byte {
		all := map[string]any{
			"webhooks": map[string]any{"store": map[string]any{"module": "sqlite", "path": filepath.Join(dir, name+".db")}},
			"http": map[string]any{"servers": map[string]any{"test": map[string]any{
				"listen": []string{address}, "automatic_https": map[string]any{"disable": true},
				"routes": []any{
					map[string]any{"handle": []any{map[string]any{"handler": "webhooks_test_arrival"}}},
					map[string]any{"match": []any{map[string]any{"path": []string{"/events"}}}, "handle": []any{map[string]any{"handler": "webhook_publish"}}},
					map[string]any{"match": []any{map[string]any{"path": []string{"/hooks"}}}, "handle": []any{json.RawMessage(receiverOn("hooks", filepath.Join(dir, name+".seen")))}},
				},
			}}},
		}
		for name, app := range apps {
			all[name] = app
		}
		return configuration(t, "", "", all)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	post := func(url, body string) (status int, duplicate bool, err error) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
		if err != nil {
			return 0, false, err
		}
		mac := hmac.New(sha256.New, []byte("a-secret"))
		mac.Write([]byte(body))
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("X-GitHub-Delivery", "delivery")
		req.Header.Set("X-GitHub-Event", "push")
		req.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
		resp, err := client.Do(req)
		if err != nil {
			return 0, false, err
		}
		resp.Body.Close()
		return resp.StatusCode, resp.Header.Get("Webhook-Duplicate") == "true", nil
	}
	address := func() string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		return l.Addr().String()
	}

	good, rejected := address(), address()
	load(t, with(good, "good", nil))
	const event, hook = `{"id":"evt_1","event":"message.created","data":{}}`, `{"n":1}`
	if status, _, err := post("http://"+good+"/events", event); status != http.StatusAccepted {
		t.Fatalf("publishing was answered %d, %v", status, err)
	}
	if status, duplicate, err := post("http://"+good+"/hooks", hook); status != http.StatusOK || duplicate {
		t.Fatalf("the webhook was answered %d, duplicate %t, %v", status, duplicate, err)
	}
	arrivals := make(chan struct{})
	onArrival = func() { arrivals <- struct{}{} }
	defer func() { onArrival = func() {} }()

	served := 0
	for range 60 { // the order in which apps start is random
		answers := make(chan func(), 2)
		onTrouble = func() {
			l, err := net.Listen("tcp", rejected)
			if err == nil { // the HTTP server has not started
				l.Close()
				return
			}
			served++
			go func() {
				status, _, err := post("http://"+rejected+"/events", event)
				answers <- func() {
					if status != http.StatusOK { // the same event again
						t.Errorf("publishing through a rejected configuration was answered %d, %v", status, err)
					}
				}
			}()
			go func() {
				status, duplicate, err := post("http://"+rejected+"/hooks", hook)
				answers <- func() {
					if status != http.StatusOK || !duplicate {
						t.Errorf("a copy of a webhook through a rejected configuration was answered %d, duplicate %t, %v", status, duplicate, err)
					}
				}
			}()
			<-arrivals
			<-arrivals
		}
		before := served
		if err := caddy.Load(with(rejected, "rejected", map[string]any{"webhooks_test_troublemaker": map[string]any{}}), true); err == nil {
			t.Fatal("a configuration that cannot start was accepted")
		}
		if served > before {
			(<-answers)()
			(<-answers)()
		}
		if served == 6 {
			break
		}
	}
	onTrouble = func() {}
	if served < 6 {
		t.Errorf("only %d rejected configurations took requests", served)
	}
}
