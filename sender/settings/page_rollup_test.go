package settings_test

import (
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"
)

// TestOverviewOfManyDays guards that days that are over are read once, that the
// figures are those of all of them, and that a page on which counting takes too
// long shows what there is and goes on where it has ended.
func TestOverviewOfManyDays(t *testing.T) {
	r := newRig(t)
	r.create("/hooks", `,"active":true,"events":["conversation.*"]`)
	const days = 5
	for day := range days {
		for i := range day + 1 {
			id := fmt.Sprintf("evt_%d_%d", day, i)
			r.publish(id, "conversation.created", `{}`)
			r.delivery(id, 1)
		}
		r.clock.advance(24 * time.Hour)
	}
	const all = 1 + 2 + 3 + 4 + 5
	attempts := fmt.Sprintf("<dt>Attempts</dt><dd>%d</dd>", all)
	var reads atomic.Int64
	r.store.onCount(func() { reads.Add(1) })
	for _, path := range []string{"/overview?span=week", "/overview?span=month", "/overview?span=month&by=type"} {
		reads.Store(0)
		first := r.browse(path).want(http.StatusOK).has(attempts, fmt.Sprint(all)).lacks("Count on")
		once := reads.Swap(0)
		again := r.browse(path).want(http.StatusOK)
		if once < 7 || reads.Load() != 1 { // today, which is not over
			t.Errorf("%s: the counters are read %d times, and then %d times", path, once, reads.Load())
		}
		if first.body != again.body {
			t.Errorf("%s: what is remembered is shown as\n%s\nwhich was\n%s", path, again.main(), first.main())
		}
	}
	// An event of today is counted, whatever is remembered.
	r.publish("evt_today", "conversation.created", `{}`)
	r.delivery("evt_today", 1)
	r.browse("/overview?span=week").has(fmt.Sprintf("<dt>Attempts</dt><dd>%d</dd>", all+1))

	// Counting is slow for another tenant, whose days nobody has asked for yet.
	r.as("globex")
	r.create("/hooks", `,"active":true`)
	r.publish("evt_globex", "conversation.created", `{}`)
	r.delivery("evt_globex", 1)
	r.clock.advance(20 * 24 * time.Hour)
	r.store.onCount(func() { r.clock.advance(25 * time.Millisecond) })
	pages := 1
	for a := r.browse("/overview?span=month"); pages < 20; pages++ {
		if a.want(http.StatusOK); a.status == http.StatusOK && !hasText(a, "Count on") {
			a.has("<dt>Attempts</dt><dd>1</dd>")
			break
		}
		a.has(`data-refresh="300"`, "the earliest days are missing")
		a = r.browse("/overview?span=month")
	}
	if pages < 4 || pages >= 20 {
		t.Errorf("all days are counted after %d pages", pages)
	}
}
