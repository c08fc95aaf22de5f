package integration

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestNothingAcceptedIsLostByKill publishes from many connections, kills Caddy
// with SIGKILL in the middle of it, several times, and counts: whatever was
// answered 202 must arrive after the next start.
func TestNothingAcceptedIsLostByKill(t *testing.T) {
	const (
		kills      = 4
		publishers = 16
	)
	customer := newSink(t, "")
	c := newCaddy(t)
	site := freeAddress(t)
	caddyfile := senderCaddyfile(c.admin, site, fmt.Sprintf("retry 200ms 200ms 200ms 1s 1s 1s\n\t\tendpoint crm %s {\n\t\t\tsecret %s\n\t\t}", customer.URL, testSecret))

	var mu sync.Mutex
	accepted := make(map[string]bool)
	for round := range kills {
		c.start(caddyfile)
		stop := make(chan struct{})
		var workers sync.WaitGroup
		for p := range publishers {
			workers.Go(func() {
				for n := 0; ; n++ {
					select {
					case <-stop:
						return
					default:
					}
					if id, ok := tryPublish(site, fmt.Sprintf(`{"event":"message.created","data":{"round":%d,"publisher":%d,"n":%d}}`, round, p, n)); ok {
						mu.Lock()
						accepted[id] = true
						mu.Unlock()
					}
				}
			})
		}
		time.Sleep(time.Duration(300+170*round) * time.Millisecond)
		c.kill()
		close(stop)
		workers.Wait()
	}
	c.start(caddyfile)
	missing := func() (ids []string) {
		arrived := customer.ids()
		for id := range accepted {
			if arrived[id] == 0 {
				ids = append(ids, id)
			}
		}
		return ids
	}
	waitFor(t, "every accepted event to arrive", func() bool { return len(missing()) == 0 })

	repeats := 0
	for _, n := range customer.ids() {
		repeats += n - 1
	}
	t.Logf("%d kills: %d events accepted, 0 lost, %d deliveries repeated", kills, len(accepted), repeats)
	if len(accepted) < kills*publishers {
		t.Errorf("only %d events were accepted: the test did not test much", len(accepted))
	}
}

// TestUndeliveredEventsSurviveKill kills Caddy while the customer's site is
// down and everything accepted is still to be delivered.
func TestUndeliveredEventsSurviveKill(t *testing.T) {
	const events = 500
	address := freeAddress(t) // nobody listens yet
	c := newCaddy(t)
	site := freeAddress(t)
	caddyfile := senderCaddyfile(c.admin, site, fmt.Sprintf("retry 300ms 300ms 300ms 300ms 1s 1s 1s 1s 1s 1s 1s 1s\n\t\tendpoint crm http://%s {\n\t\t\tsecret %s\n\t\t}", address, testSecret))
	c.start(caddyfile)
	accepted := make(map[string]bool)
	for n := range events {
		id, ok := tryPublish(site, fmt.Sprintf(`{"event":"message.created","data":{"n":%d}}`, n))
		if !ok {
			t.Fatalf("event %d was not accepted", n)
		}
		accepted[id] = true
	}
	c.kill()

	customer := newSink(t, address)
	c.start(caddyfile)
	waitFor(t, "every accepted event to arrive", func() bool { return len(customer.ids()) >= events })
	arrived := customer.ids()
	for id := range accepted {
		if arrived[id] == 0 {
			t.Errorf("%s was accepted and never arrived", id)
		}
	}
}

// tryPublish publishes one event; ok tells that it was accepted.
func tryPublish(site, body string) (id string, ok bool) {
	resp, err := http.Post("http://"+site+"/events", "application/json", strings.NewReader(body))
	if err != nil {
		return "", false
	}
	defer resp.Body.Close()
	var receipt struct{ ID string }
	if err := json.NewDecoder(resp.Body).Decode(&receipt); err != nil || resp.StatusCode != http.StatusAccepted {
		return "", false
	}
	return receipt.ID, true
}
