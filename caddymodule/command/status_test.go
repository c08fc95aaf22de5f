package command

import (
	"strings"
	"testing"
)

func TestStatus(t *testing.T) {
	r := newRig(t)
	r.ok("GET status", `{"version":"v0.1.0","running":true,"store":{"module":"sqlite","size_bytes":12582912},"backlog":{"pending":12,"astray":2,"oldest_seconds":190.5},
		"endpoints":{"inactive":0,"active":4,"disabled":1,"retired":2},"receivers":[{"name":"stripe","provider":"stripe","seen":10,"in_flight":0,"persisting":true},{"name":"github","provider":"github, custom","forgotten":3}]}`)
	r.wants(r.run("status"), result{Out: `
Version    v0.1.0
Sender     running
Store      sqlite, 12 MiB
Backlog    12 deliveries are pending, the oldest due for 3m, 2 for endpoints that are not here
Endpoints  4 active, 1 disabled, 2 retired

RECEIVER  PROVIDER        SEEN  IN FLIGHT  FORGOTTEN  PERSISTS
stripe    stripe          10    0                     yes
github    github, custom                   3
`[1:]})
	r.ok("GET status", `{"version":"v0.1.0","running":true,"store":{"module":"sqlite"},"backlog":{"pending":0},"endpoints":{},"receivers":[]}`)
	r.wants(r.run("status"), result{Out: `
Version    v0.1.0
Sender     running
Store      sqlite
Backlog    nothing is pending
Endpoints  none
`[1:]})
	r.ok("GET status", `{"version":"v0.1.0","running":false,"receivers":[{"name":"stripe"}]}`)
	r.wants(r.run("status"), result{Code: 3, Out: "Version  v0.1.0\nSender   not configured\n\nRECEIVER\nstripe\n"})
	r.wants(r.run("status", "--json"), result{Code: 3, Out: `{
  "version": "v0.1.0",
  "running": false,
  "receivers": [
    {
      "name": "stripe"
    }
  ]
}
`})
}

func TestTestEndpoint(t *testing.T) {
	const failed = `{"ok":false,"summary":"The endpoint answered 500.","checks":[
		{"name":"url","ok":true,"detail":"https://crm.example/hooks"},
		{"name":"answer","ok":false,"detail":"The endpoint answered 500.","remedy":"Look into the log of your site."}],
		"event_id":"evt_1","type":"message.created","request":{"method":"POST","url":"https://crm.example/hooks","headers":{"Webhook-Id":["evt_1"]},"body":"{\"a\":1}"},
		"attempt":{"number":1,"duration":"12ms","status_code":500,"verdict":"retry","response_headers":{"Server":["x"]},"response_body":"out of\norder"}}`
	r := newRig(t)
	r.ok("POST endpoints/crm/test", failed)
	const checks = `
ok      url     https://crm.example/hooks
failed  answer  The endpoint answered 500.
                -> Look into the log of your site.

`
	const answer = `Answer to try 1: 500
  Server: x

  out of
  order

failed: The endpoint answered 500.
`
	r.wants(r.run("test", "crm"), result{Code: 3, Out: checks[1:] + answer})
	r.wants(r.run("test", "crm", "--verbose", "--type", "message.created"), result{Code: 3, Out: checks[1:] + `Request
  POST https://crm.example/hooks
  Webhook-Id: evt_1

  {"a":1}

` + answer})
	if got := r.run("test", "crm", "--json"); got.Code != 3 || !strings.HasPrefix(got.Out, "{\n  \"ok\": false,") {
		t.Errorf("printed %+v", got)
	}
	r.wasAsked("POST endpoints/crm/test {}", `POST endpoints/crm/test {"type":"message.created"}`, "POST endpoints/crm/test {}")

	r.ok("POST endpoints/crm/test", `{"ok":true,"summary":"The endpoint took it.","checks":[{"name":"url","ok":true,"detail":"fine"}],"attempt":{"status_code":200}}`)
	r.wants(r.run("test", "crm"), result{Out: "ok  url  fine\n\nok: The endpoint took it.\n"})
	r.answer("POST endpoints/crm/test", reply{status: 404, body: `{"detail":"there is no endpoint of this ID: look it up in the list"}`})
	r.wants(r.run("test", "crm"), result{Code: 1, Notes: "Error: there is no endpoint of this ID: look it up in the list\n"})
}

func TestForget(t *testing.T) {
	r := newRig(t)
	r.answer("DELETE received/a%2Fb/%2E%2E", reply{status: 204})
	r.wants(r.run("forget", "a/b", ".."), result{Notes: "The receiver a/b takes the event .. for a new one again.\n"})
	r.answer("DELETE received/a%2Fb/%2E%2E", reply{status: 404, body: `{"error":"there is no such receiver as \"a/b\": use one of hooks"}`})
	r.wants(r.run("forget", "a/b", ".."), result{Code: 1, Notes: "Error: there is no such receiver as \"a/b\": use one of hooks\n"})
	r.wants(r.run("forget", "a/b"), result{Code: 2, Notes: "Error: the ID is missing: write: caddy webhooks forget <receiver> <id> [flags]\nSee: caddy webhooks forget --help\n"})
}
