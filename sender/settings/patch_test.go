package settings_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

const everything = `,"description":"The CRM","events":["conversation.*"],"filter":"data.open","headers":{"X-A":"a","X-B":"b"},
	"format":"standard","rate":"5/10s burst 7","concurrency":3,"retry":["5s"],"timeout":"10s"`

// TestPatch guards the rules of JSON Merge Patch: what is absent stays, null
// goes back to the default, anything else replaces.
func TestPatch(t *testing.T) {
	for patch, want := range map[string]struct{ place, value string }{
		`{"description":"Another"}`:             {"description", "Another"},
		`{"description":null}`:                  {"description", ""},
		`{"description":""}`:                    {"description", ""},
		`{"events":["message.*"]}`:              {"events", `["message.*"]`},
		`{"events":null}`:                       {"events", ""},
		`{"filter":"data.closed"}`:              {"filter", "data.closed"},
		`{"filter":null}`:                       {"filter", ""},
		`{"headers":{"X-C":"c"}}`:               {"headers", `{"X-A":"[hidden]","X-B":"[hidden]","X-C":"[hidden]"}`},
		`{"headers":{"X-A":null}}`:              {"headers", `{"X-B":"[hidden]"}`},
		`{"headers":{"X-Z":null}}`:              {"headers", `{"X-A":"[hidden]","X-B":"[hidden]"}`},
		`{"headers":{"x-a":"[hidden]"}}`:        {"headers", `{"X-B":"[hidden]","x-a":"[hidden]"}`},
		`{"headers":{}}`:                        {"headers", `{"X-A":"[hidden]","X-B":"[hidden]"}`},
		`{"headers":null}`:                      {"headers", ""},
		`{"headers":{"X-A":null,"X-B":null}}`:   {"headers", ""},
		`{"format":"raw"}`:                      {"format", "raw"},
		`{"format":null}`:                       {"format", ""},
		`{"rate":"1/m"}`:                        {"rate", "1/m"},
		`{"rate":null}`:                         {"rate", ""},
		`{"concurrency":1,"ordering":"strict"}`: {"ordering", "strict"},
		`{"concurrency":null}`:                  {"concurrency", ""},
		`{"retry":["1m","2m"]}`:                 {"retry", `["1m","2m"]`},
		`{"retry":null}`:                        {"retry", ""},
		`{"timeout":"1m"}`:                      {"timeout", "1m"},
		`{"timeout":null}`:                      {"timeout", ""},
	} {
		t.Run(patch, func(t *testing.T) {
			r := newRig(t)
			id := r.create("/hooks", everything)
			before := r.do("GET", "/api/endpoints/"+id, "")
			a := r.do("PATCH", "/api/endpoints/"+id, patch).want(http.StatusOK)
			if got := a.at(want.place); got != want.value {
				t.Errorf("%s is %q, want %q", want.place, got, want.value)
			}
			if after := r.do("GET", "/api/endpoints/"+id, ""); after.body != a.body {
				t.Errorf("it was answered as\n%sand is\n%s", a.body, after.body)
			}
			for _, place := range []string{"id", "url", "description", "events", "filter", "headers", "format", "rate", "concurrency", "retry", "timeout", "signed", "created_at"} {
				if strings.Contains(patch, `"`+place+`"`) {
					continue
				}
				if was, is := before.at(place), a.at(place); was != is {
					t.Errorf("%s was %q and is %q, though nobody has changed it", place, was, is)
				}
			}
		})
	}
}

// TestPatchKeepsHiddenHeaders guards that what a client reads it can send back:
// the values that it was not shown stay, and are still sent.
func TestPatchKeepsHiddenHeaders(t *testing.T) {
	r := newRig(t)
	id := r.create("/hooks", `,"headers":{"X-Api-Key":"`+headerValue+`","X-Old":"old"},"active":true`)
	a := r.do("PATCH", "/api/endpoints/"+id, `{"headers":{"x-api-key":"[hidden]","X-Old":null,"X-New":"new"}}`).want(http.StatusOK)
	if got := a.at("headers"); got != `{"X-New":"[hidden]","x-api-key":"[hidden]"}` {
		t.Errorf("the headers are %s", got)
	}
	r.publish("evt_1", "message.created", `{}`)
	r.delivery("evt_1", 1)
	got := r.site.first().Header
	if got.Get("X-Api-Key") != headerValue || got.Get("X-New") != "new" || got.Get("X-Old") != "" {
		t.Errorf("the site has got %v", got)
	}
}

// TestHiddenHeadersStayWithTheirHost guards that nobody who does not know the
// value of a header has it sent to a host of his: not through the API, and not
// through the form of the pages. Who knows it writes it out.
func TestHiddenHeadersStayWithTheirHost(t *testing.T) {
	r := newRig(t)
	id := r.create("/hooks", `,"headers":{"X-Api-Key":"`+headerValue+`"},"active":true`)
	elsewhere := strings.Replace(r.site.URL, "127.0.0.1", "localhost", 1) + "/elsewhere"
	for _, headers := range []string{``, `,"headers":{}`, `,"headers":{"x-api-key":"[hidden]"}`, `,"headers":{"X-New":"new"}`} {
		r.do("PATCH", "/api/endpoints/"+id, `{"url":"`+elsewhere+`"`+headers+`}`).problem(http.StatusUnprocessableEntity, "headers")
	}
	r.do("PATCH", "/api/endpoints/"+id, `{"url":"none"}`).problem(http.StatusUnprocessableEntity, "url")
	form := url.Values{"url": {elsewhere}, "checked_url": {elsewhere}, "events": {"*"}, "headers": {"X-Api-Key: [hidden]"}}
	a := r.post("/endpoints/"+id+"/edit", form)
	if a.want(http.StatusUnprocessableEntity); !strings.Contains(a.body, "stays with the present host") {
		t.Errorf("the page does not say what is wrong: %s", a.body)
	}
	r.do("PATCH", "/api/endpoints/"+id, `{"url":"`+r.site.URL+`/moved"}`).want(http.StatusOK)
	for _, headers := range []string{`{"x-api-key":"` + headerValue + `"}`, `{"X-Api-Key":null}`, `null`} {
		id := r.create("/hooks", `,"headers":{"X-Api-Key":"`+headerValue+`"}`)
		r.do("PATCH", "/api/endpoints/"+id, `{"url":"`+elsewhere+`","headers":`+headers+`}`).want(http.StatusOK)
	}
}

// TestPatchKeepsHiddenPasswords guards the same for the password in a URL, and
// that it cannot be sent to another host by somebody who does not know it.
func TestPatchKeepsHiddenPasswords(t *testing.T) {
	r := newRig(t)
	host := strings.TrimPrefix(r.site.URL, "http://")
	created := r.do("POST", "/api/endpoints", `{"url":"http://crm:`+headerValue+`@`+host+`/hooks","active":true}`).want(http.StatusCreated)
	id, shown := created.at("id"), created.at("url")
	if want := "http://%5Bhidden%5D@" + host + "/hooks"; shown != want {
		t.Errorf("the URL is %s, want %s", shown, want)
	}
	r.do("PATCH", "/api/endpoints/"+id, `{"url":"`+shown+`/another"}`).want(http.StatusOK)
	r.publish("evt_1", "message.created", `{}`)
	r.delivery("evt_1", 1)
	got := r.site.first()
	if user, password, _ := got.BasicAuth(); user != "crm" || password != headerValue || got.URL.Path != "/hooks/another" {
		t.Errorf("the site has got %v", got)
	}
	r.do("POST", "/api/endpoints/"+id+"/test", "").want(http.StatusOK)
	for _, url := range []string{"http://%5Bhidden%5D@127.0.0.1:1/hooks", "http://%5Bhidden%5D@elsewhere.example/", "https://%5Bhidden%5D@" + host + "/hooks"} {
		r.do("PATCH", "/api/endpoints/"+id, `{"url":"`+url+`"}`).problem(http.StatusUnprocessableEntity, "url")
		r.do("POST", "/api/endpoints", `{"url":"`+url+`"}`).problem(http.StatusUnprocessableEntity, "url")
	}
}

func TestPatchRefusesWhatIsWrong(t *testing.T) {
	r := newRig(t)
	id := r.create("/hooks", everything)
	before := r.do("GET", "/api/endpoints/"+id, "").body
	refused := append([]struct{ members, field string }{
		{`"id":"mine"`, "id"},
		{`"tenant":"globex"`, "tenant"},
		{`"secret":"` + secretText + `"`, "secret"},
		{`"secrets":[]`, "secrets"},
		{`"signing":"none"`, "signing"},
		{`"active":true`, "active"},
		{`"state":"active"`, "state"},
		{`"read_only":false`, "read_only"},
		{`"created_at":null`, "created_at"},
		{`"pending":0`, "pending"},
		{`"concurrency":2,"ordering":"strict"`, "ordering"},
		{`"description":"good","timeout":"bad"`, "timeout"}, // nothing of it is done
	}, wrongSettings...)
	for _, tt := range refused {
		t.Run(tt.members, func(t *testing.T) {
			ask(t, r.Handler, "PATCH", "/api/endpoints/"+id, "{"+tt.members+"}").problem(http.StatusUnprocessableEntity, tt.field)
		})
	}
	if after := r.do("GET", "/api/endpoints/"+id, "").body; after != before {
		t.Errorf("it was\n%sand is\n%s", before, after)
	}
}

// TestPatchOfEverythingThatIsNotTold guards the sentences for members that an
// answer has and a change may not: none of them is called unknown.
func TestPatchOfEverythingThatIsNotTold(t *testing.T) {
	r := newRig(t)
	id := r.create("/hooks", "")
	properties := openAPI().doc["components"].(map[string]any)["schemas"].(map[string]any)["Endpoint"].(map[string]any)["properties"].(map[string]any)
	settable := openAPI().doc["components"].(map[string]any)["schemas"].(map[string]any)["EndpointPatch"].(map[string]any)["properties"].(map[string]any)
	for name := range properties {
		if settable[name] != nil {
			continue
		}
		a := r.do("PATCH", "/api/endpoints/"+id, `{"`+name+`":null}`).problem(http.StatusUnprocessableEntity, name)
		if strings.Contains(a.body, "unknown") {
			t.Errorf("%s: %s", name, a.body)
		}
	}
}
