package settings_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/manysends/caddy-webhooks/sender/settings"
)

// operated is a rig whose handler serves the operator. There is the endpoint
// "fixed" of acme, and one endpoint each of globex and of nobody, made through
// the API.
func operated(t *testing.T) (r *rig, globex, nobody string) {
	t.Helper()
	r = newRig(t)
	r.Handler = &settings.Handler{Sender: r.Sender, Operator: true, HideSecrets: true, Logger: r.Logger}
	globex = r.create("/globex", `,"active":true,"tenant":"globex"`)
	r.clock.advance(1)
	nobody = r.create("/nobody", `,"active":true`)
	return r, globex, nobody
}

// ids are those of the objects of a list.
func (a *answer) ids(list string) string {
	var ids []string
	for i := 0; a.at(list+"."+strconv.Itoa(i)) != ""; i++ {
		ids = append(ids, a.at(list+"."+strconv.Itoa(i)+".id"))
	}
	return strings.Join(ids, " ")
}

func TestOperatorSeesAllTenants(t *testing.T) {
	r, globex, nobody := operated(t)
	for _, tt := range []struct{ tenant, id, eventType string }{
		{"acme", "evt_1", "agent.created"}, {"globex", "evt_2", "message.created"}, {"", "evt_3", "message.created"},
		{"globex", "evt_twice", "message.created"}, {"", "evt_twice", "message.created"},
	} {
		r.as(tt.tenant)
		r.publish(tt.id, tt.eventType, `{}`)
	}
	until(t, "all is delivered", func() bool { return len(r.do("GET", "/api/deliveries?status=succeeded", "").eventIDs()) == 5 })

	for query, want := range map[string]string{
		"":               "fixed " + globex + " " + nobody,
		"?tenant=acme":   "fixed",
		"?tenant=globex": globex,
		"?tenant=":       nobody,
		"?tenant=none":   "",
		"?tenant=*":      "fixed " + globex + " " + nobody,
	} {
		if got := r.do("GET", "/api/endpoints"+query, "").want(http.StatusOK).ids("endpoints"); got != want {
			t.Errorf("endpoints%s: %s, want %s", query, got, want)
		}
	}
	list := r.do("GET", "/api/endpoints", "")
	for i, want := range []string{"acme", "globex", ""} {
		if got := list.at("endpoints." + strconv.Itoa(i) + ".tenant"); got != want {
			t.Errorf("endpoint %d is of %q, want %q", i, got, want)
		}
	}
	if n := strings.Count(list.body, `"tenant":`); n != 3 {
		t.Errorf("the tenant is told %d times, want of each endpoint: %s", n, list.body)
	}

	for query, want := range map[string]string{
		"":                          "evt_twice evt_twice evt_3 evt_2 evt_1",
		"?tenant=globex":            "evt_twice evt_2",
		"?tenant=":                  "evt_twice evt_3",
		"?tenant=acme&type=agent.*": "evt_1",
		"?endpoint=" + globex:       "evt_twice evt_2",
	} {
		a := r.do("GET", "/api/deliveries"+query, "").want(http.StatusOK)
		if got := strings.Join(a.eventIDs(), " "); got != want {
			t.Errorf("deliveries%s: %s, want %s", query, got, want)
		}
		if strings.Count(a.body, `"tenant":`) != len(a.eventIDs()) {
			t.Errorf("deliveries%s does not tell of each whose it is: %s", query, a.body)
		}
	}
	for query, want := range map[string]string{"": "5", "?tenant=globex": "2", "?tenant=": "2", "?tenant=acme": "1", "?tenant=none": "0"} {
		if got := r.do("GET", "/api/stats"+query, "").want(http.StatusOK).at("total.attempts"); got != want {
			t.Errorf("stats%s: %s attempts, want %s", query, got, want)
		}
	}

	event := r.do("GET", "/api/events/evt_2", "").want(http.StatusOK)
	if event.at("tenant") != "globex" || event.at("deliveries.0.tenant") != "globex" {
		t.Errorf("the event is %s", event.body)
	}
	r.do("GET", "/api/events/evt_twice", "").problem(http.StatusConflict, "")
	for _, tenant := range []string{"globex", ""} {
		if a := r.do("GET", "/api/events/evt_twice?tenant="+tenant, "").want(http.StatusOK); a.at("tenant") != tenant {
			t.Errorf("the event of %q is %s", tenant, a.body)
		}
	}
	r.do("GET", "/api/events/evt_2?tenant=acme", "").problem(http.StatusNotFound, "")
	r.do("GET", "/api/events/evt_2?tenant=a&tenant=b", "").problem(http.StatusUnprocessableEntity, "tenant")

	delivery := event.at("deliveries.0.id")
	if a := r.do("GET", "/api/deliveries/"+delivery, "").want(http.StatusOK); a.at("tenant") != "globex" {
		t.Errorf("the delivery is %s", a.body)
	}
	if a := r.do("POST", "/api/deliveries/"+delivery+"/retry", "").want(http.StatusAccepted); a.at("tenant") != "globex" {
		t.Errorf("the delivery is %s", a.body)
	}
	r.attempted(delivery, 2)
	r.do("POST", "/api/deliveries/"+delivery+"/cancel", "").problem(http.StatusConflict, "")
	for _, operation := range []string{"deactivate", "activate", "test", "rotate"} {
		r.do("POST", "/api/endpoints/"+globex+"/"+operation, "").want(http.StatusOK)
	}
	if a := r.do("PATCH", "/api/endpoints/"+globex, `{"description":"of Globex"}`).want(http.StatusOK); a.at("tenant") != "globex" || a.at("description") != "of Globex" {
		t.Errorf("the endpoint is %s", a.body)
	}
	r.do("PATCH", "/api/endpoints/"+globex, `{"tenant":"acme"}`).problem(http.StatusUnprocessableEntity, "tenant")
	r.do("DELETE", "/api/endpoints/"+globex, "").want(http.StatusNoContent)
}

// attempted waits until a delivery has had some attempts.
func (r *rig) attempted(id string, attempts int) {
	r.t.Helper()
	until(r.t, "the delivery has had its attempts", func() bool {
		return r.do("GET", "/api/deliveries/"+id, "").want(http.StatusOK).at("attempts") == strconv.Itoa(attempts)
	})
}

func TestOperatorReplays(t *testing.T) {
	r, _, _ := operated(t)
	for _, tenant := range []string{"globex", ""} {
		r.as(tenant)
		r.publish("evt_"+tenant, "message.created", `{}`)
	}
	until(t, "all is delivered", func() bool { return len(r.do("GET", "/api/deliveries?status=succeeded", "").eventIDs()) == 2 })
	started := make(map[string]string)
	for member, want := range map[string]struct{ tenant, total string }{
		``:                   {"*", "2"},
		`,"tenant":null`:     {"*", "2"},
		`,"tenant":"globex"`: {"globex", "1"},
		`,"tenant":""`:       {"", "1"},
		`,"tenant":"none"`:   {"none", "0"},
	} {
		a := r.do("POST", "/api/replays", `{"statuses":["succeeded"],"dry_run":true`+member+`}`).want(http.StatusOK)
		if a.at("tenant") != want.tenant || a.at("total") != want.total || !strings.Contains(a.body, `"tenant":`) {
			t.Errorf("with %s: %s", member, a.body)
		}
		started[want.tenant] = r.do("POST", "/api/replays", `{"statuses":["failed"]`+member+`}`).want(http.StatusCreated).at("id")
	}
	if a := r.do("GET", "/api/replays/"+started["globex"], "").want(http.StatusOK); a.at("tenant") != "globex" {
		t.Errorf("the replay is %s", a.body)
	}
	if got := r.do("GET", "/api/replays?tenant=globex", "").want(http.StatusOK).ids("replays"); got != started["globex"] {
		t.Errorf("the replays of globex are %s, want %s", got, started["globex"])
	}
	if got := strings.Fields(r.do("GET", "/api/replays", "").want(http.StatusOK).ids("replays")); len(got) != 5 {
		t.Errorf("all replays are %s, want 5", got)
	}
	r.do("DELETE", "/api/replays/"+started["globex"], "").want(http.StatusOK)
	r.do("POST", "/api/replays", `{"tenant":7}`).problem(http.StatusUnprocessableEntity, "tenant")
	r.do("POST", "/api/replays", `{"tenant":"globex","endpoints":["fixed"]}`).problem(http.StatusUnprocessableEntity, "endpoints")

	// The replay of everybody's is nobody's to see but the operator's.
	r.Handler = &settings.Handler{Sender: r.Sender, Tenant: func(*http.Request) (string, bool) { return "globex", true }}
	r.do("GET", "/api/replays/"+started["*"], "").problem(http.StatusNotFound, "")
}

func TestOperatorNamesTheTenant(t *testing.T) {
	r, _, _ := operated(t)
	r.do("POST", "/api/endpoints", `{"url":"`+r.site.URL+`","tenant":"*"}`).problem(http.StatusUnprocessableEntity, "tenant")
	r.do("POST", "/api/endpoints", `{"url":"`+r.site.URL+`","tenant":7}`).problem(http.StatusUnprocessableEntity, "tenant")
	if a := r.do("POST", "/api/endpoints", `{"url":"`+r.site.URL+`","tenant":null}`).want(http.StatusCreated); !strings.Contains(a.body, `"tenant":""`) {
		t.Errorf("without a tenant the endpoint is %s", a.body)
	}
}

// TestHiddenSecrets guards that nobody reads a secret where they are hidden,
// and that one that has just been made can be had all the same.
func TestHiddenSecrets(t *testing.T) {
	r, globex, _ := operated(t)
	r.do("GET", "/api/endpoints/"+globex+"/secret", "").problem(http.StatusForbidden, "")
	r.do("GET", "/api/endpoints/fixed/secret", "").problem(http.StatusForbidden, "")
	if a := r.do("POST", "/api/endpoints/"+globex+"/rotate", "").want(http.StatusOK); !strings.HasPrefix(a.at("secret"), "whsec_") {
		t.Errorf("the new secret is not shown: %s", a.body)
	}
}

// TestOperatorIsNoTenant guards a mistake in the set-up that would show
// everything to a tenant.
func TestOperatorIsNoTenant(t *testing.T) {
	r := newRig(t)
	r.Operator = true
	for _, o := range private() {
		a := send(t, r.Handler, o.method, o.somePath(), "").problem(http.StatusInternalServerError, "")
		if strings.Contains(a.body, "Operator") {
			t.Errorf("%s: the cause is answered: %s", o, a.body)
		}
	}
	if !strings.Contains(r.log.String(), "Operator and Tenant") {
		t.Errorf("the cause is not in the log: %s", r.log)
	}
}

// TestTenantsDoNotChooseTheTenant guards that what the operator may say does
// nothing for a tenant.
func TestTenantsDoNotChooseTheTenant(t *testing.T) {
	r := newRig(t)
	for _, path := range []string{"/api/endpoints", "/api/deliveries", "/api/replays", "/api/stats"} {
		r.do("GET", path+"?tenant=globex", "").problem(http.StatusUnprocessableEntity, "tenant")
	}
	r.publish("evt_1", "agent.created", `{}`)
	r.as("globex")
	r.do("GET", "/api/events/evt_1?tenant=acme", "").problem(http.StatusNotFound, "")
	r.do("POST", "/api/endpoints", `{"url":"`+r.site.URL+`","tenant":"acme"}`).problem(http.StatusUnprocessableEntity, "tenant")
}

func TestPages(t *testing.T) {
	r, globex, nobody := operated(t)
	for range 3 {
		r.clock.advance(1)
		r.do("POST", "/api/replays", `{"statuses":["failed"]}`).want(http.StatusCreated)
	}
	for list, all := range map[string]string{
		"endpoints": "fixed " + globex + " " + nobody,
		"replays":   r.do("GET", "/api/replays", "").ids("replays"),
	} {
		path := "/api/" + list + "?limit=1"
		var pages []string
		for next := ""; ; {
			a := r.do("GET", path+next, "").want(http.StatusOK)
			pages = append(pages, a.ids(list))
			if a.at("next") == "" {
				break
			}
			next = "&cursor=" + a.at("next")
		}
		if got := strings.Join(pages, " "); got != all || len(pages) != 3 {
			t.Errorf("%s in %d pages: %s, want %s in 3", list, len(pages), got, all)
		}
		for query, field := range map[string]string{
			"limit=0": "limit", "limit=1001": "limit", "limit=many": "limit", "cursor=x": "cursor", "cursor=YyBtIGE": "cursor", "order=newest": "order",
		} {
			r.do("GET", "/api/"+list+"?"+query, "").problem(http.StatusUnprocessableEntity, field)
		}
	}
	first := r.do("GET", "/api/endpoints?limit=1", "").at("next")
	r.do("GET", "/api/endpoints?tenant=globex&cursor="+first, "").problem(http.StatusUnprocessableEntity, "cursor")
	r.do("GET", "/api/replays?cursor="+first, "").problem(http.StatusUnprocessableEntity, "cursor")
}
