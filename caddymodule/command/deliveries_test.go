package command

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

const (
	failedDelivery = `{"id":"dlv_1_crm","event_id":"evt_1","event":"conversation.created","timestamp":"2024-03-05T10:30:00Z","tenant":"acme","endpoint":"crm",` +
		`"status":"failed","attempts":10,"stored_at":"2024-03-05T10:30:01Z","last":{"number":10,"started_at":"2024-03-05T10:39:00Z","duration":"12ms","status_code":500,` +
		`"verdict":"retry","error":"the endpoint answered 500 \u001b[31m"}}`
	pendingDelivery = `{"id":"dlv_2_crm","event_id":"evt_2","event":"message.created","timestamp":"2024-03-05T10:39:55Z","endpoint":"crm",` +
		`"status":"pending","attempts":1,"stored_at":"2024-03-05T10:39:55Z","due":"2024-03-05T10:45:00Z","last":{"number":1,"started_at":"2024-03-05T10:39:56Z","duration":"30s",` +
		`"verdict":"retry","error":"it timed out"}}`
	doneDelivery = `{"id":"dlv_3_crm","event_id":"evt_3","event":"message.created","timestamp":"2024-03-05T10:39:59Z","endpoint":"crm",` +
		`"status":"succeeded","attempts":1,"stored_at":"2024-03-05T10:39:59.5Z","last":{"number":1,"started_at":"2024-03-05T10:39:59.5Z","duration":"8ms","status_code":204,"verdict":"succeeded"}}`
)

func TestDeliveries(t *testing.T) {
	const query = "GET deliveries?endpoint=crm&endpoint=a%26b&from=2024-03-04T10%3A40%3A00Z&limit=50&order=oldest&status=failed&status=pending&tenant=&to=2024-03-05T00%3A00%3A00Z&type=message.%2A"
	flags := []string{
		"deliveries", "--endpoint", "crm", "--endpoint", "a&b", "--status", "failed,pending", "--type", "message.*",
		"--tenant", "", "--since", "24h", "--until", "2024-03-05", "--order", "oldest",
	}
	list := `{"deliveries":[` + failedDelivery + `,` + pendingDelivery + `,` + doneDelivery + `]}`

	t.Run("file", func(t *testing.T) {
		r := newRig(t)
		r.ok(query, list)
		r.wants(r.run(flags...), result{Out: `
DELIVERY   STORED                TENANT  EVENT                 STATUS     TRIES  NEXT                  LAST
dlv_1_crm  2024-03-05T10:30:01Z  acme    conversation.created  failed     10                           the endpoint answered 500 \x1b[31m
dlv_2_crm  2024-03-05T10:39:55Z          message.created       pending    1      2024-03-05T10:45:00Z  it timed out
dlv_3_crm  2024-03-05T10:39:59Z          message.created       succeeded  1                            204 in 8ms
`[1:]})
		r.wasAsked(query)
	})
	t.Run("terminal", func(t *testing.T) {
		t.Setenv("NO_COLOR", "1")
		r := newRig(t)
		r.width = 90
		r.ok(query, list)
		r.wants(r.run(flags...), result{Out: `
DELIVERY   STORED  TENANT  EVENT                 STATUS     TRIES  NEXT   LAST
dlv_1_crm  9m ago  acme    conversation.created  failed     10            the endpoint an…
dlv_2_crm  5s ago          message.created       pending    1      in 5m  it timed out
dlv_3_crm  now             message.created       succeeded  1             204 in 8ms
`[1:]})
	})
	t.Run("colours", func(t *testing.T) {
		t.Setenv("NO_COLOR", "")
		t.Setenv("TERM", "xterm")
		r := newRig(t)
		r.width = 90
		r.ok(query, list)
		if got := r.run(flags...); !strings.Contains(got.Out, "\x1b[31mfailed\x1b[0m") {
			t.Errorf("there are no colours:\n%q", got.Out)
		}
	})
	t.Run("JSON", func(t *testing.T) {
		r := newRig(t)
		r.ok("GET deliveries?limit=1", `{"deliveries":[{"id":"dlv_1_crm","new_member":1.0}],"next":"MQ"}`)
		r.wants(r.run("deliveries", "--limit", "1", "--json"), result{Out: `
{
  "deliveries": [
    {
      "id": "dlv_1_crm",
      "new_member": 1.0
    }
  ],
  "next": "MQ"
}
`[1:]})
	})
	t.Run("none", func(t *testing.T) {
		r := newRig(t)
		r.ok("GET deliveries?limit=50", `{"deliveries":[]}`)
		r.wants(r.run("deliveries"), result{Notes: "There are no such deliveries.\n"})
		r.wants(r.run("deliveries", "--json"), result{Out: "{\n  \"deliveries\": []\n}\n"})
	})
}

// TestDeliveriesPageByPage goes on as long as there are pages, also behind one
// that is empty, and no further than the limit.
func TestDeliveriesPageByPage(t *testing.T) {
	item := func(n int) string { return fmt.Sprintf(`{"id":"dlv_%d_crm"}`, n) }
	pages := func(r *rig) {
		r.ok("GET deliveries?limit=100", `{"deliveries":[`+item(1)+`,`+item(2)+`],"next":"a"}`)
		r.ok("GET deliveries?cursor=a&limit=100", `{"deliveries":[],"next":"b"}`)
		r.ok("GET deliveries?cursor=a&limit=1", `{"deliveries":[],"next":"b"}`)
		r.ok("GET deliveries?cursor=b&limit=100", `{"deliveries":[`+item(3)+`]}`)
		r.ok("GET deliveries?cursor=b&limit=1", `{"deliveries":[`+item(3)+`],"next":"c"}`)
		r.ok("GET deliveries?limit=3", `{"deliveries":[`+item(1)+`,`+item(2)+`],"next":"a"}`)
	}
	r := newRig(t)
	pages(r)
	r.wants(r.run("deliveries", "--all", "--json"), result{Out: item(1) + "\n" + item(2) + "\n" + item(3) + "\n"})
	r = newRig(t)
	pages(r)
	if got := r.run("deliveries", "--limit", "3"); got.Code != 0 || got.Notes != "These are the first 3: --all lists them all, --limit more of them.\n" || strings.Count(got.Out, "dlv_") != 3 {
		t.Errorf("printed %+v", got)
	}
	r.wasAsked("GET deliveries?limit=3", "GET deliveries?cursor=a&limit=1", "GET deliveries?cursor=b&limit=1")
	r = newRig(t)
	pages(r)
	r.wants(r.run("deliveries", "--cursor", "b", "--limit", "1", "--json"), result{Out: "{\n  \"deliveries\": [\n    {\n      \"id\": \"dlv_3_crm\"\n    }\n  ],\n  \"next\": \"c\"\n}\n"})
}

// TestMisuse is answered with what is wrong, where to look, and a code of its
// own; Caddy is not asked.
func TestMisuse(t *testing.T) {
	for _, tt := range []struct {
		args []string
		says string
	}{
		{[]string{"deliveries", "--since", "soon"}, `--since: "soon" is no time: write how long ago it was`},
		{[]string{"deliveries", "--since", "1h", "--until", "2h"}, "--since is not before --until: nothing lies between them"},
		{[]string{"deliveries", "--limit", "0"}, "--limit must be at least 1: use --all for all of them"},
		{[]string{"deliveries", "--limit", "x"}, `invalid argument "x" for "--limit" flag`},
		{[]string{"deliveries", "--nonsense"}, "unknown flag: --nonsense"},
		{[]string{"deliveries", "--all", "--limit", "3"}, "if any flags in the group [limit all] are set none of the others can be"},
		{[]string{"replay", "list", "--all", "--limit", "3"}, "if any flags in the group [limit all] are set none of the others can be"},
		{[]string{"replay", "--dry-run", "--detach"}, "if any flags in the group [dry-run detach] are set none of the others can be"},
		{[]string{"deliveries", "more"}, `the argument "more" is too many: write: caddy webhooks deliveries [flags]`},
		{[]string{"show"}, "the ID is missing: write: caddy webhooks show <id>"},
		{[]string{"show", ""}, "the ID is empty: write: caddy webhooks show <id>"},
		{[]string{"endpoints", "pause"}, `"pause" is not one of activate, deactivate, rotate`},
		{[]string{"replay", "stop", "rpl_1"}, `"stop" is not one of cancel, list, show`},
		{[]string{"backup", "-"}, "a copy is made in a file, and not on stdout: name a new file, or write ./- for one of this name"},
		{[]string{"retry"}, "no delivery is given: name one or more by their IDs, or use - to read them from stdin"},
		{[]string{"retry", "--stdin", "dlv_1_crm"}, "deliveries are given beside --stdin: use one or the other"},
		{[]string{"tail", "--lines", "-1"}, "--lines must not be negative: use 0 for none"},
		// What a variable of the shell that is not set leaves: not all of them.
		{[]string{"replay", "--endpoint", ""}, "--endpoint has an empty value: give one, or leave the flag out"},
		{[]string{"replay", "--missing"}, "--missing is for endpoints that are named: add --endpoint"},
		{[]string{"replay", "--missing", "--tenant", "acme", "--yes"}, "--missing is for endpoints that are named: add --endpoint"},
		{[]string{"replay", "--missing", "--endpoint", "crm", "--status", "failed"}, "--missing is for what was never delivered: leave out --status and --fresh-id"},
		{[]string{"replay", "--missing", "--endpoint", "crm", "--fresh-id"}, "--missing is for what was never delivered: leave out --status and --fresh-id"},
		{[]string{"replay", "--endpoint", "crm", "--endpoint", ""}, "--endpoint has an empty value"},
		{[]string{"replay", "--status", ""}, "--status has an empty value"},
		{[]string{"replay", "--type", "", "--tenant", ""}, "--type has an empty value"},
		{[]string{"replay", "--since", ""}, "--since has an empty value"},
		{[]string{"deliveries", "--cursor", ""}, "--cursor has an empty value"},
		{[]string{"statsu"}, `there is no command "statsu": did you mean "status"?`},
		{[]string{"statsu", "--address", "127.0.0.1:2019"}, `there is no command "statsu": did you mean "status"?`},
		{[]string{"\x1b[2J"}, `there is no command "\x1b[2J"`},
	} {
		r := newRig(t)
		got := r.run(tt.args...)
		if got.Code != 2 || got.Out != "" || !strings.HasPrefix(got.Notes, "Error: "+tt.says) || !strings.Contains(got.Notes, "\nSee: caddy webhooks") {
			t.Errorf("%q: printed %+v", tt.args, got)
		}
		r.wasAsked()
	}
}

// TestRefusedValues: what only Caddy knows to be wrong in a flag is a misuse like
// what the command itself knows, and the flag is named as it is written.
func TestRefusedValues(t *testing.T) {
	const refused = "%s: \"x\" is unknown: use another"
	for _, tt := range []struct {
		request, field string
		args           []string
		flag           string // that is to blame; empty for none
	}{
		{"GET deliveries?limit=50&status=x", "status", []string{"deliveries", "--status", "x"}, "status"},
		{"GET deliveries/stream?status=x", "status", []string{"tail", "--lines", "0", "--status", "x"}, "status"},
		{"POST endpoints/crm/test", "type", []string{"test", "crm", "--type", "x"}, "type"},
		{"POST endpoints/crm/rotate", "overlap", []string{"endpoints", "rotate", "crm", "--overlap", "x"}, "overlap"},
		{"POST replays", "statuses", []string{"replay", "--status", "x"}, "status"},
		{"POST replays", "endpoints", []string{"replay", "--endpoint", "x"}, "endpoint"},
		{"POST endpoints/crm/activate", "url", []string{"endpoints", "activate", "crm"}, ""},
		{"GET deliveries?limit=50", "status", []string{"deliveries"}, ""},
	} {
		r := newRig(t)
		detail := fmt.Sprintf(refused, tt.field)
		r.answer(tt.request, reply{status: 422, body: fmt.Sprintf(`{"detail":%q,"field":%q}`, detail, tt.field)})
		got := r.run(tt.args...)
		want := result{Notes: "Error: " + detail + "\n", Code: 1}
		if tt.flag != "" {
			command := "caddy webhooks " + tt.args[0]
			if tt.args[0] == "endpoints" {
				command += " " + tt.args[1]
			}
			want = result{Notes: "Error: " + fmt.Sprintf(refused, "--"+tt.flag) + "\nSee: " + command + " --help\n", Code: 2}
		}
		r.wants(got, want)
	}
}

// TestTrouble explains why Caddy cannot be asked, or says no.
func TestTrouble(t *testing.T) {
	for _, tt := range []struct {
		name  string
		reply reply
		says  string
	}{
		{"problem details", reply{status: 422, body: `{"type":"about:blank","detail":"status: \"x\" is none"}`}, `status: "x" is none`},
		{"error of Caddy", reply{status: 403, body: `{"error":"host not allowed: evil"}`}, "host not allowed: evil: give by --address the address that its admin API has in the configuration"},
		{"escape in it", reply{status: 409, body: `{"detail":"no \u001b[2J"}`}, `no \x1b[2J`},
		{"a site that publishes", reply{status: 405, body: `{"detail":"the method GET is not allowed: publish events with POST"}`}, "what answers at ADDRESS does not take this request: it is not the admin API of Caddy, whose address --address takes, or has an older version of these webhooks"},
		{"no words", reply{status: 500, body: `{}`}, "Caddy answered 500 Internal Server Error"},
		{"no such path", reply{status: 404, body: "404 page not found\n"}, "the Caddy at ADDRESS does not know this request: it was built without these webhooks, or with an older version of them: run `caddy webhooks` of the same build, or update and restart it"},
		{"a page", reply{status: 200, body: "<html>"}, "what answers at ADDRESS is not the admin API of Caddy: give its address by --address, or the configuration file by --config"},
		{"a page that fails", reply{status: 502, body: "<html>"}, "what answers at ADDRESS is not the admin API of Caddy: give its address by --address, or the configuration file by --config"},
		{"a redirect", reply{status: 302}, "what answers at ADDRESS is not the admin API of Caddy: give its address by --address, or the configuration file by --config"},
		{"other JSON", reply{status: 200, body: `[1]`}, "what answers at ADDRESS is not the admin API of Caddy: give its address by --address, or the configuration file by --config"},
		{"cut off", reply{status: 200, body: `{"deliveries":`, then: func() { panic(http.ErrAbortHandler) }}, "the connection to Caddy at ADDRESS was lost (unexpected EOF): try again, and look into its log if it stays so"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRig(t)
			r.answer("GET deliveries?limit=50", tt.reply)
			r.wants(r.run("deliveries"), result{Notes: "Error: " + strings.ReplaceAll(tt.says, "ADDRESS", r.address) + "\n", Code: 1})
		})
	}
	r := newRig(t)
	for _, tt := range []struct{ address, says string }{
		{"127.0.0.1:1", "no Caddy answers at 127.0.0.1:1 (connection refused): start it, or give the address of its admin API by --address, or its configuration file by --config; with `admin off` it has none"},
		{"unix/" + t.TempDir() + "/none.sock", "(no such file or directory): start it"},
		{"127.0.0.1:1-2", `the address "127.0.0.1:1-2" of the admin API has several ports: give one of them`},
		{"http://127.0.0.1:1", `the address "http://127.0.0.1:1" of the admin API is not understood: write host:port, or unix//path for a socket`},
		{":1", "no Caddy answers at :1 (connection refused)"},
		{"a:b:c", `the address "a:b:c" of the admin API is not understood: write host:port, or unix//path for a socket`},
	} {
		got := r.run("status", "--address", tt.address)
		if got.Code != 1 || got.Out != "" || !strings.HasPrefix(got.Notes, "Error: ") || !strings.Contains(got.Notes, tt.says) {
			t.Errorf("%s: printed %+v", tt.address, got)
		}
	}
}

// TestOrigin sends the origin for a Caddy that enforces it, and does without for
// one that does not know it.
func TestOrigin(t *testing.T) {
	r := newRig(t)
	r.ok("GET status", `{"running":true}`)
	_, port, _ := strings.Cut(r.address, ":")
	r.origin = "http://localhost:" + port // a port alone
	r.wants(r.run("status", "--address", ":"+port), result{Code: 0, Out: "Sender     running\nEndpoints  none\n"})
	for _, origin := range []string{"http://" + r.address, ""} {
		r.origin = origin
		if got := r.run("status"); got.Code != 0 {
			t.Errorf("with %q: printed %+v", origin, got)
		}
	}
	r.origin = "http://other"
	r.wants(r.run("status"), result{Code: 1, Notes: "Error: client is not allowed to access from origin 'http://" + r.address + "': give by --address the address that its admin API has in the configuration\n"})
}
