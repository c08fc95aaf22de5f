package sender_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// newInbox serves an inbox for GitHub in front of an endpoint that gets what
// came, and of one that gets it in another format.
func newInbox(t *testing.T, format webhook.Format) (r *rig, faulty *faultyStore, app, other *peer, url string) {
	t.Helper()
	app, other = newPeer(t, nil), newPeer(t, nil)
	config := toPeers(app, other)
	config.Endpoints[0].Format = webhook.FormatRaw
	config.Endpoints[1].Format = format
	r, faulty = newFaultyRig(t, config)
	inbox := &sender.Inbox{
		Sender:  func(context.Context) (*sender.Sender, error) { return r.Sender, nil },
		Type:    func(r *http.Request) string { return "github." + r.Header.Get("X-GitHub-Event") },
		ID:      func(r *http.Request) string { return r.Header.Get("X-GitHub-Delivery") },
		Headers: []string{"x-github-*", "X-Hub-Signature-256"},
		MaxSize: 1000,
		Tenant:  func(r *http.Request) (string, bool) { return "", r.Header.Get("X-Nobody") == "" },
	}
	if err := inbox.Validate(); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(inbox)
	t.Cleanup(server.Close)
	return r, faulty, app, other, server.URL
}

// idOf is the ID in an answer.
func idOf(t *testing.T, answer string) string {
	t.Helper()
	var receipt struct{ ID string }
	if err := json.Unmarshal([]byte(answer), &receipt); err != nil || receipt.ID == "" {
		t.Fatalf("answered %q: %v", answer, err)
	}
	return receipt.ID
}

// TestInboxPassesOn: the application gets a request as it came, without what is
// not its business, and others get it as data.
func TestInboxPassesOn(t *testing.T) {
	sent := map[string]string{
		"X-GitHub-Event": "pull_request", "X-GitHub-Delivery": "delivery-1", "X-Hub-Signature-256": "sha256=1",
		"Content-Type": "application/json; charset=utf-8", "X-Other": "x", "Cookie": "a=b", "Authorization": "Bearer secret",
		"Webhook-Signature": "v1,forged", "User-Agent": "GitHub-Hookshot/1", "Connection": "X-GitHub-Hop", "X-GitHub-Hop": "1",
	}
	tests := []struct {
		name, body, contentType, encoding string
		format                            webhook.Format
		wantType, other                   string // what the other endpoint gets
	}{
		{"JSON with space", "{ \"a\" : 1.0 }\n", "application/json; charset=utf-8", "", webhook.FormatStandard, "", `"data":{"a":1.0}`},
		{"a form", "a=1&b=%20", "application/x-www-form-urlencoded", "", webhook.FormatStandard, "",
			`"data":{"content_type":"application/x-www-form-urlencoded","text":"a=1&b=%20"}`},
		{"no JSON after all", `{"a":1,"a":2}`, "application/json", "", webhook.FormatManySends, "",
			`"data":{"content_type":"application/json","text":"{\"a\":1,\"a\":2}"}`},
		{"compressed", "\x1f\x8b\x00", "application/json", "gzip", webhook.FormatCloudEvents, "",
			`"contentencoding":"gzip","datacontenttype":"application/json","data_base64":"H4sA"`},
		{"encoded as it is", `[1]`, "application/json", "identity", webhook.FormatCloudEvents, "", `"datacontenttype":"application/json","data":[1]`},
		{"nothing at all", "", "", "", webhook.FormatManySends, "application/octet-stream", `"data":{"content_type":"application/octet-stream","text":""}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			r, _, app, other, url := newInbox(t, test.format)
			sent["Content-Type"], sent["Content-Encoding"] = test.contentType, test.encoding
			headers := make(map[string]string)
			for name, value := range sent {
				if value != "" {
					headers[name] = value
				}
			}
			resp, answer := post(t, http.MethodPost, url, strings.NewReader(test.body), headers)
			if resp.StatusCode != http.StatusAccepted || answer != "{\"id\":\"delivery-1\"}\n" || resp.Header.Get("Content-Type") != "application/json" {
				t.Fatalf("answered %d %q", resp.StatusCode, answer)
			}
			r.delivered("a", "delivery-1")
			r.delivered("b", "delivery-1")
			got := app.all()[0]
			if string(got.body) != test.body {
				t.Errorf("the application got the body %q, want %q", got.body, test.body)
			}
			want := map[string]string{
				"Content-Type": test.contentType, "X-Github-Event": "pull_request", "X-Github-Delivery": "delivery-1",
				"X-Hub-Signature-256": "sha256=1", "Webhook-Id": "delivery-1", "X-Other": "", "Cookie": "", "Authorization": "", "X-Github-Hop": "",
			}
			if want["Content-Type"] == "" {
				want["Content-Type"] = test.wantType
			}
			if want["Content-Encoding"] = test.encoding; test.encoding == "identity" {
				want["Content-Encoding"] = ""
			}
			have := make(map[string]string)
			for name := range want {
				have[name] = got.header.Get(name)
			}
			if diff := cmp.Diff(want, have); diff != "" {
				t.Errorf("headers (-want +got):\n%s", diff)
			}
			if agent := got.header.Get("User-Agent"); !strings.HasPrefix(agent, "caddy-webhooks/") {
				t.Errorf("the user agent is %q", agent)
			}
			if strings.Contains(got.header.Get("Webhook-Signature"), "forged") {
				t.Error("the sender's signature was passed on as ours")
			}
			second := other.all()[0]
			if !strings.Contains(string(second.body), test.other) || !json.Valid(second.body) {
				t.Errorf("the other endpoint got %s, want it to hold %s", second.body, test.other)
			}
			if second.header.Get("X-Github-Event") != "" {
				t.Error("the other endpoint got headers of the request")
			}
		})
	}
}

// TestInboxSurvivesRestart: what came is in the store as a whole.
func TestInboxSurvivesRestart(t *testing.T) {
	r, _, app, _, url := newInbox(t, "")
	r.stop()
	const body = "{ \"n\": 1 }"
	if resp, answer := post(t, http.MethodPost, url, strings.NewReader(body), map[string]string{
		"X-GitHub-Event": "push", "X-GitHub-Delivery": "d", "Content-Type": "application/json", "Content-Encoding": "br",
	}); resp.StatusCode != http.StatusAccepted {
		t.Fatalf("answered %d %q", resp.StatusCode, answer)
	}
	r.restart()
	r.delivered("a", "d")
	got := app.all()[0]
	if string(got.body) != body || got.header.Get("Content-Encoding") != "br" || got.header.Get("X-GitHub-Event") != "push" {
		t.Errorf("after a restart the application got %q with %v", got.body, got.header)
	}
}

// TestInboxDuplicates: a copy is answered 200, so that the provider stops; other
// content under the same ID is not lost.
func TestInboxDuplicates(t *testing.T) {
	r, _, _, _, url := newInbox(t, "")
	send := func(id, body, date string, want int) string {
		t.Helper()
		resp, answer := post(t, http.MethodPost, url, strings.NewReader(body), map[string]string{
			"X-GitHub-Event": "push", "X-GitHub-Delivery": id, "X-GitHub-Date": date, "Content-Type": "text/plain",
		})
		if resp.StatusCode != want {
			t.Fatalf("%s %q is answered %d %s, want %d", id, body, resp.StatusCode, answer, want)
		}
		return idOf(t, answer)
	}
	if id := send("one", "a", "Monday", 202); id != "one" {
		t.Errorf("the ID is %q", id)
	}
	r.clock.advance(time.Second)
	if id := send("one", "a", "Tuesday", 200); id != "one" {
		t.Errorf("the ID of a copy with another header is %q", id)
	}
	other := send("one", "b", "", 202)
	if !strings.HasPrefix(other, "one:") {
		t.Errorf("the ID of other content is %q", other)
	}
	r.clock.advance(time.Second)
	if again := send("one", "b", "", 200); again != other {
		t.Errorf("the ID of its copy is %q, want %q", again, other)
	}
	odd := send("a.b/c", "a", "", 202)
	if again := send("a.b/c", "a", "", 200); again != odd || webhook.CheckEventID(odd) != nil {
		t.Errorf("the IDs are %q and %q", odd, again)
	}
	long := strings.Repeat("x", 128)
	send(long, "a", "", 202)
	if id := send(long, "b", "", 202); len(id) != 128 {
		t.Errorf("the ID %q has %d characters", id, len(id))
	}
	if made := send("", "a", "", 202); !strings.HasPrefix(made, "evt_") {
		t.Errorf("the ID made is %q", made)
	}
}

func TestInboxRefuses(t *testing.T) {
	r, faulty, _, _, url := newInbox(t, "")
	tests := []struct {
		name, method, body string
		header             map[string]string
		status             int
		detail             string
	}{
		{"another method", http.MethodPut, "", nil, 405, "the method PUT is not allowed: send webhooks with POST"},
		{"too large", http.MethodPost, strings.Repeat("x", 1001), nil, 413, "the body is larger than 1000 bytes: send less, or raise max_size"},
		{"nobody's", http.MethodPost, "x", map[string]string{"X-Nobody": "1"}, 403, "it is not known whose event this is: sign in first"},
		{"too much to keep", http.MethodPost, "x", map[string]string{"X-GitHub-Long": strings.Repeat("x", 8180)}, 422,
			"invalid event: headers: there are 1 values of 8193 bytes, and at most 64 of 8192 bytes can be kept: keep fewer of them"},
	}
	check := func(resp *http.Response, answer string, status int, detail string) {
		t.Helper()
		var p sender.Problem
		if err := json.Unmarshal([]byte(answer), &p); err != nil || resp.StatusCode != status || p.Detail != detail {
			t.Errorf("answered %d %s, want %d: %s", resp.StatusCode, answer, status, detail)
		}
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			resp, answer := post(t, test.method, url, strings.NewReader(test.body), test.header)
			check(resp, answer, test.status, test.detail)
		})
	}
	for err, want := range map[error]string{
		sender.ErrStoreFull: "there is no room to store the event: publish it again later",
		errFaulty:           "the event could not be stored: publish it again later",
	} {
		faulty.err = err // nobody is asking it now
		faulty.fail(faultPut)
		resp, answer := post(t, http.MethodPost, url, strings.NewReader("x"), nil)
		check(resp, answer, http.StatusServiceUnavailable, want)
		if resp.Header.Get("Retry-After") == "" {
			t.Error("nothing says when to send it again")
		}
	}
	faulty.fail(0)
	r.close()
	if resp, _ := post(t, http.MethodPost, url, strings.NewReader("x"), nil); resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" {
		t.Errorf("a closed sender is answered %d", resp.StatusCode)
	}
}

func TestInboxSettings(t *testing.T) {
	for pattern, want := range map[string]string{
		"X-GitHub-Event": "", "x-shopify-*": "", "Date": "", "Content-Encoding": "", "Authori*": "",
		"*":             `headers: "*" would keep whatever a client sends, and its credentials with it: name the headers, such as X-GitHub-*`,
		"":              `headers: "" is not the name of a header: write such as X-GitHub-Event, or X-GitHub-* for all that begin so`,
		"X-*-Event":     `headers: "X-*-Event" is not the name of a header: write such as X-GitHub-Event, or X-GitHub-* for all that begin so`,
		"a b":           `headers: "a b" is not the name of a header: write such as X-GitHub-Event, or X-GitHub-* for all that begin so`,
		"cookie":        "headers: Cookie is never kept, because it may be a credential, belongs to the connection, or is set by the delivery itself: remove it",
		"Webhook_Id":    "headers: Webhook_id is never kept, because it may be a credential, belongs to the connection, or is set by the delivery itself: remove it",
		"webhook-*":     "headers: Webhook- is never kept, because it may be a credential, belongs to the connection, or is set by the delivery itself: remove it",
		"Authorization": "headers: Authorization is never kept, because it may be a credential, belongs to the connection, or is set by the delivery itself: remove it",
	} {
		got := ""
		if err := (&sender.Inbox{Headers: []string{pattern}}).Validate(); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q: %q, want %q", pattern, got, want)
		}
	}
	if err := (&sender.Inbox{MaxSize: -1}).Validate(); err == nil {
		t.Error("a negative size is accepted")
	}
}
