package command

import (
	"strings"
	"testing"
)

func TestShowDelivery(t *testing.T) {
	detail := strings.TrimSuffix(failedDelivery, "}") + `,"traceparent":"00-1-2-01","data":{"id":"conv_1","text":"a\u009bb"},"history":[
		{"number":1,"started_at":"2024-03-05T10:30:01Z","duration":"1ms","verdict":"retry","error":"connection refused"},
		{"number":2,"started_at":"2024-03-05T10:39:00Z","duration":"12ms","status_code":500,"verdict":"retry","error":"the endpoint answered 500","remote_addr":"203.0.113.7:443",
		 "request_headers":{"Webhook-Id":["evt_1"]},"response_headers":{"Content-Type":["text/plain"],"X":["a\u001b","b"]},"response_body":"out of order\n\u001b[2J"}]}`
	r := newRig(t)
	r.ok("GET deliveries/dlv_1_crm", detail)
	const head = `
Delivery     dlv_1_crm
Event        evt_1
Type         conversation.created
Tenant       acme
Endpoint     crm
Status       failed
Happened     2024-03-05 10:30:00 UTC (10m ago)
Stored       2024-03-05 10:30:01 UTC (9m ago)
Traceparent  00-1-2-01

TRY  STARTED               TOOK  VERDICT  STATUS  ADDRESS          ERROR
1    2024-03-05T10:30:01Z  1ms   retry    -                        connection refused
2    2024-03-05T10:39:00Z  12ms  retry    500     203.0.113.7:443  the endpoint answered 500
`
	const tail = `
Answer to try 2: 500
  Content-Type: text/plain
  X: a\x1b
  X: b

  out of order
  \x1b[2J

Data
  {
    "id": "conv_1",
    "text": "a\u009bb"
  }
`
	r.wants(r.run("show", "dlv_1_crm"), result{Out: head[1:] + tail})
	r.wants(r.run("show", "-v", "dlv_1_crm"), result{Out: head[1:] + "\nRequest of try 2\n  Webhook-Id: evt_1\n" + tail})
	r.width = 120
	if got := r.run("show", "dlv_1_crm"); got.Notes != "\nTo deliver it again: caddy webhooks retry dlv_1_crm\n" {
		t.Errorf("printed %+v", got)
	}
	r.width = 0
	r.ok("GET deliveries/dlv_1_crm", `{"id":"dlv_1_crm","b":2}`)
	r.wants(r.run("show", "dlv_1_crm", "--json"), result{Out: "{\n  \"id\": \"dlv_1_crm\",\n  \"b\": 2\n}\n"})
}

func TestShowEvent(t *testing.T) {
	r := newRig(t)
	r.ok("GET events/evt_1", `{"id":"evt_1","event":"message.created","timestamp":"2024-03-05T10:39:59Z","stored_at":"2024-03-05T10:39:59Z",
		"data_base64":"AAEC","content_type":"application/octet-stream","deliveries":[`+doneDelivery+`]}`)
	r.wants(r.run("show", "evt_1"), result{Out: `
Event     evt_1
Type      message.created
Happened  2024-03-05 10:39:59 UTC (1s ago)
Stored    2024-03-05 10:39:59 UTC (1s ago)

DELIVERY   STORED                EVENT            STATUS     TRIES  LAST
dlv_3_crm  2024-03-05T10:39:59Z  message.created  succeeded  1      204 in 8ms

Data application/octet-stream
  (3 bytes that are no text: --json has them in base64)
`[1:]})
	r.ok("GET events/evt_1", `{"id":"evt_1","event":"a","timestamp":"2024-03-05T10:39:59Z","stored_at":"2024-03-05T10:39:59Z","data":1,"deliveries":[]}`)
	if got := r.run("show", "evt_1"); !strings.Contains(got.Out, "\nNo endpoint wanted it: it has no deliveries.\n\nData\n  1\n") {
		t.Errorf("printed %+v", got)
	}
}

// TestShowFinds looks for an ID where it probably is, and then elsewhere.
func TestShowFinds(t *testing.T) {
	notFound := reply{status: 404, body: `{"detail":"there is no such thing"}`}
	all := []string{"GET deliveries/X", "GET events/X", "GET endpoints/X", "GET replays/X"}
	for _, tt := range []struct {
		id, escaped, at string
		asked           []int // of all, in this order
	}{
		{"evt_1", "evt_1", "events", []int{1}},
		{"ep_1", "ep_1", "endpoints", []int{2}},
		{"rpl_1", "rpl_1", "replays", []int{3}},
		{"crm", "crm", "endpoints", []int{0, 1, 2}},
		{"dlv_of/me", "dlv_of%2Fme", "events", []int{0, 1}}, // the publisher's own ID
		{"..", "%2E%2E", "events", []int{0, 1}},
	} {
		t.Run(tt.id, func(t *testing.T) {
			r := newRig(t)
			want := make([]string, 0, len(tt.asked))
			for _, i := range tt.asked {
				want = append(want, strings.ReplaceAll(all[i], "X", tt.escaped))
			}
			for _, request := range all {
				r.answer(strings.ReplaceAll(request, "X", tt.escaped), notFound)
			}
			r.ok("GET "+tt.at+"/"+tt.escaped, `{"found":true}`)
			r.wants(r.run("show", tt.id, "--json"), result{Out: "{\n  \"found\": true\n}\n"})
			r.wasAsked(want...)
		})
	}
	r := newRig(t)
	for _, request := range all {
		r.answer(strings.ReplaceAll(request, "X", "none"), notFound)
	}
	r.wants(r.run("show", "none"), result{Code: 1, Notes: "Error: there is no delivery, event, endpoint or replay \"none\": look the ID up in `caddy webhooks deliveries` or `caddy webhooks endpoints`\n"})
	// A refusal that is not about the ID is not passed over.
	r.answer("GET deliveries/none", reply{status: 503, body: `{"detail":"the store cannot be read"}`})
	r.wants(r.run("show", "none"), result{Code: 1, Notes: "Error: the store cannot be read\n"})
}

// TestShowEventOfTenants tells apart events of one ID, which tenants choose without
// knowing of each other.
func TestShowEventOfTenants(t *testing.T) {
	r := newRig(t)
	notFound := reply{status: 404, body: `{"detail":"there is no such thing"}`}
	r.answer("GET deliveries/order-17", notFound)
	r.answer("GET events/order-17", reply{status: 409, body: `{"detail":"say whose is meant with the parameter tenant"}`})
	r.ok("GET events/order-17?tenant=acme", `{"tenant":"acme"}`)
	r.ok("GET events/order-17?tenant=", `{"tenant":""}`)
	r.wants(r.run("show", "order-17"), result{Code: 1, Notes: "Error: several tenants have an event of the ID \"order-17\": say by --tenant whose is meant\n"})
	r.wants(r.run("show", "order-17", "--tenant", "acme", "--json"), result{Out: "{\n  \"tenant\": \"acme\"\n}\n"})
	r.wants(r.run("show", "order-17", "--tenant", "", "--json"), result{Out: "{\n  \"tenant\": \"\"\n}\n"})
}

const crm = `{"id":"crm","tenant":"acme","url":"https://crm.example/hooks","description":"The CRM","events":["conversation.*","message.created"],"headers":{"X-B":"[hidden]","X-A":"[hidden]"},
	"rate":"100/s","retry":["5s","5m"],"read_only":true,"state":"disabled","reason":"it answered 410","signed":true,"last_success_at":"2024-03-04T10:00:00Z","pending":3}`

func TestShowEndpoint(t *testing.T) {
	r := newRig(t)
	r.ok("GET endpoints/ep_1", crm)
	r.wants(r.run("show", "ep_1"), result{
		Out: `
Endpoint       crm
Tenant         acme
Description    The CRM
URL            https://crm.example/hooks
State          disabled
Reason         it answered 410
Pending        3
Events         conversation.* message.created
Headers        X-A, X-B
Rate           100/s
Retries after  5s 5m
Signed         yes
Last success   2024-03-04 10:00:00 UTC (24h ago)
Managed in     the configuration
`[1:],
	})
}

func TestEndpoints(t *testing.T) {
	r := newRig(t)
	r.ok("GET endpoints?limit=100&tenant=acme", `{"endpoints":[`+crm+`,{"id":"ep_2","url":"https://b.example","state":"active","pending":0}]}`)
	r.wants(r.run("endpoints", "--tenant", "acme"), result{Out: `
ENDPOINT  TENANT  STATE     PENDING  LAST SUCCESS          EVENTS                          URL                        REASON
crm       acme    disabled  3        2024-03-04T10:00:00Z  conversation.* message.created  https://crm.example/hooks  it answered 410
ep_2              active    0        -                     *                               https://b.example
`[1:]})

	r = newRig(t)
	r.ok("POST endpoints/crm/activate", `{"id":"crm","state":"active","pending":1}`)
	r.ok("POST endpoints/crm/deactivate", `{"id":"crm","state":"inactive","pending":2}`)
	r.wants(r.run("endpoints", "activate", "crm"), result{Out: "crm is active, 1 delivery is pending\n"})
	r.wants(r.run("endpoints", "deactivate", "crm"), result{Out: "crm is inactive, 2 deliveries are pending\n"})

	r = newRig(t)
	r.ok("POST endpoints/crm/rotate", `{"id":"crm","secret":"whsec_new","previous_secret_until":"2024-03-06T10:40:00Z"}`)
	r.wants(r.run("endpoints", "rotate", "crm", "--overlap", "1d"), result{
		Out:   "whsec_new\n",
		Notes: "The new secret of crm, shown this once:\nThe one before signs as well until 2024-03-06 10:40:00 UTC (in 24h).\n",
	})
	r.wants(r.run("endpoints", "rotate", "crm", "--json"), result{Out: "{\n  \"id\": \"crm\",\n  \"secret\": \"whsec_new\",\n  \"previous_secret_until\": \"2024-03-06T10:40:00Z\"\n}\n"})
	r.wasAsked(`POST endpoints/crm/rotate {"overlap":"1d"}`, "POST endpoints/crm/rotate {}")
}
