package settings_test

import (
	"net/http"
	"slices"
	"testing"
	"time"
)

// replayed waits until a replay has ended, and returns it.
func (r *rig) replayed(id string) (a *answer) {
	r.t.Helper()
	until(r.t, "the replay has ended", func() bool {
		a = r.do("GET", "/api/replays/"+id, "").want(http.StatusOK)
		return a.at("state") != "running"
	})
	return a
}

func TestReplay(t *testing.T) {
	r, endpoint := published(t)
	const body = `"statuses":["succeeded"],"types":["message.*"],"from":"2024-03-05T10:30:00Z","to":"2024-03-05T12:30:00+02:00","rate":"1000/s burst 9"`
	dry := r.do("POST", "/api/replays", `{`+body[:len(body)-len(`,"rate":"1000/s burst 9"`)-len(`,"to":"2024-03-05T12:30:00+02:00"`)]+`,"dry_run":true}`).want(http.StatusOK)
	if dry.at("total") != "3" || dry.at("state") != "done" || dry.at("replayed") != "0" {
		t.Errorf("the dry run is %s", dry.body)
	}
	if got := len(r.site.ids("/hooks")); got != 5 {
		t.Errorf("the dry run has delivered: %d requests", got)
	}
	if list := r.do("GET", "/api/replays", "").want(http.StatusOK); list.at("replays.0") != "" {
		t.Errorf("the dry run is kept: %s", list.body)
	}

	a := r.do("POST", "/api/replays", `{"endpoints":["`+endpoint+`"],"statuses":["succeeded"],"types":["message.*"],"rate":"1000/s burst 9"}`).want(http.StatusCreated)
	id := a.at("id")
	if a.header.Get("Location") != "replays/"+id || a.at("request.rate") != "1000/s burst 9" || a.at("request.statuses") != `["succeeded"]` {
		t.Errorf("the replay is %s, at %q", a.body, a.header.Get("Location"))
	}
	a = r.replayed(id)
	if a.at("state") != "done" || a.at("replayed") != "3" || a.at("total") != "3" {
		t.Errorf("the replay is %s", a.body)
	}
	until(t, "three events are delivered again", func() bool { return len(r.site.ids("/hooks")) == 8 })
	again := r.site.ids("/hooks")[5:]
	slices.Sort(again)
	if want := []string{"evt_2", "evt_3", "evt_5"}; !slices.Equal(again, want) {
		t.Errorf("delivered again are %q, want %q", again, want)
	}
	if list := r.do("GET", "/api/replays", "").want(http.StatusOK); list.at("replays.0.id") != id || list.at("replays.1") != "" {
		t.Errorf("the list is %s", list.body)
	}
	// One that has ended stays as it is.
	if got := r.do("DELETE", "/api/replays/"+id, "").want(http.StatusOK); got.body != r.do("GET", "/api/replays/"+id, "").body || got.at("state") != "done" {
		t.Errorf("after it was cancelled the replay is %s", got.body)
	}
	r.do("GET", "/api/replays/nobody", "").problem(http.StatusNotFound, "")
	r.do("DELETE", "/api/replays/nobody", "").problem(http.StatusNotFound, "")
}

// TestReplayMissing: an endpoint that was made afterwards gets what it subscribes
// to, once.
func TestReplayMissing(t *testing.T) {
	r, _ := published(t)
	late := r.create("/late", `,"active":true,"events":["message.*"],"filter":"size(data) == 0"`)
	r.clock.advance(time.Second)
	body := `{"endpoints":["` + late + `"],"missing":true,"types":["message.created"]`
	if dry := r.do("POST", "/api/replays", body+`,"dry_run":true}`).want(http.StatusOK); dry.at("total") != "2" || dry.at("request.missing") != "true" {
		t.Errorf("the dry run is %s", dry.body)
	}
	if got := r.site.ids("/late"); len(got) != 0 {
		t.Errorf("the dry run has delivered %q", got)
	}
	for i, want := range []string{"2", "0"} {
		a := r.replayed(r.do("POST", "/api/replays", body+`}`).want(http.StatusCreated).at("id"))
		if a.at("state") != "done" || a.at("replayed") != want || a.at("total") != want {
			t.Errorf("replay %d is %s", i, a.body)
		}
	}
	until(t, "two events are delivered", func() bool { return len(r.site.ids("/late")) == 2 })
	if got, want := r.site.ids("/late"), []string{"evt_2", "evt_3"}; !slices.Equal(slices.Sorted(slices.Values(got)), want) {
		t.Errorf("delivered are %q, want %q", got, want)
	}
	list := r.do("GET", "/api/deliveries?endpoint="+late, "").want(http.StatusOK)
	if got := list.eventIDs(); !slices.Equal(got, []string{"evt_3", "evt_2"}) {
		t.Errorf("the deliveries are %q", got)
	}
}

func TestCancelReplay(t *testing.T) {
	r, _ := published(t)
	// One at a time, an hour apart, while the time stands still.
	id := r.do("POST", "/api/replays", `{"statuses":["succeeded"],"rate":"1/h"}`).want(http.StatusCreated).at("id")
	if a := r.do("DELETE", "/api/replays/"+id, "").want(http.StatusOK); a.at("state") != "cancelled" || a.at("finished_at") == "" {
		t.Errorf("the replay is %s", a.body)
	}
}

func TestReplayRefusesWhatIsWrong(t *testing.T) {
	r, _ := published(t)
	for _, tt := range []struct{ body, field string }{
		{`{"endpoints":["nobody"]}`, "endpoints"},
		{`{"endpoints":[]}`, "endpoints"}, // which would be all of them
		{`{"endpoints":"fixed"}`, "endpoints"},
		{`{"statuses":["lost"]}`, "statuses"},
		{`{"statuses":[]}`, "statuses"},
		{`{"statuses":[3]}`, "statuses"},
		{`{"types":["Message"]}`, "types"},
		{`{"from":"yesterday"}`, "from"},
		{`{"from":1709634600}`, "from"},
		{`{"to":"2024-03-05"}`, "to"},
		{`{"from":"2024-03-05T10:30:00Z","to":"2024-03-05T10:30:00Z"}`, "from"},
		{`{"fresh_id":"yes"}`, "fresh_id"},
		{`{"dry_run":1}`, "dry_run"},
		{`{"missing":1}`, "missing"},
		{`{"missing":true}`, "endpoints"},
		{`{"missing":true,"endpoints":["nobody"]}`, "endpoints"},
		{`{"missing":true,"endpoints":["fixed"],"statuses":["failed"]}`, "statuses"},
		{`{"missing":true,"endpoints":["fixed"],"fresh_id":true}`, "fresh_id"},
		{`{"rate":"fast"}`, "rate"},
		{`{"tenant":"globex"}`, "tenant"},
	} {
		r.do("POST", "/api/replays", tt.body).problem(http.StatusUnprocessableEntity, tt.field)
	}
	if list := r.do("GET", "/api/replays", ""); list.at("replays.0") != "" {
		t.Errorf("something was begun: %s", list.body)
	}
}
