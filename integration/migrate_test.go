package integration

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/manysends/caddy-webhooks/internal/postgrestest"
)

// migration is a SQLite store with deliveries in every state but blocked, which
// takes a name that resolves to another address, and what is to become of it.
type migration struct {
	t        *testing.T
	c        *caddy // on PostgreSQL later
	site     string
	options  string // of either, but for the store
	customer *httptest.Server
	strict   string // an address that nobody listens on at first
	events   []string
	began    time.Time
}

// everybody is the operator of the site.
func (m *migration) everybody() account { return account{m.t, m.site + "/settings/webhooks", ""} }

// caddyfile is that of either store.
func (m *migration) caddyfile(store string) string {
	return strings.Replace(postgresCaddyfile(m.c.admin, m.site, m.options), "store postgres {env.DATABASE_URL} {\n\t\t\tlease 2s\n\t\t}", store, 1)
}

// newMigration fills the store of a Caddy that runs.
func newMigration(t *testing.T, url string, bulk int) *migration {
	t.Helper()
	m := &migration{t: t, began: time.Now(), c: newPostgresCaddy(t, url), site: freeAddress(t), strict: freeAddress(t)}
	m.c.env = append(m.c.env, "WEBHOOK_KEY="+strings.Repeat("a2V5", 10)+"a2U=") // 32 bytes
	m.customer = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/good" {
			w.WriteHeader(http.StatusInternalServerError)
		}
		fmt.Fprintf(w, "answer to %s", r.Header.Get("Webhook-Id"))
	}))
	t.Cleanup(m.customer.Close)
	m.options = fmt.Sprintf(`encryption_key {env.WEBHOOK_KEY}
		endpoint good %[1]s/good {
			events message.*
		}
		endpoint short %[1]s/short {
			events message.deleted
			retry 1ms
		}
		endpoint long %[1]s/long {
			events message.updated
			retry 1h 1h
		}
		endpoint strict http://%[2]s/strict {
			events label.*
			ordering strict
			retry 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s
		}`, m.customer.URL, m.strict)
	m.c.start(m.caddyfile("store sqlite webhooks.db"))
	made := m.everybody().newEndpoint(m.customer.URL + "/made")
	for n := range 20 {
		kind := "created"
		switch { // few, so that no breaker opens
		case n < 1:
			kind = "deleted"
		case n < 5:
			kind = "updated"
		}
		m.events = append(m.events, publish(t, m.site, fmt.Sprintf(`{"event":"message.%s","data":{"n":%d}}`, kind, n)))
	}
	m.everybody().want(http.StatusOK, "POST", "/api/endpoints/"+made.ID+"/deactivate", "", nil)
	var batch strings.Builder
	for n := 1; n <= bulk; n++ {
		fmt.Fprintf(&batch, "{\"event\":\"label.created\",\"data\":{\"n\":%d}}\n", n)
		if n%1000 == 0 {
			if status, answer := post(t, "http://"+m.site+"/events", "application/x-ndjson", []byte(batch.String())); status != http.StatusAccepted {
				t.Fatalf("publishing: %d %s", status, answer)
			}
			batch.Reset()
		}
	}
	m.settled()
	var list struct{ Deliveries []struct{ ID string } }
	m.everybody().want(http.StatusOK, "GET", "/api/deliveries?endpoint=long&limit=3", "", &list)
	for _, d := range list.Deliveries {
		m.everybody().want(http.StatusOK, "POST", "/api/deliveries/"+d.ID+"/cancel", "", nil)
	}
	m.everybody().want(http.StatusOK, "GET", "/api/deliveries?endpoint=short&limit=1", "", &list)
	m.everybody().want(http.StatusAccepted, "POST", "/api/deliveries/"+list.Deliveries[0].ID+"/retry", "", nil)
	m.settled()
	return m
}

// settled waits until nothing happens but to the strict endpoint.
func (m *migration) settled() {
	m.t.Helper()
	last := map[string]string{}
	waitFor(m.t, "everything to be quiet", func() bool {
		time.Sleep(300 * time.Millisecond)
		now := m.picture()
		defer func() { last = now }()
		return gocmp.Equal(last, now) && !strings.Contains(now["good"], "pending") && !strings.Contains(now["short"], "pending")
	})
}

// picture is what the API tells of everything but the strict endpoint.
func (m *migration) picture() map[string]string {
	m.t.Helper()
	all := map[string]string{}
	ask := func(name, path string) {
		m.t.Helper()
		all[name] = m.everybody().want(http.StatusOK, "GET", path, "", nil).body
	}
	for _, endpoint := range []string{"good", "short", "long"} {
		ask(endpoint, "/api/deliveries?limit=7&endpoint="+endpoint)
	}
	for _, event := range m.events {
		ask(event, "/api/events/"+event)
	}
	ask("oldest first", "/api/deliveries?limit=7&order=oldest&status=failed&status=cancelled")
	ask("stats", "/api/stats?step=hour&endpoint=good&endpoint=short&endpoint=long&from="+m.hour(-2)+"&to="+m.hour(2))
	all["endpoints"] = fmt.Sprint(m.everybody().states())
	return all
}

// hour is a whole hour, so many after the one in which the test began.
func (m *migration) hour(n int) string {
	return m.began.Add(time.Duration(n) * time.Hour).Truncate(time.Hour).UTC().Format(time.RFC3339)
}

// migrate prepares a run of the command.
func (m *migration) migrate(more ...string) *exec.Cmd {
	return m.c.command(append([]string{"webhooks", "migrate", "--from", "sqlite:webhooks.db", "--to", "{env.DATABASE_URL}"}, more...)...)
}

// TestMigrateToPostgres moves a store with deliveries in all states but one to
// PostgreSQL. The command is killed again and again, and goes on each time. In
// the end there is all that there was; what is pending is delivered, in order
// where that was asked for.
func TestMigrateToPostgres(t *testing.T) {
	const bulk = 6000
	server := postgrestest.Start(t)
	url := server.Database(t)
	m := newMigration(t, url, bulk)
	if out, err := m.migrate().CombinedOutput(); err == nil || !strings.Contains(string(out), "store is in use") {
		t.Errorf("migrating under a running Caddy: %v, want an error that says so:\n%s", err, out)
	}
	before := m.picture()
	m.c.kill()
	store := filepath.Join(m.c.home, "webhooks.db")
	content := files(t, store, store+"-wal")

	killed, out := m.killedUntilDone(url)
	t.Logf("killed %d times; then it printed:\n%s", killed, out)
	count := bulk + len(m.events)
	switch {
	case strings.Contains(out, "the store is not empty"): // the last kill came between the end of the copy and that of the command
	case !strings.Contains(out, fmt.Sprint(count, " ", count, " events")):
		t.Errorf("the command does not say that there are %d events on both sides", count)
	}
	if !slices.EqualFunc(content, files(t, store, store+"-wal"), bytes.Equal) { // a comparison of such length takes gocmp half a minute
		t.Error("the store that was copied has changed")
	}
	if out, err := m.migrate().CombinedOutput(); err == nil || !strings.Contains(string(out), "the store is not empty: no copy into it is unfinished") {
		t.Errorf("migrating again: %v, want a refusal:\n%s", err, out)
	}

	m.c.start(m.caddyfile("store postgres {env.DATABASE_URL}"))
	if diff := gocmp.Diff(before, m.picture()); diff != "" {
		t.Errorf("before (-) and after (+):\n%s", diff)
	}
	customer := newArrivals(t)
	listen(t, m.strict, customer)
	waitFor(t, "all that was pending", func() bool { return len(customer.counts("/strict")) == bulk })
	wantOrder(t, customer.of("/strict"), 0)
	publish(t, m.site, fmt.Sprintf(`{"event":"label.created","data":{"n":%d}}`, bulk+1))
	waitFor(t, "a new event", func() bool { return len(customer.counts("/strict")) == bulk+1 })
	m.c.stop()
}

// killedUntilDone calls the command and kills it, again and again, until one call
// has ended by itself. It returns how often it was killed, and what the last call
// printed.
func (m *migration) killedUntilDone(url string) (killed int, out string) {
	m.t.Helper()
	var after time.Duration // the first is killed when it has just begun
	for ; killed < 200; killed++ {
		out, err := m.killedAfterProgress(after)
		var exit *exec.ExitError
		switch {
		case err == nil && killed > 0:
			return killed, out
		case err == nil:
			m.t.Fatalf("the command was not killed:\n%s", out)
		case !errors.As(err, &exit) || exit.Exited():
			if killed > 0 && strings.Contains(out, "the store is not empty") {
				return killed, out
			}
			m.t.Fatalf("%v:\n%s", err, out)
		case killed == 0:
			m.refusedHalf(url)
		}
		after = rand.N(300 * time.Millisecond)
	}
	m.t.Fatal("the command does not come to an end")
	return 0, ""
}

// refusedHalf starts a Caddy on what has been copied so far.
func (m *migration) refusedHalf(url string) {
	m.t.Helper()
	c := newPostgresCaddy(m.t, url)
	out, err := c.command("run", "--config", c.write(postgresCaddyfile(c.admin, freeAddress(m.t), "")), "--adapter", "caddyfile").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "was not finished") {
		m.t.Errorf("starting on half a copy: %v, want an error that says so:\n%s", err, out)
	}
}

// killedAfterProgress runs the command, and kills it when it has said how far it
// is and some time has passed. It returns what was printed, and how the command
// ended.
func (m *migration) killedAfterProgress(after time.Duration) (string, error) {
	m.t.Helper()
	cmd, out := m.migrate(), new(output)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case err := <-ended:
			return spaced(out.String()), err
		case <-time.After(time.Millisecond):
		}
		if strings.Contains(out.String(), "copied so far") {
			time.Sleep(after)
			_ = cmd.Process.Kill()
			err := <-ended
			return spaced(out.String()), err
		}
	}
}

// spaced has one space where there are several.
func spaced(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return strings.Join(lines, "\n")
}

// files are the contents of files; of one that there is not, nothing.
func files(t *testing.T, paths ...string) (contents [][]byte) {
	t.Helper()
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		contents = append(contents, bytes.Clone(b))
	}
	return contents
}

// listen serves at an address.
func listen(t *testing.T, address string, handler http.Handler) {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(handler)
	s.Listener.Close()
	s.Listener = l
	s.Start()
	t.Cleanup(s.Close)
}

// TestMigrateRefuses checks what is said of flags that are wrong.
func TestMigrateRefuses(t *testing.T) {
	c := newPostgresCaddy(t, "postgres://hooks:hunter2@127.0.0.1:1/hooks")
	for _, tt := range []struct {
		args []string
		want string
	}{
		{nil, "--to is missing"},
		{[]string{"--to", "nonsense"}, "--to is no store"},
		{[]string{"--to", "bolt:x"}, `store "bolt" is unknown`},
		{[]string{"--to", "sqlite:x.db", "--from", "sqlite:y.db"}, "nothing can be copied into stores of the kind sqlite"},
		{[]string{"--to", "{env.UNSET_URL}"}, "--to: "},
		{[]string{"--to", "postgres://hooks:hunter2@127.0.0.1:1/hooks"}, "--to has a password"},
		{[]string{"--to", "postgres://hooks@127.0.0.1:1/hooks?password=hunter2"}, "--to has a password"},
		{[]string{"--to", "postgres://hooks@127.0.0.1:1/hooks?sslpassword=hunter2"}, "--to has a password"},
		{[]string{"--from", "postgres://127.0.0.1:1/hooks", "--to", "{env.DATABASE_URL}"}, "stores of the kind postgres cannot be copied"},
		{[]string{"--to", "{env.DATABASE_URL}"}, "there is nothing to copy"},
	} {
		out, err := c.command(append([]string{"webhooks", "migrate"}, tt.args...)...).CombinedOutput()
		if err == nil || !strings.Contains(string(out), tt.want) || strings.Contains(string(out), "hunter2") {
			t.Errorf("migrate %q: %v, want %q and no password in it:\n%s", tt.args, err, tt.want, out)
		}
	}
}
