package integration

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// TestReloadLosesNothing reloads a Caddy under load: with a changed option, with
// a configuration that is rejected because another app cannot start, and with
// one that our own app rejects. Every event that was accepted arrives, none is
// refused, and each arrives once.
func TestReloadLosesNothing(t *testing.T) {
	customer := newSink(t, "")
	c := newCaddy(t)
	site := freeAddress(t)
	good := func(option string) string {
		return senderCaddyfile(c.admin, site, fmt.Sprintf("%s\n\t\tendpoint crm %s {\n\t\t\tsecret %s\n\t\t}", option, customer.URL, testSecret))
	}
	c.start(good("timeout 20s"))

	var mu sync.Mutex
	accepted := make(map[string]bool)
	var refused, repeated atomic.Int64
	stop := make(chan struct{})
	var workers sync.WaitGroup
	for p := range 8 {
		workers.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				// Caddy may close a kept connection at a reload just when a
				// request is sent on it. A publisher does what is right then:
				// it publishes the same event again.
				id := fmt.Sprintf("evt_%d_%d", p, n)
				body := fmt.Sprintf(`{"id":%q,"event":"message.created","data":{"publisher":%d,"n":%d}}`, id, p, n)
				resp, err := http.Post("http://"+site+"/events", "application/json", strings.NewReader(body))
				for err != nil {
					repeated.Add(1)
					resp, err = http.Post("http://"+site+"/events", "application/json", strings.NewReader(body))
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				if resp.StatusCode != http.StatusAccepted && resp.StatusCode != http.StatusOK {
					refused.Add(1)
					continue
				}
				mu.Lock()
				accepted[id] = true
				mu.Unlock()
			}
		})
	}

	for i := range 3 {
		if out, err := c.reload(good(fmt.Sprintf("timeout %ds", 21+i))); err != nil {
			t.Errorf("reload %d: %v\n%s", i, err, out)
		}
		// The address of the second site cannot be listened on, so that the
		// HTTP app fails to start after ours may have.
		if _, err := c.reload(good("timeout 25s") + "\nhttp://192.0.2.1:9 {\n\tbind 192.0.2.1\n\trespond ok\n}\n"); err == nil {
			t.Error("a configuration that cannot start was accepted")
		}
		if out, err := c.reload(good("retry 0s")); err == nil || !strings.Contains(out, "not longer than zero") && !strings.Contains(out, "longer than zero") {
			t.Errorf("a wrong schedule was not refused with its reason: %v\n%s", err, out)
		}
	}
	close(stop)
	workers.Wait()

	waitFor(t, "every accepted event to arrive", func() bool { return len(customer.ids()) >= len(accepted) })
	time.Sleep(200 * time.Millisecond) // repeats would need a moment
	arrived := customer.ids()
	for id := range accepted {
		if arrived[id] != 1 {
			t.Errorf("%s was accepted and arrived %d times", id, arrived[id])
		}
	}
	if n := refused.Load(); n > 0 {
		t.Errorf("%d events were refused during reloads", n)
	}
	t.Logf("%d events over 9 reloads, %d requests repeated because their connection was closed", len(accepted), repeated.Load())
}

// TestReceiverRemembersOverReload guards the seen-set: a duplicate is a
// duplicate after a reload too, and also after a rejected one followed by a
// good one.
func TestReceiverRemembersOverReload(t *testing.T) {
	application := newSink(t, "")
	c := newCaddy(t)
	site := freeAddress(t)
	caddyfile := func(size string) string {
		return fmt.Sprintf("{\n\tadmin %s\n}\n\nhttp://%s {\n\twebhook_receive standard {\n\t\tsecret %s\n\t\tmax_size %s\n\t}\n\treverse_proxy %s\n}\n",
			c.admin, site, testSecret, size, strings.TrimPrefix(application.URL, "http://"))
	}
	c.start(caddyfile("1MiB"))
	send := signedSender(t, site)
	if status, _ := send("evt_reload"); status != 200 {
		t.Fatalf("the first delivery got %d", status)
	}
	for i, size := range []string{"2MiB", "broken", "3MiB"} {
		out, err := c.reload(caddyfile(size))
		if (err != nil) != (size == "broken") {
			t.Fatalf("reload %d: %v\n%s", i, err, out)
		}
		status, duplicate := send("evt_reload")
		if status != 200 || !duplicate {
			t.Errorf("after reload %d the event is not taken for a duplicate: %d", i, status)
		}
	}
	if n := len(application.deliveries()); n != 1 {
		t.Errorf("the application got the event %d times", n)
	}
}

// TestApplicationFailureIsRetried sends an event through a real receiver to an
// application that fails at first: the retry must reach it, and once it has
// answered 2xx no further copy does.
func TestApplicationFailureIsRetried(t *testing.T) {
	application := newSink(t, "")
	application.answer = func(n int) int {
		if n <= 2 {
			return 500
		}
		return 204
	}
	c := newCaddy(t)
	site := freeAddress(t)
	c.start(fmt.Sprintf("{\n\tadmin %s\n}\n\nhttp://%s {\n\twebhook_receive standard {\n\t\tsecret %s\n\t}\n\treverse_proxy %s\n}\n",
		c.admin, site, testSecret, strings.TrimPrefix(application.URL, "http://")))
	send := signedSender(t, site)
	for i, want := range []int{500, 500, 204, 200, 200} {
		status, duplicate := send("evt_failing")
		if status != want || duplicate != (i > 2) {
			t.Errorf("delivery %d: status %d, duplicate %t; want %d", i+1, status, duplicate, want)
		}
	}
	if n := len(application.deliveries()); n != 3 {
		t.Errorf("the application was called %d times, want 3", n)
	}
}
