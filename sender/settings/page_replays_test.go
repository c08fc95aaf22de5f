package settings_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestPageOfWhatWasMissed: from the page of a new webhook, with forms alone, to
// what it has missed.
func TestPageOfWhatWasMissed(t *testing.T) {
	r, _ := published(t)
	late := r.create("/late", `,"events":["message.*"]`)
	link := "replay?missing=1&amp;endpoint=" + late
	r.browse("/endpoints/" + late).lacks(link) // first it is activated
	r.do("POST", "/api/endpoints/"+late+"/activate", "").want(http.StatusOK)
	r.clock.advance(time.Second)
	r.browse("/endpoints/"+late).has(link, "what it has missed")
	r.browse("/replay?missing=1&endpoint="+late).want(http.StatusOK).has(`value="1" id="missing" checked`, `value="`+late+`" selected`)
	r.browse("/replay").has(`name="missing" value="" checked`).lacks(`id="missing" checked`)

	// What belongs to the other choice is sent along by a form, and means nothing.
	form := url.Values{"missing": {"1"}, "status": {"failed", "cancelled"}, "fresh_id": {"1"}, "rate": {"50/s"}, "type": {""}, "endpoint": {""}}
	for _, count := range []string{"", "1"} {
		form.Set("count", count)
		r.post("/replay", form).want(http.StatusUnprocessableEntity).has("choose the webhook", `id="missing" checked`, `value="50/s"`)
	}
	form.Set("endpoint", late)
	r.post("/replay", form).want(http.StatusOK).has("<b>3</b> events are missing", `id="missing" checked`)
	form.Set("type", "message.deleted")
	r.post("/replay", form).want(http.StatusOK).has("<b>1</b> event is missing")
	if got := r.site.ids("/late"); len(got) != 0 {
		t.Errorf("to count has delivered %q", got)
	}
	form.Set("type", "")
	form.Del("count")
	started := r.post("/replay", form)
	r.follow("/replay", started).has("has begun", "missing events", "50/s").lacks("<dt>Status", "<dt>Event IDs")
	path, _, _ := strings.Cut(resolve(t, "/replay", started.header.Get("Location")), "?")
	until(t, "the replay has ended", func() bool { return strings.Contains(r.browse(path).body, "Done") })
	r.browse("/replays").has("Done", "3 of 3", "missing events")
	until(t, "three events are delivered", func() bool { return len(r.site.ids("/late")) == 3 })
	form.Set("count", "1")
	r.post("/replay", form).want(http.StatusOK).has("there is nothing to replay")
}
