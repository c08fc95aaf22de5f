package integration

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/internal/redistest"
)

// newRedisCaddy is a Caddy with the module for Redis.
func newRedisCaddy(t *testing.T, url string) *caddy {
	t.Helper()
	return newCaddyOf(t, redisBinary, "REDIS_URL="+url)
}

// TestThreeCaddysShareARedis sends each event to three Caddys at once, while
// one of them reloads. The application gets each once. A rate is theirs
// together. While Redis is away they refuse what they cannot know, and they go
// on when it is back.
func TestThreeCaddysShareARedis(t *testing.T) {
	const events = 200
	server := redistest.Start(t, "--requirepass", "hunter2")
	url := "redis://:hunter2@" + server.Addr
	app := newSink(t, "")
	var sites [3]string
	var caddys [3]*caddy
	receivers := githubReceiver("redis {env.REDIS_URL}\n\t\trate 1000/h burst 1000\n\t\tdedupe 72h")
	for i := range caddys {
		caddys[i], sites[i] = newRedisCaddy(t, url), freeAddress(t)
		caddys[i].start(receiverCaddyfile(caddys[i].admin, sites[i], app.URL, receivers))
	}
	// A Caddy that reloads closes a few connections whose requests it has not
	// taken, or has: then they are sent again, as a provider does.
	var again atomic.Int64
	post := func(i, n int) (got received) {
		header, body := githubEvent(n)
		for range 20 {
			var err error
			if got, err = trySend(t, "http://"+sites[i], header, body); err == nil {
				return got
			}
			again.Add(1)
		}
		t.Errorf("event %d was not answered by Caddy %d, 20 times", n, i)
		return got
	}
	// On a machine that has too much to do, Redis may seem to be away.
	insist := func(i, n int) (got received) {
		for range 300 {
			if got = post(i, n); got.status != http.StatusServiceUnavailable {
				return got
			}
			time.Sleep(100 * time.Millisecond)
		}
		return got
	}
	var processed, duplicates atomic.Int64
	var wg sync.WaitGroup
	for i := range caddys {
		for worker := range 4 {
			wg.Go(func() {
				for n := worker; n < events; n += 4 {
					switch got := insist(i, n); {
					case got.status != http.StatusOK:
						t.Errorf("event %d was answered %d by Caddy %d", n, got.status, i)
					case got.duplicate:
						duplicates.Add(1)
					default:
						processed.Add(1)
					}
				}
			})
		}
	}
	wg.Go(func() {
		for n := range 3 {
			settings := strings.Replace(receivers, "dedupe 72h", fmt.Sprintf("dedupe %dh", 73+n), 1)
			if out, err := caddys[0].reload(receiverCaddyfile(caddys[0].admin, sites[0], app.URL, settings)); err != nil {
				t.Errorf("reload: %v\n%s", err, out)
			}
		}
	})
	wg.Wait()
	if got := len(app.deliveries()); got != events || processed.Load()+duplicates.Load() != 3*events || events-processed.Load() > again.Load() {
		t.Errorf("the application got %d requests, %d were answered as processed and %d as duplicates, %d sent again: want %d, %d and %d",
			got, processed.Load(), duplicates.Load(), again.Load(), events, events, 2*events)
	}

	// The budget that is left is one: about 400 of the 1000.
	left := 0
	for n := events; n < events+600; n++ {
		if insist(n%3, n).status == http.StatusTooManyRequests {
			break
		}
		left++
	}
	if sent := int(again.Load()); left < 400-sent || left > 500 {
		t.Errorf("%d more requests were let through, want about 400", left)
	}
	app2 := newSink(t, "")
	receivers = githubReceiver("redis {env.REDIS_URL}\n\t\tname others")
	receivers = strings.Replace(receivers, "\t\tname hooks\n", "", 1)
	for i, c := range caddys {
		if out, err := c.reload(receiverCaddyfile(c.admin, sites[i], app2.URL, receivers)); err != nil {
			t.Fatalf("reload: %v\n%s", err, out)
		}
	}
	if got := insist(0, 1); got.status != http.StatusOK || got.duplicate {
		t.Errorf("an event that another receiver has seen: %d, duplicate %t", got.status, got.duplicate)
	}
	server.Kill()
	if got := post(1, 2); got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") == "" {
		t.Errorf("without Redis the answer is %d with Retry-After %q, want 503", got.status, got.header.Get("Retry-After"))
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, "http://"+caddys[1].admin+"/webhooks/received/others/delivery-1", nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp, answer := exchange(t, request); resp.StatusCode != http.StatusServiceUnavailable || !strings.Contains(string(answer), "nothing is forgotten") {
		t.Errorf("without Redis, an event is forgotten with %d: %s", resp.StatusCode, answer)
	}
	// Neither validating nor loading a configuration needs it.
	if out, err := caddys[1].validate(receiverCaddyfile(caddys[1].admin, sites[1], app2.URL, receivers)); err != nil {
		t.Errorf("validate: %v\n%s", err, out)
	}
	if out, err := caddys[1].reload(receiverCaddyfile(caddys[1].admin, sites[1], app2.URL, strings.Replace(receivers, "name others", "name more", 1))); err != nil {
		t.Errorf("reload: %v\n%s", err, out)
	}
	server.Run(t)
	waitFor(t, "Redis to be asked again", func() bool { return post(1, 3).status == http.StatusOK })
	for i, c := range caddys {
		c.stop()
		if strings.Contains(c.out.String(), "hunter2") {
			t.Errorf("the password of Redis is in the log of Caddy %d", i)
		}
	}
}

// TestCaddysShareARedisOverTLS shows certificates both ways, and takes a new one
// without a reload.
func TestCaddysShareARedisOverTLS(t *testing.T) {
	authority := redistest.NewAuthority(t)
	server := redistest.StartTLS(t, authority, "redis.internal")
	certificate, key := authority.Issue(t, "caddy")
	settings := fmt.Sprintf("redis {env.REDIS_URL} {\n\t\t\ttls {\n\t\t\t\tca %s\n\t\t\t\tclient_certificate %s %s\n\t\t\t\tserver_name redis.internal\n\t\t\t}\n\t\t}", authority.File, certificate, key)
	app := newSink(t, "")
	sharedOnce(t, server.URL(), settings, app)

	c, site := newRedisCaddy(t, server.URL()), freeAddress(t)
	c.start(receiverCaddyfile(c.admin, site, app.URL, githubReceiver(settings)))
	sendOnce := func(n int) received {
		header, body := githubEvent(n)
		return send(t, "http://"+site, header, body)
	}
	waitFor(t, "Redis to be asked", func() bool { return sendOnce(1).status == http.StatusOK })
	writeFile(t, certificate, "replaced by something that is none")
	server.Kill()
	server.Run(t)
	waitFor(t, "the certificate to be missed", func() bool { return sendOnce(2).status == http.StatusServiceUnavailable })
	authority.Issue(t, "caddy") // into the same files
	waitFor(t, "the new certificate to be taken", func() bool { return sendOnce(3).status == http.StatusOK })
}

// TestCaddysAskASentinel finds the Redis by its name, also the one that takes its
// place.
func TestCaddysAskASentinel(t *testing.T) {
	w := redistest.StartWatched(t)
	app := newSink(t, "")
	sites := sharedOnce(t, "redis://"+w.Sentinel.Addr, "redis {env.REDIS_URL} {\n\t\t\tsentinel "+redistest.MasterSet+"\n\t\t}", app)
	w.FailOver(t)
	const body = `{"n":"after"}`
	for _, site := range sites {
		waitFor(t, "the new master to be asked", func() bool {
			got := send(t, "http://"+site, github(githubSecret, "after", body), []byte(body))
			return got.status == http.StatusOK
		})
	}
	if got := len(app.deliveries()); got != 2 {
		t.Errorf("the application got %d requests, want one for each event", got)
	}
}

// sharedOnce sends an event to two Caddys with a setting, and wants the
// application to have it once.
func sharedOnce(t *testing.T, url, settings string, app *sink) (sites [2]string) {
	t.Helper()
	const body = `{"n":"shared"}`
	for i := range sites {
		c := newRedisCaddy(t, url)
		sites[i] = freeAddress(t)
		c.start(receiverCaddyfile(c.admin, sites[i], app.URL, githubReceiver(settings)))
		waitFor(t, "Redis to be asked", func() bool {
			got := send(t, "http://"+sites[i], github(githubSecret, "shared", body), []byte(body))
			return got.status == http.StatusOK
		})
	}
	if got := len(app.deliveries()); got != 1 {
		t.Errorf("the application got %d requests, want 1", got)
	}
	return sites
}
