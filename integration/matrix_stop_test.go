package integration

import (
	"fmt"
	"testing"
	"time"
)

// TestRestartUnderLoad stops Caddy under load, in order and the hard way, and
// starts it again, several times. Everything that was accepted arrives; after an
// orderly stop nothing is done twice, neither a delivery nor a webhook.
func TestRestartUnderLoad(t *testing.T) {
	for name, crash := range map[string]bool{"in order": false, "the hard way": true} {
		t.Run(name, func(t *testing.T) {
			h := outside{newCaddy(t)}
			s := newScene(t, h)
			s.plan.sender = "retry 200ms 200ms 200ms 1s 1s 1s"
			s.start()
			tr := newTraffic(s)
			tr.wobbly, tr.crashes = true, crash
			tr.start()
			for range 4 {
				tr.more(50)
				if crash {
					h.kill()
				} else {
					h.stop()
				}
				h.start(s.caddyfile(s.plan))
			}
			tr.more(50)
			tr.pause()
			tr.check(name)
			repeats := 0
			for _, counts := range []map[string]int{s.customer.counts(), s.application.counts()} {
				for _, n := range counts {
					repeats += n - 1
				}
			}
			t.Logf("%d events published and %d received, %d repeated", len(tr.accepted), len(tr.received), repeats)
		})
	}
}

// TestStopHasADeadline stops Caddy while one customer is slow to answer and
// another one never does. The first delivery is finished and not repeated. The
// second one does not hold up the stop for longer than its deadline, and is made
// again after the next start.
func TestStopHasADeadline(t *testing.T) {
	slow, stuck := newTally(t), newTally(t)
	c := newCaddy(t)
	site := freeAddress(t)
	caddyfile := senderCaddyfile(c.admin, site, fmt.Sprintf("endpoint slow %s\n\t\tendpoint stuck %s", slow.URL, stuck.URL))
	c.start(caddyfile)
	const id = "evt_under_way"
	answer, release := slow.holdBack(t, id), stuck.holdBack(t, id)
	if status, answer := post(t, "http://"+site+"/events", "application/json", eventOf(id)); status != 202 {
		t.Fatalf("publishing was answered %d %s", status, answer)
	}
	waitFor(t, "the deliveries to begin", func() bool { return slow.count(id) == 1 && stuck.count(id) == 1 })
	time.AfterFunc(time.Second, answer)
	c.stop()

	release()
	c.start(caddyfile)
	waitFor(t, "the stuck delivery to be made again", func() bool { return stuck.count(id) == 2 })
	waitFor(t, "it to be recorded", func() bool {
		n, _ := c.metric(`caddy_webhooks_deliveries_total{endpoint="stuck",outcome="succeeded"}`)
		return n == 1
	})
	if n := slow.count(id); n != 1 {
		t.Errorf("the slow delivery was made %d times", n)
	}
}
