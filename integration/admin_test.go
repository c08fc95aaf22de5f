package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// adminCaddyfile is a site with a publisher, a receiver in front of an
// application, and the settings of all tenants. The options go into webhooks.
func adminCaddyfile(admin, site, application, options string) string {
	return localWebhooks(admin, options) + fmt.Sprintf(`
http://%s {
	handle /events {
		webhook_publish
	}
	handle_path /operator/* {
		webhook_settings {
			operator
		}
	}
	handle /in {
		webhook_receive stripe {
			name hooks
			secret %s
		}
		reverse_proxy %s
	}
}
`, site, stripeSecret, application)
}

// adminClient asks a Caddy through its admin endpoint.
type adminClient struct {
	t      *testing.T
	client *http.Client
	base   string
}

// over is a client of an admin endpoint at an address of a network.
func over(t *testing.T, network, address string) *adminClient {
	host := address
	if network == "unix" {
		host = "127.0.0.1" // as Caddy's own commands have it
	}
	return &adminClient{t, &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}}, "http://" + host}
}

// do makes a request and reads the answer, which must be JSON, into a value.
func (a *adminClient) do(method, path, body string, into any, header ...string) *http.Response {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(a.t.Context(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, a.base+path, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := a.client.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	if into == nil {
		return resp
	}
	if err := json.NewDecoder(resp.Body).Decode(into); err != nil {
		a.t.Fatalf("%s %s: answered %d with what is no JSON: %v", method, path, resp.StatusCode, err)
	}
	return resp
}

// want makes a request that must be answered with a status.
func (a *adminClient) want(status int, method, path, body string, into any) {
	a.t.Helper()
	if resp := a.do(method, path, body, into); resp.StatusCode != status {
		a.t.Fatalf("%s %s: answered %d, want %d: %+v", method, path, resp.StatusCode, status, into)
	}
}

// problem makes a request that must be refused with one sentence.
func (a *adminClient) problem(status int, method, path, sentence string, header ...string) {
	a.t.Helper()
	var p struct{ Detail, Error string }
	resp := a.do(method, path, "", &p, header...)
	if resp.StatusCode != status || !strings.Contains(p.Detail+p.Error, sentence) {
		a.t.Errorf("%s %s: answered %d %q, want %d %q", method, path, resp.StatusCode, p.Detail+p.Error, status, sentence)
	}
	if p.Error == "" && resp.Header.Get("Content-Type") != "application/problem+json" {
		a.t.Errorf("%s %s: the problem comes as %q", method, path, resp.Header.Get("Content-Type"))
	}
}

// adminStatus is what the admin endpoint says of it all.
type adminStatus struct {
	Version string
	Running bool
	Store   *struct {
		Module string
		Size   int64 `json:"size_bytes"`
	}
	Backlog struct {
		Pending int64
		Oldest  *float64 `json:"oldest_seconds"`
	}
	Endpoints map[string]int
	Receivers []struct {
		Name, Provider string
		Seen           int
		InFlight       *int `json:"in_flight"`
	}
}

// TestAdminAPI has an operator manage the endpoints of two tenants through
// Caddy's admin endpoint, over TCP and over a Unix socket, also after reloads,
// accepted and rejected.
func TestAdminAPI(t *testing.T) {
	for _, network := range []string{"tcp", "unix"} {
		t.Run(network, func(t *testing.T) {
			customer := newSink(t, "")
			c := newCaddy(t)
			site := freeAddress(t)
			admin := over(t, network, c.admin)
			if network == "unix" {
				path := filepath.Join(t.TempDir(), "admin.sock")
				c.admin, admin = "unix/"+path, over(t, network, path)
			}
			with := func(options string) string {
				return adminCaddyfile(c.admin, site, customer.URL, options+"\n\t\tendpoint crm "+customer.URL+" {\n\t\t\ttenant acme\n\t\t}")
			}
			c.start(with("timeout 20s"))
			var made endpoint
			admin.want(http.StatusCreated, "POST", "/webhooks/endpoints", fmt.Sprintf(`{"url":%q,"tenant":"globex"}`, customer.URL), &made)
			if made.Tenant != "globex" || !strings.HasPrefix(made.Secret, "whsec_") {
				t.Fatalf("the endpoint that was made is %+v", made)
			}
			operateThroughAdmin(t, admin, site, customer, made.ID)
			for _, tt := range []struct {
				name, caddyfile string
				accepted        bool
			}{
				{"after a reload", with("timeout 21s"), true},
				{"after another app could not start", with("timeout 22s") + cannotStart, false},
				{"after the app was refused", with("retry 0s"), false},
			} {
				if out, err := c.reload(tt.caddyfile); (err == nil) != tt.accepted {
					t.Fatalf("%s: %v\n%s", tt.name, err, out)
				}
				var list struct{ Endpoints []endpoint }
				admin.want(http.StatusOK, "GET", "/webhooks/endpoints", "", &list)
				if len(list.Endpoints) != 2 || list.Endpoints[1].ID != made.ID {
					t.Errorf("%s: the endpoints are %+v", tt.name, list)
				}
				admin.want(http.StatusOK, "POST", "/webhooks/endpoints/"+made.ID+"/test", "", new(any))
				var status adminStatus
				if admin.want(http.StatusOK, "GET", "/webhooks/status", "", &status); !status.Running {
					t.Errorf("%s: the status is %+v", tt.name, status)
				}
			}
			admin.want(http.StatusNoContent, "DELETE", "/webhooks/endpoints/"+made.ID, "", nil)
			if out, err := c.reload("{\n\tadmin " + c.admin + "\n}\n"); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			var status adminStatus
			admin.want(http.StatusOK, "GET", "/webhooks/status", "", &status)
			if status.Running || status.Version == "" || status.Store != nil || len(status.Receivers) != 0 {
				t.Errorf("without webhooks the status is %+v", status)
			}
			admin.problem(http.StatusNotFound, "GET", "/webhooks/endpoints", "the configuration has no webhooks: add the global option webhooks")
		})
	}
}

// operateThroughAdmin does what an operator does.
func operateThroughAdmin(t *testing.T, admin *adminClient, site string, customer *sink, id string) {
	t.Helper()
	admin.want(http.StatusOK, "POST", "/webhooks/endpoints/"+id+"/activate", "", new(any))
	publish(t, site, `{"event":"message.created","tenant":"globex","data":{}}`)
	second := publish(t, site, `{"event":"message.created","tenant":"acme","data":{}}`)
	send(t, "http://"+site+"/in", stripe(stripeSecret, `{"id":"evt_1","type":"charge.succeeded"}`), []byte(`{"id":"evt_1","type":"charge.succeeded"}`))
	type list struct {
		Deliveries []struct{ ID, Tenant, Endpoint string }
		Replays    []struct{ ID, Tenant string }
	}
	var deliveries list
	waitFor(t, "both to be delivered", func() bool {
		deliveries = list{}
		admin.want(http.StatusOK, "GET", "/webhooks/deliveries?status=succeeded", "", &deliveries)
		return len(deliveries.Deliveries) == 2
	})
	var globex list
	admin.want(http.StatusOK, "GET", "/webhooks/deliveries?tenant=globex", "", &globex)
	if len(globex.Deliveries) != 1 || globex.Deliveries[0].Tenant != "globex" || globex.Deliveries[0].Endpoint != id {
		t.Errorf("the deliveries of globex are %+v", globex)
	}
	before := len(customer.deliveries())
	admin.want(http.StatusAccepted, "POST", "/webhooks/deliveries/"+globex.Deliveries[0].ID+"/retry", "", new(any))
	waitFor(t, "the retry", func() bool { return len(customer.deliveries()) > before })
	var event struct{ Tenant string }
	if admin.want(http.StatusOK, "GET", "/webhooks/events/"+second, "", &event); event.Tenant != "acme" {
		t.Errorf("the event is %+v", event)
	}
	var replay struct {
		Tenant string
		Total  int
	}
	admin.want(http.StatusOK, "POST", "/webhooks/replays", `{"statuses":["succeeded"],"tenant":"acme","dry_run":true}`, &replay)
	if replay.Total != 1 || replay.Tenant != "acme" {
		t.Errorf("the dry run is %+v", replay)
	}
	for _, path := range []string{"event-types", "replays", "stats", "endpoints/crm"} {
		admin.want(http.StatusOK, "GET", "/webhooks/"+path, "", new(any))
	}

	var status adminStatus
	admin.want(http.StatusOK, "GET", "/webhooks/status", "", &status)
	if !status.Running || status.Version == "" || status.Store == nil || status.Store.Module != "sqlite" || status.Store.Size == 0 || status.Backlog.Oldest == nil ||
		status.Endpoints["active"] != 2 || len(status.Endpoints) != 5 {
		t.Errorf("the status is %+v", status)
	}
	if r := status.Receivers; len(r) != 1 || r[0].Name != "hooks" || r[0].Provider != "stripe" || r[0].Seen != 1 || r[0].InFlight == nil || *r[0].InFlight != 0 {
		t.Errorf("the receivers are %+v", r)
	}

	for _, tt := range []struct {
		status                 int
		method, path, sentence string
		header                 []string
	}{
		{403, "GET", "/webhooks/endpoints/" + id + "/secret", "secrets are not revealed here", nil},
		{403, "GET", "/webhooks/endpoints/crm/secret", "secrets are not revealed here", nil},
		{404, "GET", "/webhooks/endpoints/nobody", "there is no endpoint of this ID", nil},
		{404, "GET", "/webhooks/", "below /webhooks/ there are deliveries, endpoints, event-types, events, replays, stats, backup, received and status", nil},
		{404, "GET", "/webhooks/openapi.json", "there is nothing at this path", nil},
		{404, "GET", "/webhooks/endpoints/a/b/c", "there is nothing at this path", nil},
		{405, "PUT", "/webhooks/endpoints", "the method is not allowed here: use GET, HEAD, POST", nil},
		{405, "GET", "/webhooks/endpoints/crm/test", "the method is not allowed here: use POST", nil},
		{405, "POST", "/webhooks/backup", "the method POST is not understood here: use GET", nil},
		{405, "POST", "/webhooks/status", "the method POST is not understood here: use GET, HEAD", nil},
		{409, "DELETE", "/webhooks/endpoints/crm", "the endpoint stands in the configuration", nil},
		{422, "GET", "/webhooks/deliveries?status=lost", "status: ", nil},
		{403, "GET", "/webhooks/endpoints", "client is not allowed to access from origin 'https://evil.example'", []string{"Origin", "https://evil.example"}},
		{403, "POST", "/webhooks/endpoints/" + id + "/deactivate", "client is not allowed to access from origin 'https://evil.example'", []string{"Origin", "https://evil.example"}},
	} {
		admin.problem(tt.status, tt.method, tt.path, tt.sentence, tt.header...)
	}
	if resp := admin.do("POST", "/webhooks/endpoints/"+id+"/activate", "", new(any), "Origin", admin.base, "Sec-Fetch-Site", "same-origin"); admin.base != "http://127.0.0.1" && resp.StatusCode != http.StatusOK {
		t.Errorf("a page that Caddy lets in is answered %d", resp.StatusCode)
	}
}
