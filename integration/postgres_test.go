package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/internal/postgrestest"
)

// newPostgresCaddy is a Caddy with the module for PostgreSQL.
func newPostgresCaddy(t *testing.T, url string) *caddy {
	t.Helper()
	return newCaddyOf(t, postgresBinary, "DATABASE_URL="+url)
}

// postgresCaddyfile is a sender on PostgreSQL, with the settings of everybody.
func postgresCaddyfile(admin, site, options string) string {
	return strings.Replace(senderCaddyfile(admin, site, "store postgres {env.DATABASE_URL} {\n\t\t\tlease 2s\n\t\t}\n\t\t"+options),
		"\thandle /events {", "\thandle_path /settings/webhooks/* {\n\t\twebhook_settings\n\t}\n\thandle /events {", 1)
}

// arrival is a delivery as a customer's site got it.
type arrival struct {
	id string
	n  int // what is in its data
	at time.Time
}

// arrivals is a customer's site with several endpoints. It keeps what each got,
// in order.
type arrivals struct {
	*httptest.Server

	mu  sync.Mutex
	got map[string][]arrival // by path
}

func newArrivals(t *testing.T) *arrivals {
	t.Helper()
	s := &arrivals{got: make(map[string][]arrival)}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

func (s *arrivals) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // broken off: not received
	}
	var event struct{ Data struct{ N int } }
	if err := json.Unmarshal(body, &event); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got[r.URL.Path] = append(s.got[r.URL.Path], arrival{r.Header.Get("Webhook-Id"), event.Data.N, time.Now()})
}

// of is what an endpoint got.
func (s *arrivals) of(path string) []arrival {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.got[path])
}

// counts is how many times each event has come to an endpoint.
func (s *arrivals) counts(path string) map[string]int {
	count := make(map[string]int)
	for _, a := range s.of(path) {
		count[a.id]++
	}
	return count
}

// publishers publish to several Caddys, as one that has a load balancer before
// them does: what one of them does not take is published to the next.
type publishers struct {
	t        *testing.T
	sites    []string
	client   *http.Client
	stop     chan struct{}
	running  sync.WaitGroup
	mu       sync.Mutex
	accepted map[string][]string // by event type, in order
}

func newPublishers(t *testing.T, sites ...string) *publishers {
	p := &publishers{t: t, sites: sites, client: &http.Client{Timeout: 5 * time.Second}, stop: make(chan struct{}), accepted: make(map[string][]string)}
	t.Cleanup(p.end)
	return p
}

// tell has a test that fails say what each endpoint got of what was taken in.
func (p *publishers) tell(customer *arrivals) {
	p.t.Cleanup(func() {
		for path, eventType := range sharedPaths {
			if got := customer.of(path); p.t.Failed() && len(got) > 0 {
				p.t.Logf("%s: %d taken in, %d came, the last one %+v at %s", path, len(p.of(eventType)), len(got), got[len(got)-1], time.Now())
			}
		}
	})
}

// sharedPaths are the paths of the endpoints of sharedEndpoints, with the types
// that they get.
var sharedPaths = map[string]string{"/shared": "message.created", "/limited": "conversation.created", "/strict": "label.created"}

// start has workers publish events of a type, each one after the other, until
// end, or until there were so many.
func (p *publishers) start(eventType string, workers, events int) {
	var serial atomic.Int64
	for worker := range workers {
		p.running.Go(func() {
			for site := worker; ; site++ {
				n := int(serial.Add(1))
				if n > events || !p.publish(site, eventType, n) {
					return
				}
			}
		})
	}
}

// publish publishes an event until it is taken in; not ok means that it was
// given up, because the test is over.
func (p *publishers) publish(site int, eventType string, n int) (ok bool) {
	id := fmt.Sprintf("evt_%s_%d", strings.ReplaceAll(eventType, ".", "_"), n)
	body := fmt.Sprintf(`{"id":%q,"event":%q,"data":{"n":%d}}`, id, eventType, n)
	for ; ; site++ {
		select {
		case <-p.stop:
			return false
		default:
		}
		resp, err := p.client.Post("http://"+p.sites[site%len(p.sites)]+"/events", "application/json", strings.NewReader(body))
		if err != nil {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		answer, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		switch resp.StatusCode {
		case http.StatusAccepted, http.StatusOK: // OK: it was taken in before, and the answer lost
			p.mu.Lock()
			defer p.mu.Unlock()
			p.accepted[eventType] = append(p.accepted[eventType], id)
			return true
		case http.StatusServiceUnavailable, http.StatusBadGateway:
			time.Sleep(10 * time.Millisecond)
		default:
			p.t.Errorf("publishing %s: %d %s", id, resp.StatusCode, answer)
			return false
		}
	}
}

// end ends publishing.
func (p *publishers) end() {
	select {
	case <-p.stop:
	default:
		close(p.stop)
	}
	p.running.Wait()
}

// of are the events of a type that were taken in.
func (p *publishers) of(eventType string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.accepted[eventType])
}

// wantAll waits until all events of a type that were taken in have come to an
// endpoint, and returns how many came more than once, each as often.
func (p *publishers) wantAll(customer *arrivals, path, eventType string) (repeats int) {
	p.t.Helper()
	want := p.of(eventType)
	if len(want) == 0 {
		p.t.Errorf("no %s was taken in", eventType)
	}
	waitFor(p.t, fmt.Sprintf("all %d events %s", len(want), eventType), func() bool {
		got := customer.counts(path)
		return !slices.ContainsFunc(want, func(id string) bool { return got[id] == 0 })
	})
	for id, n := range customer.counts(path) {
		if repeats += n - 1; !slices.Contains(want, id) {
			p.t.Errorf("%s came to %s and was not acknowledged", id, path)
		}
	}
	return repeats
}

// sharedEndpoints are endpoints of every kind on one customer's site.
func sharedEndpoints(customer string) string {
	endpoint := func(id, events, more string) string {
		return fmt.Sprintf("\n\t\tendpoint %[1]s %[2]s/%[1]s {\n\t\t\tevents %[3]s\n\t\t\t%[4]s\n\t\t}", id, customer, events, more)
	}
	return "retry 200ms 200ms 500ms 1s 1s 1s 1s 1s 2s 2s 2s 2s" +
		endpoint("shared", "message.created", "concurrency 12") +
		endpoint("limited", "conversation.created", "rate 40/s burst 10") +
		endpoint("strict", "label.created", "ordering strict")
}

// threeCaddys starts three Caddys on one database.
func threeCaddys(t *testing.T, url, options string) (caddys []*caddy, sites []string) {
	t.Helper()
	for range 3 {
		c, site := newPostgresCaddy(t, url), freeAddress(t)
		c.start(postgresCaddyfile(c.admin, site, options))
		caddys, sites = append(caddys, c), append(sites, site)
	}
	return caddys, sites
}

// again starts a Caddy that was killed.
func (c *caddy) again(site, options string) {
	c.t.Helper()
	c.start(postgresCaddyfile(c.admin, site, options))
}

// TestThreeCaddysShareAPostgres publishes to three Caddys on one PostgreSQL,
// kills each of them once, and starts it again. Everything that was
// acknowledged arrives, what repeats was under way, the order of a strict
// endpoint holds, and so does the rate of a limited one, but for a burst after
// each kill. One event may come late for each, which it had stored and not acknowledged.
func TestThreeCaddysShareAPostgres(t *testing.T) {
	const rate, burst, limited = 40, 10, 400
	server := postgrestest.Start(t)
	customer := newArrivals(t)
	options := sharedEndpoints(customer.URL)
	caddys, sites := threeCaddys(t, server.Database(t), options)
	p := newPublishers(t, sites...)
	p.tell(customer)
	p.start("conversation.created", 3, limited)
	p.start("message.created", 6, 1<<30)
	p.start("label.created", 1, 1<<30)
	enough := func() func() bool {
		shared, strict := len(customer.of("/shared")), len(customer.of("/strict"))
		return func() bool {
			return len(customer.of("/shared")) > shared+200 && len(customer.of("/strict")) > strict+20
		}
	}
	for i, c := range caddys {
		waitFor(t, "deliveries", enough())
		c.kill()
		waitFor(t, "deliveries without one of the Caddys", enough())
		c.again(sites[i], options)
	}
	waitFor(t, "deliveries", enough())
	p.end()
	kills := len(caddys)
	for path, eventType := range sharedPaths {
		repeats := p.wantAll(customer, path, eventType)
		t.Logf("%s: %d events, %d repeats after %d kills", path, len(p.of(eventType)), repeats, kills)
		// Attempts under way, and outcomes on the way to the store.
		if most := 100 * kills; repeats > most {
			t.Errorf("%s: %d deliveries were repeated, want at most %d", path, repeats, most)
		}
	}
	wantOrder(t, customer.of("/strict"), kills)
	got := customer.of("/limited")
	took := got[len(got)-1].at.Sub(got[0].at).Seconds()
	if most := rate*(took+1) + burst*float64(1+2*kills); float64(len(got)) > most {
		t.Errorf("%d deliveries to the limited endpoint in %.1f s, want at most %.0f", len(got), took, most)
	}
}

// wantOrder wants events in the order of their numbers, but for up to so many
// that came late; those that came before do not count. An event comes late that
// a Caddy had stored when it died, and not acknowledged yet: it waits for the
// lease of the dead one, while its publisher publishes it again, is told that it
// is known, and goes on.
func wantOrder(t *testing.T, got []arrival, late int) {
	t.Helper()
	last := 0
	seen := make(map[int]bool)
	var behind []string
	for _, a := range got {
		if !seen[a.n] && a.n < last {
			behind = append(behind, fmt.Sprintf("event %d came after event %d", a.n, last))
		}
		seen[a.n] = true
		last = max(last, a.n)
	}
	t.Logf("%d of %d events came late: %q", len(behind), len(seen), behind)
	if len(behind) > late {
		t.Errorf("%d events came late, want at most %d", len(behind), late)
	}
}

// TestCaddysShareEndpoints makes, changes and deletes an endpoint through one
// Caddy: it acts in the others.
func TestCaddysShareEndpoints(t *testing.T) {
	server := postgrestest.Start(t)
	customer := newArrivals(t)
	caddys, sites := threeCaddys(t, server.Database(t), "")
	var everybody [3]account
	for i, site := range sites {
		everybody[i] = account{t, site + "/settings/webhooks", ""}
	}
	made := everybody[0].newEndpoint(customer.URL + "/made")
	wantEverywhere := func(state string) {
		t.Helper()
		waitFor(t, "the endpoint to be "+state+" everywhere", func() bool {
			return !slices.ContainsFunc(everybody[:], func(a account) bool { return a.states()[made.ID] != state })
		})
	}
	wantEverywhere("active")
	for i, site := range sites {
		id := publish(t, site, fmt.Sprintf(`{"event":"message.created","data":{"n":%d}}`, i))
		waitFor(t, "the delivery", func() bool { return customer.counts("/made")[id] == 1 })
	}
	everybody[1].want(http.StatusOK, "POST", "/api/endpoints/"+made.ID+"/deactivate", "", nil)
	wantEverywhere("inactive")
	unwanted := publish(t, sites[2], `{"event":"message.created","data":{"n":9}}`)
	everybody[2].want(http.StatusOK, "POST", "/api/endpoints/"+made.ID+"/activate", "", nil)
	wantEverywhere("active")
	last := publish(t, sites[0], `{"event":"message.created","data":{"n":10}}`)
	waitFor(t, "the delivery", func() bool { return customer.counts("/made")[last] == 1 })
	if n := customer.counts("/made")[unwanted]; n != 0 {
		t.Errorf("an event that was published while the endpoint was inactive came %d times", n)
	}
	everybody[0].want(http.StatusNoContent, "DELETE", "/api/endpoints/"+made.ID, "", nil)
	wantEverywhere("")
	for _, c := range caddys {
		c.stop()
		if strings.Contains(c.out.String(), `"level":"error"`) {
			t.Errorf("Caddy has logged an error:\n%s", c.out)
		}
	}
}

// TestPostgresIsAway kills PostgreSQL under load, without a chance to write
// what it has in memory, and starts it again. Publishing is answered with 503
// meanwhile. Everything that was acknowledged arrives, in order where that was
// asked for.
func TestPostgresIsAway(t *testing.T) {
	server := postgrestest.Start(t)
	customer := newArrivals(t)
	caddys, sites := threeCaddys(t, server.Database(t), sharedEndpoints(customer.URL))
	p := newPublishers(t, sites...)
	p.tell(customer)
	p.start("message.created", 6, 1<<30)
	p.start("label.created", 1, 1<<30)
	p.start("conversation.created", 1, 100)
	for range 2 {
		before := len(customer.of("/shared"))
		waitFor(t, "deliveries", func() bool { return len(customer.of("/shared")) > before+300 })
		server.Kill()
		status, answer := post(t, "http://"+sites[0]+"/events", "application/json", []byte(`{"event":"message.deleted","data":{}}`))
		if status != http.StatusServiceUnavailable {
			t.Errorf("publishing without PostgreSQL: %d %s, want 503", status, answer)
		}
		server.Run(t)
	}
	before := len(p.of("message.created"))
	waitFor(t, "events to be taken in again", func() bool { return len(p.of("message.created")) > before+300 })
	p.end()
	for path, eventType := range sharedPaths {
		repeats := p.wantAll(customer, path, eventType)
		t.Logf("%s: %d events, %d repeats", path, len(p.of(eventType)), repeats)
		if most := 2 * 3 * 100; repeats > most {
			t.Errorf("%s: %d deliveries were repeated, want at most %d", path, repeats, most)
		}
	}
	wantOrder(t, customer.of("/strict"), 3*2)
	for _, c := range caddys {
		c.stop()
	}
}

// TestPostgresNeedNotBeThereToValidate: `caddy validate` does not connect, and
// errors do not hold the password.
func TestPostgresNeedNotBeThereToValidate(t *testing.T) {
	nobody := freeAddress(t)
	c := newPostgresCaddy(t, "postgres://hooks:hunter2@"+nobody+"/hooks?sslmode=disable")
	site := freeAddress(t)
	caddyfile := postgresCaddyfile(c.admin, site, "")
	if out, err := c.validate(caddyfile); err != nil {
		t.Errorf("validate: %v\n%s", err, out)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	cmd := c.command("run", "--config", c.write(caddyfile), "--adapter", "caddyfile")
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), nobody) || strings.Contains(string(out), "hunter2") || ctx.Err() != nil {
		t.Errorf("starting without PostgreSQL: %v, which must name the server and not the password:\n%s", err, out)
	}
	c.env = []string{"DATABASE_URL="}
	if out, err := c.validate(caddyfile); err == nil || !strings.Contains(out, "the URL is empty") {
		t.Errorf("validating with an empty URL: %v\n%s", err, out)
	}
}
