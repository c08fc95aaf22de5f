package integration

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

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
