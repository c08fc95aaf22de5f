package integration

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestBadEventsAreRefused publishes what cannot be published to a real Caddy:
// each answer has its status and one sentence that says what is wrong, and
// nothing of it is delivered.
func TestBadEventsAreRefused(t *testing.T) {
	customer := newSink(t, "")
	c := newCaddy(t)
	site := freeAddress(t)
	c.start(senderCaddyfile(c.admin, site, "endpoint crm "+customer.URL))

	tests := []struct {
		name        string
		contentType string
		body        string
		status      int
		detail      string
	}{
		{"empty", "application/json", ``, 400, `malformed body: the body is empty: send an object such as {"event":"conversation.created","data":{}}`},
		{"not JSON", "application/json", `event=conversation.created`, 400, `malformed body: the body is not valid JSON: invalid character 'e' at start of value (at byte 0)`},
		{"ends early", "application/json", `{"event":"conversation.created","data":{`, 400, `malformed body: the body is not valid JSON: it ends too early (at byte 40, /data)`},
		{"not an object", "application/json", `"conversation.created"`, 400, `malformed body: the body is a JSON string: send an object such as {"event":"conversation.created","data":{}}`},
		{"not an object in a batch", "application/json", `[["conversation.created"]]`, 400, `event 1: malformed body: the body is a JSON array: send an object such as {"event":"conversation.created","data":{}}`},
		{"batch with a wrong event", "application/json", `[{"event":"conversation.created","data":{}},{"event":"conversation.created"}]`, 422, `event 2: invalid event: data is missing: add a JSON value that describes the event`},
		{"two values", "application/json", `{"event":"conversation.created","data":{}}{}`, 400, `malformed body: something follows the JSON object: send one event and nothing else`},
		{"duplicate member", "application/json", `{"event":"conversation.created","event":"message.created","data":{}}`, 400, `malformed body: the body is not valid JSON: a member name stands twice in the same object: remove one (at byte 32, /event)`},
		{"duplicate member in data", "application/json", `{"event":"conversation.created","data":{"a":{"b":1,"b":2}}}`, 400, `malformed body: the body is not valid JSON: a member name stands twice in the same object: remove one (at byte 51, /data/a/b)`},
		{"invalid UTF-8", "application/json", "{\"event\":\"conversation.created\",\"data\":{\"a\":\"\xff\"}}", 400, `malformed body: the body is not valid JSON: it holds bytes that are not UTF-8: encode the text as UTF-8 (at byte 45, /data/a)`},
		{"event type missing", "application/json", `{"data":{}}`, 422, `invalid event: event is missing: name the event type, such as conversation.created`},
		{"event type unknown", "application/json", `{"event":"conversation.exploded","data":{}}`, 422, `invalid event: event type "conversation.exploded" is unknown: use one of the configured event types, or add it to event_types`},
		{"event type malformed", "application/json", `{"event":"Conversation Created","data":{}}`, 422, `invalid event: event type "Conversation Created" is malformed: use lower-case words of letters, digits and "_" joined by dots, such as conversation.created`},
		{"event type not a string", "application/json", `{"event":1,"data":{}}`, 422, `invalid event: event is a JSON number: write it as a string`},
		{"data missing", "application/json", `{"event":"conversation.created"}`, 422, `invalid event: data is missing: add a JSON value that describes the event`},
		{"unknown member", "application/json", `{"event":"conversation.created","data":{},"tenent":"acme"}`, 422, `invalid event: the member "tenent" is unknown: an event has event, data, id, timestamp and tenant; put everything else into data`},
		{"bad ID", "application/json", `{"event":"conversation.created","data":{},"id":"a.b"}`, 422, `invalid event: id holds the character '.': use letters, digits, "_", "-" and ":" only`},
		{"bad timestamp", "application/json", `{"event":"conversation.created","data":{},"timestamp":"yesterday"}`, 422, `invalid event: timestamp is not in RFC 3339 form: write it such as 2024-03-05T10:30:00Z`},
		{"wrong content type", "text/plain", exampleEvent, 415, `the content type "text/plain" is not understood: send application/json`},
		{"wrong charset", "application/json; charset=latin1", exampleEvent, 415, `the charset "latin1" is not understood: send UTF-8`},
		{"1 MiB and 1 byte", "application/json", sized(1<<20 + 1), 413, `the body is larger than 1048576 bytes: send less, or raise max_size`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			status, answer := post(t, "http://"+site+"/events", tt.contentType, []byte(tt.body))
			var problem struct {
				Status int
				Title  string
				Detail string
			}
			if err := json.Unmarshal([]byte(answer), &problem); err != nil {
				t.Fatalf("the answer is not a problem in JSON: %q", answer)
			}
			if status != tt.status || problem.Status != tt.status || problem.Title != http.StatusText(tt.status) {
				t.Errorf("status %d, problem %+v; want %d", status, problem, tt.status)
			}
			if problem.Detail != tt.detail {
				t.Errorf("detail\n%s\nwant\n%s", problem.Detail, tt.detail)
			}
		})
	}

	t.Run("1 MiB is not too large", func(t *testing.T) {
		if status, answer := post(t, "http://"+site+"/events", "application/json", []byte(sized(1<<20))); status != 202 {
			t.Errorf("%d %s", status, answer)
		}
	})
	waitFor(t, "the good event", func() bool { return len(customer.deliveries()) > 0 })
	if n := len(customer.deliveries()); n != 1 {
		t.Errorf("%d events were delivered, want only the good one", n)
	}
}

// sized is a publishable event of so many bytes.
func sized(n int) string {
	const open, end = `{"event":"message.created","data":{"text":"`, `"}}`
	return open + strings.Repeat("x", n-len(open)-len(end)) + end
}

// TestBadConfigurationsAreRefused loads Caddyfiles that are wrong: each is
// refused before anything starts, with a sentence that says where and why.
func TestBadConfigurationsAreRefused(t *testing.T) {
	receive := func(block string) string {
		return "{\n\tadmin off\n}\n\nhttp://127.0.0.1:1 {\n\twebhook_receive standard {\n\t\t" + block + "\n\t}\n\trespond ok\n}\n"
	}
	send := func(block string) string {
		return "{\n\tadmin off\n\twebhooks {\n\t\t" + block + "\n\t}\n}\n"
	}
	tests := []struct {
		name      string
		caddyfile string
		want      []string
	}{
		{"unknown word in webhooks", send("retires 5s"), []string{"Caddyfile:4", `webhooks does not understand "retires": use one of store, event_types, retry`}},
		{"unknown word in endpoint", send("endpoint crm https://example.com {\n\t\t\turgent\n\t\t}"), []string{"Caddyfile:5", `endpoint does not understand "urgent"`}},
		{"unknown word in webhook_receive", receive("keys abc"), []string{"Caddyfile:7", `webhook_receive does not understand "keys"`}},
		{"endpoint twice", send("endpoint crm https://example.com\n\t\tendpoint crm https://example.org"), []string{"Caddyfile:5", "endpoint crm stands twice"}},
		{"missing environment secret", send("endpoint crm https://example.com {\n\t\t\tsecret {env.NO_SUCH_SECRET}\n\t\t}"), []string{"endpoint crm: secret 1", "env.NO_SUCH_SECRET", "set it in the environment"}},
		{"missing environment secret of a receiver", receive("secret {env.NO_SUCH_SECRET}"), []string{"webhook_receive: secret 1", "env.NO_SUCH_SECRET", "set it in the environment"}},
		{"environment secret of white space of a receiver", receive("secret {env.BLANK_SECRET}"), []string{"webhook_receive: invalid configuration: secrets[0] is empty, or nothing but white space"}},
		{"missing environment encryption key", send("encryption_key {env.NO_SUCH_KEY}"), []string{"encryption_key 1", "env.NO_SUCH_KEY", "set it in the environment"}},
		{"empty environment encryption key", send("encryption_key {env.EMPTY_KEY}"), []string{"encryption_key 1", "env.EMPTY_KEY", "set it in the environment"}},
		{"short encryption key", send("encryption_key c2hvcnQ="), []string{"webhooks: invalid configuration: encryption_key: key 1 has 5 bytes and must have 32"}},
		{"filter that is no expression", send("endpoint crm https://example.com {\n\t\t\tfilter `data.priority ==`\n\t\t}"), []string{"endpoint crm: filter"}},
		{"filter on something unknown", send("endpoint crm https://example.com {\n\t\t\tfilter `priority == 1`\n\t\t}"), []string{"endpoint crm: filter", "priority"}},
		{"short secret", send("endpoint crm https://example.com {\n\t\t\tsecret whsec_c2hvcnQ=\n\t\t}"), []string{"endpoint crm: secrets", "a secret of 5 bytes is too short: use 24 to 64 random bytes"}},
		{"short secret of a receiver", receive("secret whsec_c2hvcnQ="), []string{"a secret of 5 bytes is too short: use 24 to 64 random bytes"}},
		{"no secret in a receiver", receive("dedupe 24h"), []string{"webhook_receive", "secret"}},
		{"unset parameter of a receiver", receive("secret {$SECRET:whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=}\n\t\tparameter token {env.NO_SUCH_TOKEN}"), []string{"webhook_receive: parameter token", "env.NO_SUCH_TOKEN", "set it in the environment"}},
		{"missing file of a receiver", receive("secret {file./no/such/file}"), []string{"webhook_receive: secret 1", "file./no/such/file"}},
		{"unknown parameter of a receiver", receive("secret " + testSecret + "\n\t\tparameter token abc"), []string{"webhook_receive: invalid configuration: parameters.token is unknown: provider standard takes no parameters"}},
		{"template of a known provider", receive("secret " + testSecret + "\n\t\ttemplate {\n\t\t\tsignature header X-A\n\t\t}"), []string{"webhook_receive: invalid configuration: template goes with provider custom only"}},
		{"memory in one file for two receivers", receive("secret " + testSecret + "\n\t\tname a\n\t\tdedupe {\n\t\t\tpersist /tmp/x.seen\n\t\t}\n\t}\n\twebhook_receive standard {\n\t\tsecret " + testSecret + "\n\t\tname b\n\t\tdedupe {\n\t\t\tpersist /tmp/../tmp/x.seen\n\t\t}"), []string{`the receivers "a" and "b" have the same file in dedupe.persist, /tmp/x.seen: give each its own`}},
		{"memory in two places for one receiver", receive("secret " + testSecret + "\n\t\tname a\n\t\tdedupe {\n\t\t\tpersist /tmp/x.seen\n\t\t}\n\t}\n\twebhook_receive standard {\n\t\tsecret " + testSecret + "\n\t\tname a"), []string{`the receivers called "a" do not agree upon dedupe.persist`}},
		{"private address", send("endpoint crm https://10.0.0.1/hooks"), []string{"endpoint crm: url", "10.0.0.1 is private: allow it in egress if that is meant"}},
		{"http", send("endpoint crm http://example.com/hooks"), []string{"endpoint crm: url", "http:// is not encrypted: use https://, or say allow_http in egress"}},
		{"settings without the app", "{\n\tadmin off\n}\n\nhttp://127.0.0.1:1 {\n\twebhook_settings\n}\n", []string{"webhook_settings has no endpoints to manage: add the global option webhooks"}},
		{"settings of every tenant", send("timeout 20s") + "\nhttp://127.0.0.1:1 {\n\twebhook_settings {\n\t\ttenant *\n\t}\n}\n", []string{`webhook_settings: tenant "*" is nobody's`}},
		{"publishing for every tenant", send("timeout 20s") + "\nhttp://127.0.0.1:1 {\n\twebhook_publish {\n\t\ttenant *\n\t}\n}\n", []string{`webhook_publish: tenant "*" is nobody's`}},
		{"events of Caddy's for every tenant", send("timeout 20s\n\t}\n\tevents {\n\t\ton started webhook_publish {\n\t\t\ttenant *\n\t\t}"), []string{`events: webhook_publish: tenant "*" is nobody's`}},
		{"publish without the app", "{\n\tadmin off\n}\n\nhttp://127.0.0.1:1 {\n\twebhook_publish\n}\n", []string{"webhook_publish has nowhere to publish to: add the global option webhooks"}},
	}
	c := newCaddy(t)
	c.env = []string{"EMPTY_KEY=", "BLANK_SECRET= \t"}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out, err := c.validate(tt.caddyfile)
			if err == nil {
				t.Fatalf("the Caddyfile was accepted:\n%s", tt.caddyfile)
			}
			for _, want := range tt.want {
				// The message stands in JSON or in a log line, with quotes escaped.
				if !strings.Contains(strings.ReplaceAll(out, `\"`, `"`), want) {
					t.Errorf("the error does not say %q:\n%s", want, out)
				}
			}
		})
	}
}

// TestSecondProcessOnTheSameStoreIsRefused starts another Caddy on a store that
// is in use.
func TestSecondProcessOnTheSameStoreIsRefused(t *testing.T) {
	customer := newSink(t, "")
	c := newCaddy(t)
	site := freeAddress(t)
	store := c.home + "/shared.db"
	c.start(senderCaddyfile(c.admin, site, fmt.Sprintf("store sqlite %s\n\t\tendpoint crm %s", store, customer.URL)))

	second := newCaddy(t)
	caddyfile := senderCaddyfile(second.admin, freeAddress(t), fmt.Sprintf("store sqlite %s\n\t\tendpoint crm %s", store, customer.URL))
	if out, err := second.validate(caddyfile); err != nil {
		t.Errorf("`caddy validate` beside a running Caddy must pass, but: %v\n%s", err, out)
	}
	out, err := second.command("run", "--config", second.write(caddyfile), "--adapter", "caddyfile").CombinedOutput()
	if err == nil {
		t.Fatal("the second Caddy started")
	}
	for _, want := range []string{"store is in use", store} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the error does not say %q:\n%s", want, out)
		}
	}
	publish(t, site, exampleEvent) // the first Caddy takes events as before
}
