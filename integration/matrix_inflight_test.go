package integration

import (
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/manysends/caddy-webhooks/webhook"
)

// TestReloadWithRequestsUnderWay reloads while a publisher has sent half of its
// event, an application is at work on a webhook, and a customer has not answered
// a delivery. Each is finished as if nothing had happened, also when the
// configuration is rejected and when it moves what the receiver remembers.
func TestReloadWithRequestsUnderWay(t *testing.T) {
	onEachHost(t, func(t *testing.T, h host) {
		s := newScene(t, h)
		s.start()
		secret, err := webhook.ParseSecret(testSecret)
		if err != nil {
			t.Fatal(err)
		}
		for i, tt := range []struct {
			name    string
			change  func(*plan)
			refused bool
			moved   bool // what has been processed before
		}{
			{"the same again", func(*plan) {}, false, false},
			{"other settings", func(p *plan) { p.sender, p.receive = "timeout 21s", "max_size 2MiB" }, false, false},
			{"rejected", func(p *plan) { p.sender, p.further = "timeout 22s", cannotStart }, true, false},
			{"another file of seen events", func(p *plan) { p.seen = filepath.Join(s.folder(), "second.seen") }, false, true},
		} {
			id := func(what string) string { return fmt.Sprintf("evt_%s_%d", what, i) }
			publisher := publishSlowly(t, s.site, id("published"))

			delivered := s.customer.holdBack(t, id("delivered"))
			status, answer := post(t, "http://"+s.site+"/events", "application/json", eventOf(id("delivered")))
			if status != http.StatusAccepted {
				t.Fatalf("%s: publishing was answered %d %s", tt.name, status, answer)
			}
			waitFor(t, "the delivery to begin", func() bool { return s.customer.count(id("delivered")) == 1 })

			processed := s.application.holdBack(t, id("processed"))
			answers := make(chan string, 2)
			hook := func() {
				req, err := signedRequest(secret, "http://"+s.site+"/hooks", id("processed"))(t.Context())
				if err != nil {
					answers <- err.Error()
					return
				}
				resp, err := oneOff.Do(req)
				if err != nil {
					answers <- err.Error()
					return
				}
				defer resp.Body.Close()
				answers <- fmt.Sprintf("%d duplicate %q", resp.StatusCode, resp.Header.Get("Webhook-Duplicate"))
			}
			go hook()
			waitFor(t, "the application to be at work", func() bool { return s.application.count(id("processed")) == 1 })

			p := s.plan
			tt.change(&p)
			if out, err := h.load(s.caddyfile(p)); (err != nil) != tt.refused {
				t.Fatalf("%s: %v\n%s", tt.name, err, out)
			}
			if !tt.refused {
				s.plan = p
			}

			want := map[string]int{`200 duplicate ""`: 1}
			if !tt.moved {
				go hook() // a copy, through the new configuration
				want[`200 duplicate "true"`] = 1
			}
			publisher()
			delivered()
			processed()
			got := make(map[string]int)
			for range want {
				got[<-answers]++
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: wanted (-) and present answers to the webhook (+) differ:\n%s", tt.name, diff)
			}
			if n := s.application.count(id("processed")); n != 1 {
				t.Errorf("%s: the application was called %d times", tt.name, n)
			}
			waitFor(t, "the published event to arrive", func() bool { return s.customer.count(id("published")) == 1 })
			waitFor(t, "both deliveries to be recorded", func() bool {
				n, _ := h.metric(`caddy_webhooks_deliveries_total{endpoint="crm",outcome="succeeded"}`)
				return n >= float64(s.customer.size())
			})
			if n := s.customer.count(id("delivered")); n != 1 {
				t.Errorf("%s: the delivery that was under way was made %d times", tt.name, n)
			}
		}
	})
}

// eventOf is an event with an ID, as it is published.
func eventOf(id string) []byte {
	return fmt.Appendf(nil, `{"id":%q,"event":"message.created","data":{}}`, id)
}

// publishSlowly sends the first half of an event and returns when Caddy is at
// work on it. What it returns sends the rest and wants the event accepted.
func publishSlowly(t *testing.T, site, id string) (finish func()) {
	t.Helper()
	body := eventOf(id)
	half := len(body) / 2
	reader, writer := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+site+"/events", reader)
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength = int64(len(body))
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Expect", "100-continue") // the body is sent when the handler asks for it
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, ExpectContinueTimeout: time.Minute}}
	answered := make(chan string)
	go func() {
		resp, err := client.Do(req)
		if err != nil {
			answered <- err.Error()
			return
		}
		defer resp.Body.Close()
		answered <- resp.Status
	}()
	if _, err := writer.Write(body[:half]); err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		if _, err := writer.Write(body[half:]); err != nil {
			t.Fatal(err)
		}
		if answer := <-answered; answer != "202 Accepted" {
			t.Errorf("the slow publisher of %s was answered %s", id, answer)
		}
	}
}
