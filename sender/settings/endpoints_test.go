package settings_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/manysends/caddy-webhooks/sender/settings"
	"github.com/manysends/caddy-webhooks/webhook"
)

const otherSecretText = "whsec_ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA="

func TestCreateEndpointWithEverything(t *testing.T) {
	r := newRig(t)
	a := r.do("POST", "/api/endpoints", `{
		"url": "`+r.site.URL+`/hooks", "description": "The CRM", "events": ["conversation.*", "message.created"],
		"filter": "data.priority == \"high\"", "headers": {"X-Api-Key": "`+headerValue+`"}, "format": "standard",
		"rate": "100/s burst 200", "concurrency": 1, "ordering": "strict", "retry": ["5s", "1h30m", "2d"],
		"timeout": "10s", "secret": "`+secretText+`", "active": true}`).want(http.StatusCreated)
	for place, want := range map[string]string{
		"url": r.site.URL + "/hooks", "description": "The CRM", "events": `["conversation.*","message.created"]`,
		"filter": `data.priority == "high"`, "headers": `{"X-Api-Key":"[hidden]"}`, "format": "standard",
		"rate": "100/s burst 200", "concurrency": "1", "ordering": "strict", "retry": `["5s","1h30m","48h"]`,
		"timeout": "10s", "state": "active", "signed": "true", "read_only": "false", "tenant": "acme",
		"created_at": "2024-03-05T10:30:00Z", "updated_at": "2024-03-05T10:30:00Z", "pending": "0",
		"secret": "", // it was given
	} {
		if got := a.at(place); got != want {
			t.Errorf("%s is %s, want %s", place, got, want)
		}
	}
	id := a.at("id")
	if got := a.header.Get("Location"); got != "endpoints/"+id {
		t.Errorf("the location is %q", got)
	}
	shown := r.do("GET", "/api/endpoints/"+id, "").want(http.StatusOK)
	if shown.body != a.body {
		t.Errorf("it was answered as\n%sand is\n%s", a.body, shown.body)
	}
	list := r.do("GET", "/api/endpoints", "").want(http.StatusOK)
	if list.at("endpoints.0.id") != "fixed" || list.at("endpoints.0.read_only") != "true" || list.at("endpoints.1.id") != id || list.at("endpoints.2") != "" {
		t.Errorf("the list is %s", list.body)
	}
	if got := r.do("GET", "/api/endpoints/"+id+"/secret", "").want(http.StatusOK).at("secrets.0.secret"); got != secretText {
		t.Errorf("the secret is %s", got)
	}
}

func TestCreateEndpointMakesTheSecretThatIsAskedFor(t *testing.T) {
	for members, want := range map[string]string{
		``:                     "whsec_",
		`,"signing":"hmac"`:    "whsec_",
		`,"signing":"ed25519"`: "whsk_",
		`,"signing":null`:      "whsec_",
		`,"signing":"none"`:    "",
		`,"secret":null`:       "whsec_",
		`,"active":null`:       "whsec_",
	} {
		t.Run(members, func(t *testing.T) {
			r := newRig(t)
			a := r.do("POST", "/api/endpoints", `{"url":"`+r.site.URL+`"`+members+`}`).want(http.StatusCreated)
			id, secret := a.at("id"), a.at("secret")
			if !strings.HasPrefix(secret, want) || (secret == "") != (want == "") || (a.at("signed") == "true") != (want != "") {
				t.Errorf("it is answered %s", a.body)
			}
			if _, err := webhook.ParseSigner(secret); secret != "" && err != nil {
				t.Errorf("the secret cannot be used: %v", err)
			}
			if (a.at("public_keys.0") != "") != (want == "whsk_") {
				t.Errorf("the public keys are %s", a.at("public_keys"))
			}
			if a.at("state") != "inactive" {
				t.Errorf("it is %s", a.at("state"))
			}
			if again := r.do("GET", "/api/endpoints/"+id, "").at("secret"); again != "" {
				t.Errorf("the secret is shown a second time: %s", again)
			}
			if got := r.do("GET", "/api/endpoints/"+id+"/secret", "").want(http.StatusOK).at("secrets.0.secret"); got != secret {
				t.Errorf("the secret was answered as %s and is %s", secret, got)
			}
		})
	}
}

// wrongSettings are members that no endpoint can have, with the field to blame.
var wrongSettings = []struct{ members, field string }{
	{`"url":"https://"`, "url"},
	{`"url":"ftp://example.com"`, "url"},
	{`"url":7`, "url"},
	{`"url":null`, "url"},
	{`"description":["a"]`, "description"},
	{`"events":[]`, "events"},
	{`"events":"message.created"`, "events"},
	{`"events":["Message"]`, "events"},
	{`"events":[null]`, "events"},
	{`"events":[7]`, "events"},
	{`"filter":"data."`, "filter"},
	{`"headers":{"A":7}`, "headers"},
	{`"headers":["A"]`, "headers"},
	{`"headers":{"A":"a","a":"b"}`, "headers"},
	{`"headers":{"Host":"a"}`, "headers"},
	{`"headers":{"A B":"a"}`, "headers"},
	{`"headers":{"A":"a\nb"}`, "headers"},
	{`"headers":{"A":"[hidden]"}`, "headers"},
	{`"format":"xml"`, "format"},
	{`"rate":"fast"`, "rate"},
	{`"rate":"0/s"`, "rate"},
	{`"rate":"1/s burst"`, "rate"},
	{`"rate":"1/s burst 0"`, "rate"},
	{`"rate":"1/s burst 99999999999999999999"`, "rate"},
	{`"rate":{"events":1}`, "rate"},
	{`"concurrency":-1`, "concurrency"},
	{`"concurrency":1.5`, "concurrency"},
	{`"concurrency":1e1`, "concurrency"},
	{`"concurrency":99999999999999999999`, "concurrency"},
	{`"concurrency":"16"`, "concurrency"},
	{`"ordering":"loose"`, "ordering"},
	{`"retry":"5s"`, "retry"},
	{`"retry":[]`, "retry"},
	{`"retry":["soon"]`, "retry"},
	{`"retry":["-5s"]`, "retry"},
	{`"retry":[5]`, "retry"},
	{`"timeout":"soon"`, "timeout"},
	{`"timeout":"-1s"`, "timeout"},
	{`"timeout":30`, "timeout"},
	{`"endpoint":"a"`, "endpoint"},
}

// TestEndpointsAreBounded: a tenant makes as many endpoints as it may, through the
// API and on the pages, and what it has takes nothing from another.
func TestEndpointsAreBounded(t *testing.T) {
	r := newRig(t)
	r.MaxEndpoints = 2
	first := r.create("/1", "")
	r.create("/2", "")
	a := r.do("POST", "/api/endpoints", `{"url":"`+r.site.URL+`/3"}`).problem(http.StatusUnprocessableEntity, "")
	if !strings.Contains(a.body, "there are 2 already, of 2 that there may be") {
		t.Errorf("it is refused with %s", a.body)
	}
	r.post("/new", r.webhookForm("/3")).want(http.StatusUnprocessableEntity).has("There are 2 already")
	r.as("globex")
	r.create("/theirs", "")
	r.as("acme")
	r.do("DELETE", "/api/endpoints/"+first, "").want(http.StatusNoContent)
	r.create("/3", "")
	r.MaxEndpoints = -1
	r.create("/4", "")
	for _, tt := range []struct {
		h    *settings.Handler
		want int
	}{
		{&settings.Handler{Tenant: r.Tenant}, settings.DefaultMaxEndpoints}, {&settings.Handler{}, 0}, {&settings.Handler{Operator: true}, 0},
		{&settings.Handler{Tenant: r.Tenant, MaxEndpoints: -1}, 0}, {&settings.Handler{MaxEndpoints: 3}, 3},
	} {
		if got := settings.Most(tt.h); got != tt.want {
			t.Errorf("tenant %t, %d: %d endpoints may be made, want %d", tt.h.Tenant != nil, tt.h.MaxEndpoints, got, tt.want)
		}
	}
}

func TestCreateEndpointRefusesWhatIsWrong(t *testing.T) {
	r := newRig(t)
	for _, tt := range wrongSettings {
		t.Run(tt.members, func(t *testing.T) {
			members := tt.members
			if tt.field != "url" {
				members = `"url":"` + r.site.URL + `",` + members
			}
			ask(t, r.Handler, "POST", "/api/endpoints", "{"+members+"}").problem(http.StatusUnprocessableEntity, tt.field)
		})
	}
	for _, tt := range []struct{ members, field string }{
		{`"id":"mine"`, "id"},
		{`"tenant":"globex"`, "tenant"},
		{`"secret":""`, "secret"},
		{`"secret":7`, "secret"},
		{`"secret":"hunter2"`, "secret"},
		{`"secret":"whsec_c2hvcnQ="`, "secret"},
		{`"secret":"` + secretText + `","signing":"hmac"`, "signing"},
		{`"secrets":["` + secretText + `"]`, "secrets"},
		{`"signing":"rsa"`, "signing"},
		{`"signing":true`, "signing"},
		{`"active":"yes"`, "active"},
		{`"state":"active"`, "state"},
	} {
		t.Run(tt.members, func(t *testing.T) {
			a := ask(t, r.Handler, "POST", "/api/endpoints", `{"url":"`+r.site.URL+`",`+tt.members+"}").problem(http.StatusUnprocessableEntity, tt.field)
			for _, secret := range []string{"hunter2", secretText[6:], "c2hvcnQ"} {
				if strings.Contains(a.body, secret) {
					t.Errorf("the secret is answered: %s", a.body)
				}
			}
		})
	}
	if list := r.do("GET", "/api/endpoints", ""); list.at("endpoints.1") != "" {
		t.Errorf("something was made: %s", list.body)
	}
}

func TestAnEndpointOfTheConfigurationIsReadOnly(t *testing.T) {
	r := newRig(t)
	before := r.do("GET", "/api/endpoints/fixed", "").want(http.StatusOK)
	r.do("PATCH", "/api/endpoints/fixed", `{"description":"x"}`).problem(http.StatusConflict, "")
	r.do("DELETE", "/api/endpoints/fixed", "").problem(http.StatusConflict, "")
	r.do("POST", "/api/endpoints/fixed/deactivate", "").problem(http.StatusConflict, "")
	r.do("POST", "/api/endpoints/fixed/rotate", "").problem(http.StatusConflict, "")
	r.do("POST", "/api/endpoints/fixed/activate", "").want(http.StatusOK)
	r.do("PATCH", "/api/endpoints/fixed", `{}`).want(http.StatusOK)
	if after := r.do("GET", "/api/endpoints/fixed", "").want(http.StatusOK); after.body != before.body {
		t.Errorf("it was\n%sand is\n%s", before.body, after.body)
	}
	if got := r.do("GET", "/api/endpoints/fixed/secret", "").want(http.StatusOK); got.body != `{"secrets":[{"secret":"`+secretText+`"}]}`+"\n" {
		t.Errorf("the secrets are %s", got.body)
	}
}

func TestRotateSecret(t *testing.T) {
	for name, tt := range map[string]struct {
		body     string
		secrets  int
		until    string // the previous one signs
		shown    bool
		wantKind string
	}{
		"as a rule":         {``, 2, "2024-03-06T10:30:00Z", true, "whsec_"},
		"with no members":   {`{}`, 2, "2024-03-06T10:30:00Z", true, "whsec_"},
		"with an overlap":   {`{"overlap":"2h"}`, 2, "2024-03-05T12:30:00Z", true, "whsec_"},
		"at once":           {`{"overlap":"0s"}`, 1, "", true, "whsec_"},
		"to another kind":   {`{"signing":"ed25519"}`, 2, "2024-03-06T10:30:00Z", true, "whsk_"},
		"to a secret given": {`{"secret":"` + otherSecretText + `"}`, 2, "2024-03-06T10:30:00Z", false, otherSecretText},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			id := r.create("/hooks", `,"secret":"`+secretText+`"`)
			a := r.do("POST", "/api/endpoints/"+id+"/rotate", tt.body).want(http.StatusOK)
			if (a.at("secret") != "") != tt.shown || !tt.shown && strings.Contains(a.body, "whsec_") || a.at("previous_secret_until") != tt.until {
				t.Errorf("it is answered %s", a.body)
			}
			secrets := r.do("GET", "/api/endpoints/"+id+"/secret", "").want(http.StatusOK)
			newest := secrets.at("secrets.0.secret")
			if !strings.HasPrefix(newest, tt.wantKind) || tt.shown && newest != a.at("secret") {
				t.Errorf("the answer is %s and the secrets are %s", a.body, secrets.body)
			}
			before := ""
			if tt.secrets == 2 {
				before = secretText
			}
			if secrets.at("secrets.1.secret") != before || secrets.at("secrets.1.expires_at") != tt.until || secrets.at("secrets.2") != "" {
				t.Errorf("the secrets are %s", secrets.body)
			}
		})
	}
	r := newRig(t)
	id := r.create("/hooks", `,"secret":"`+secretText+`"`)
	for _, tt := range []struct{ body, field string }{
		{`{"overlap":"-1h"}`, "overlap"},
		{`{"overlap":"soon"}`, "overlap"},
		{`{"overlap":3600}`, "overlap"},
		{`{"secret":"hunter2"}`, "secret"},
		{`{"secret":"` + secretText + `"}`, "secret"}, // it has it already
		{`{"secret":"` + otherSecretText + `","signing":"hmac"}`, "signing"},
		{`{"signing":"rsa"}`, "signing"},
	} {
		r.do("POST", "/api/endpoints/"+id+"/rotate", tt.body).problem(http.StatusUnprocessableEntity, tt.field)
	}
}

func TestTestEndpoint(t *testing.T) {
	r := newRig(t)
	id := r.create("/hooks", `,"events":["message.*"],"headers":{"X-Api-Key":"`+headerValue+`"}`)
	a := r.do("POST", "/api/endpoints/"+id+"/test", "").want(http.StatusOK)
	if a.at("ok") != "true" || a.at("type") != "message.created" || a.at("attempt.status_code") != "200" || a.at("request.method") != "POST" {
		t.Errorf("the report is %s", a.body)
	}
	if got := r.site.ids("/hooks"); len(got) != 1 || got[0] != a.at("event_id") {
		t.Errorf("the site has got %q, and the report is %s", got, a.body)
	}
	if got := r.do("GET", "/api/endpoints/"+id, "").at("state"); got != "tested" {
		t.Errorf("the endpoint is %s", got)
	}
	r.site.answers(500, "out of order")
	a = r.do("POST", "/api/endpoints/"+id+"/test", `{"type":"conversation.created"}`).want(http.StatusOK)
	if a.at("ok") != "false" || a.at("type") != "conversation.created" || a.at("attempt.response_body") != "out of order" {
		t.Errorf("the report is %s", a.body)
	}
	r.do("POST", "/api/endpoints/"+id+"/test", `{"type":"nothing.known"}`).problem(http.StatusUnprocessableEntity, "type")
	r.do("POST", "/api/endpoints/"+id+"/test", `{"type":7}`).problem(http.StatusUnprocessableEntity, "type")
	if list := r.do("GET", "/api/deliveries", ""); list.at("deliveries.0") != "" {
		t.Errorf("a test has made a delivery: %s", list.body)
	}
}

func TestEventTypes(t *testing.T) {
	r := newRig(t)
	a := r.do("GET", "/api/event-types", "").want(http.StatusOK)
	if a.at("event_types.0.name") != "conversation.created" || a.at("event_types.0.group") != "Conversation" || a.at("event_types.17.name") != "conversation.labeled" {
		t.Errorf("the catalogue is %s", a.body)
	}
}
