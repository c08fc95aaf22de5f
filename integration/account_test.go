package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// basicAuth lets in ann and bob, whose passwords are their names with
// "-password" behind. The hashes are cheap ones (bcrypt, cost 4).
const basicAuth = `basic_auth {
		ann $2a$04$zTB4Yk1g3XAB7SVroQqlq.Uf525W1Cft0HDAtM9Mc3unHTsOKgiry
		bob $2a$04$QDhkr9xS/MQbtS37ybXzguRAmy3Ghh30KKb8f0Uemg0x9PNUEV4Ye
	}`

// account is a user of a site with webhook settings.
type account struct {
	t    *testing.T
	site string // with a path, if the settings are below one
	user string // empty: nobody
}

// answer is what a site answers.
type answer struct {
	status   int
	location string // resolved
	body     string
}

// call makes a request to the API and returns the answer.
func (a account) call(method, path, body string) answer {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(a.t.Context(), 60*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, "http://"+a.site+path, bytes.NewReader([]byte(body)))
	if err != nil {
		a.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	if a.user != "" {
		req.SetBasicAuth(a.user, a.user+"-password")
	}
	resp, err := oneOff.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	got := answer{status: resp.StatusCode, body: string(text)}
	if location, err := resp.Location(); err == nil {
		got.location = location.String()
	}
	return got
}

// want makes a request that must be answered with a status, and reads the
// answer into v unless it is nil.
func (a account) want(status int, method, path, body string, v any) answer {
	a.t.Helper()
	got := a.call(method, path, body)
	if got.status != status {
		a.t.Fatalf("%s %s %s as %q: %d, want %d\n%s", method, path, body, a.user, got.status, status, got.body)
	}
	if v != nil {
		if err := json.Unmarshal([]byte(got.body), v); err != nil {
			a.t.Fatalf("%s %s: %v\n%s", method, path, err, got.body)
		}
	}
	return got
}

// endpoint is an endpoint as the API shows it.
type endpoint struct {
	ID       string
	URL      string
	Tenant   string
	State    string
	ReadOnly bool `json:"read_only"`
	Secret   string
}

// endpoints lists the account's endpoints.
func (a account) endpoints() []endpoint {
	a.t.Helper()
	var list struct{ Endpoints []endpoint }
	a.want(http.StatusOK, "GET", "/api/endpoints", "", &list)
	return list.Endpoints
}

// states are the account's endpoints with their states.
func (a account) states() map[string]string {
	a.t.Helper()
	states := make(map[string]string)
	for _, e := range a.endpoints() {
		states[e.ID] = e.State
	}
	return states
}

// newEndpoint makes an active endpoint.
func (a account) newEndpoint(url string) endpoint {
	a.t.Helper()
	var e endpoint
	a.want(http.StatusCreated, "POST", "/api/endpoints", fmt.Sprintf(`{"url":%q,"active":true}`, url), &e)
	if !strings.HasPrefix(e.Secret, "whsec_") || e.State != "active" {
		a.t.Fatalf("the endpoint that was made is %+v", e)
	}
	return e
}

// publish publishes an event as the account, on the site that the settings are
// on, and returns its ID.
func (a account) publish(event string) string {
	a.t.Helper()
	site, _, _ := strings.Cut(a.site, "/")
	var receipt struct{ ID string }
	account{a.t, site, a.user}.want(http.StatusAccepted, "POST", "/events", event, &receipt)
	return receipt.ID
}
