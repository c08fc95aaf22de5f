package settings_test

import (
	"net/http"
	"testing"
)

// TestFromTheFirstToTheLast goes the whole way of an endpoint with a site that
// answers over HTTP.
func TestFromTheFirstToTheLast(t *testing.T) {
	r := newRig(t)

	// Created, it is inactive.
	created := r.do("POST", "/api/endpoints", `{"url":"`+r.site.URL+`/hooks","events":["conversation.*"]}`).want(http.StatusCreated)
	id := created.at("id")
	endpoint := "/api/endpoints/" + id
	if created.at("state") != "inactive" || created.at("secret") == "" {
		t.Fatalf("it is created as %s", created.body)
	}
	r.publish("evt_0", "conversation.created", `{}`)
	if a := r.do("GET", "/api/events/evt_0", "").want(http.StatusOK); a.at("deliveries") != "[]" {
		t.Errorf("an inactive endpoint gets an event: %s", a.body)
	}

	// Tested, then activated.
	if a := r.do("POST", endpoint+"/test", `{"type":"conversation.created"}`).want(http.StatusOK); a.at("ok") != "true" {
		t.Errorf("the test is %s", a.body)
	}
	if a := r.do("GET", endpoint, "").want(http.StatusOK); a.at("state") != "tested" {
		t.Errorf("after a test it is %s", a.body)
	}
	if a := r.do("POST", endpoint+"/activate", "").want(http.StatusOK); a.at("state") != "active" {
		t.Errorf("activated, it is %s", a.body)
	}

	// Published, listed, looked at.
	r.publish("evt_1", "conversation.created", `{"id":"conv_123"}`)
	r.publish("evt_2", "message.created", `{}`) // not for it
	delivery := r.delivery("evt_1", 1)
	if a := r.do("GET", "/api/deliveries", "").want(http.StatusOK); a.at("deliveries.0.id") != delivery || a.at("deliveries.0.status") != "succeeded" || a.at("deliveries.1") != "" {
		t.Errorf("the deliveries are %s", a.body)
	}
	if a := r.do("GET", "/api/deliveries/"+delivery, "").want(http.StatusOK); a.at("data.id") != "conv_123" || a.at("history.0.status_code") != "200" {
		t.Errorf("the delivery is %s", a.body)
	}

	// Retried, then replayed.
	r.do("POST", "/api/deliveries/"+delivery+"/retry", "").want(http.StatusAccepted)
	r.delivery("evt_1", 2)
	if a := r.do("POST", "/api/replays", `{"statuses":["succeeded"],"dry_run":true}`).want(http.StatusOK); a.at("total") != "1" {
		t.Errorf("the dry run is %s", a.body)
	}
	replay := r.do("POST", "/api/replays", `{"statuses":["succeeded"]}`).want(http.StatusCreated).at("id")
	if a := r.replayed(replay); a.at("state") != "done" || a.at("replayed") != "1" {
		t.Errorf("the replay is %s", a.body)
	}
	r.delivery("evt_1", 3)
	if got := r.site.ids("/hooks"); len(got) != 4 || got[1] != "evt_1" || got[2] != "evt_1" || got[3] != "evt_1" {
		t.Errorf("the site has got %q: want the sample, and then the event three times", got)
	}
	if a := r.do("GET", "/api/stats", "").want(http.StatusOK); a.at("total.succeeded") != "3" {
		t.Errorf("the stats are %s", a.body)
	}

	// Rotated, deactivated, deleted.
	rotated := r.do("POST", endpoint+"/rotate", "").want(http.StatusOK)
	if rotated.at("secret") == "" || rotated.at("secret") == created.at("secret") || rotated.at("previous_secret_until") == "" {
		t.Errorf("rotated, it is %s", rotated.body)
	}
	if a := r.do("GET", endpoint+"/secret", "").want(http.StatusOK); a.at("secrets.0.secret") != rotated.at("secret") || a.at("secrets.1.secret") != created.at("secret") {
		t.Errorf("the secrets are %s", a.body)
	}
	if a := r.do("POST", endpoint+"/deactivate", "").want(http.StatusOK); a.at("state") == "active" {
		t.Errorf("deactivated, it is %s", a.body)
	}
	r.publish("evt_3", "conversation.created", `{}`)
	if a := r.do("GET", "/api/events/evt_3", "").want(http.StatusOK); a.at("deliveries") != "[]" {
		t.Errorf("a deactivated endpoint gets an event: %s", a.body)
	}
	r.do("DELETE", endpoint, "").want(http.StatusNoContent)
	r.do("GET", endpoint, "").problem(http.StatusNotFound, "")
	if a := r.do("GET", "/api/endpoints", "").want(http.StatusOK); a.at("endpoints.1") != "" {
		t.Errorf("the endpoints are %s", a.body)
	}
	// What became of its events is still there.
	r.do("GET", "/api/deliveries/"+delivery, "").want(http.StatusOK)
}
