package settings_test

import (
	"net/http"
	"strings"
	"testing"
)

// TestWhatBelongsToAnotherTenantDoesNotExist walks every operation of the
// OpenAPI file: with the ID of something that another tenant has, the answer is
// that of an ID that nobody has, byte for byte, and nothing has happened.
// Where something is listed, nothing of another tenant is.
func TestWhatBelongsToAnotherTenantDoesNotExist(t *testing.T) {
	r := newRig(t)
	const event, data = "evt_of_acme", "the-data-of-acme"
	endpoint := r.create("/hooks-of-acme", `,"active":true,"description":"The CRM of Acme"`)
	r.site.answers(500, "")
	r.publish(event, "message.created", `{"name":"`+data+`"}`)
	delivery := r.delivery(event, 1)
	replay := r.do("POST", "/api/replays", `{"statuses":["pending"],"rate":"1/h"}`).want(http.StatusCreated).at("id")
	r.replayed(replay)
	r.delivery(event, 2)
	theirs := map[string]struct{ real, other string }{
		"EndpointID": {endpoint, "ep_000000000000000000000000"},
		"DeliveryID": {delivery, "dlv_zzzz_" + endpoint},
		"EventID":    {event, "evt_of_nobody"},
		"ReplayID":   {replay, "rpl_000000000000000000000000"},
	}
	all := []string{
		"/api/endpoints", "/api/endpoints/" + endpoint, "/api/endpoints/" + endpoint + "/secret", "/api/endpoints/fixed",
		"/api/events/" + event, "/api/deliveries", "/api/deliveries/" + delivery, "/api/replays", "/api/replays/" + replay, "/api/stats",
	}
	state := func() (text string) {
		for _, path := range all {
			text += r.do("GET", path, "").want(http.StatusOK).body
		}
		return text
	}
	before := state()

	r.as("globex")
	walked, listed := 0, 0
	for _, o := range private() {
		if component := o.pathParameter(); component != "" {
			ids, known := theirs[component]
			if !known {
				t.Fatalf("%s: there is nothing of the kind %s to try it with", o, component)
			}
			if o.id == "updateEndpoint" {
				continue // below, with a body
			}
			walked++
			sameNotFound(t, r, o, ids.real, ids.other, "")
			if component == "EndpointID" {
				sameNotFound(t, r, o, "fixed", ids.other, "")
			}
			continue
		}
		if o.method != "GET" {
			continue
		}
		listed++
		queries := []string{""}
		if o.hasQuery("endpoint") {
			queries = append(queries, "?endpoint="+endpoint, "?endpoint="+endpoint+"&endpoint=fixed")
		}
		for _, query := range queries {
			a := r.do("GET", o.path+query, "").want(http.StatusOK)
			for _, of := range []string{endpoint, event, delivery, replay, data, "fixed", "acme", "Acme"} {
				if strings.Contains(a.body, of) {
					t.Errorf("%s%s shows %q of another tenant: %s", o, query, of, a.body)
				}
			}
			if o.id == "getStats" && (a.at("total.attempts") != "0" || a.at("pending") != "0") {
				t.Errorf("%s%s counts what another tenant has: %s", o, query, a.body)
			}
		}
	}
	patch := openAPI().find("PATCH", "/api/endpoints/x")
	sameNotFound(t, r, patch, endpoint, theirs["EndpointID"].other, `{"description":"taken over"}`)
	sameNotFound(t, r, patch, "fixed", theirs["EndpointID"].other, `{"description":"taken over"}`)
	sameNotFound(t, r, patch, endpoint, theirs["EndpointID"].other, `{"nonsense":true}`)
	sameNotFound(t, r, patch, endpoint, theirs["EndpointID"].other, `{}`)
	if walked < 12 || listed < 5 {
		t.Errorf("%d operations on one thing and %d listings were tried, want more", walked, listed)
	}

	// A replay reaches nothing either.
	a := r.do("POST", "/api/replays", `{"endpoints":["`+endpoint+`"],"dry_run":true}`).problem(http.StatusUnprocessableEntity, "endpoints")
	b := r.do("POST", "/api/replays", `{"endpoints":["`+theirs["EndpointID"].other+`"],"dry_run":true}`).problem(http.StatusUnprocessableEntity, "endpoints")
	if strings.ReplaceAll(a.body, endpoint, theirs["EndpointID"].other) != b.body {
		t.Errorf("of another tenant's endpoint it is answered\n%sand of nobody's\n%s", a.body, b.body)
	}
	if a := r.do("POST", "/api/replays", `{"statuses":["pending","succeeded","failed"],"dry_run":true}`).want(http.StatusOK); a.at("total") != "0" {
		t.Errorf("a replay selects what another tenant has: %s", a.body)
	}

	r.as("acme")
	if after := state(); after != before {
		t.Errorf("it was\n%sand is\n%s", before, after)
	}
	if got := len(r.site.ids("/hooks-of-acme")); got != 2 {
		t.Errorf("the site of acme has got %d requests, want 2", got)
	}
}

// sameNotFound checks that a request about something of another tenant is
// answered as one about nothing.
func sameNotFound(t *testing.T, r *rig, o *operation, theirs, other, body string) {
	t.Helper()
	if body == "" && o.doc["requestBody"] != nil {
		body = "{}"
	}
	a := r.do(o.method, strings.ReplaceAll(o.path, "{id}", theirs), body).problem(http.StatusNotFound, "")
	b := r.do(o.method, strings.ReplaceAll(o.path, "{id}", other), body).problem(http.StatusNotFound, "")
	if a.body != b.body || len(a.header) != len(b.header) {
		t.Errorf("%s: of another tenant's it is answered\n%v %sand of nobody's\n%v %s", o, a.header, a.body, b.header, b.body)
	}
}

// TestWithoutTenants guards the set-up for one tenant, who has no name.
func TestWithoutTenants(t *testing.T) {
	r := newRig(t)
	r.Tenant = nil
	id := r.create("/hooks", "")
	list := r.do("GET", "/api/endpoints", "").want(http.StatusOK)
	if list.at("endpoints.0.id") != id || list.at("endpoints.0.tenant") != "" || list.at("endpoints.1") != "" {
		t.Errorf("the list is %s", list.body)
	}
}
