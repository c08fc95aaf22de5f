package postgresstore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/internal/postgrestest"
	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// senderLease is the lease of senders in tests: short, and yet long enough for a
// machine that has much else to do.
const senderLease = 2 * time.Second

// site is a customer's site that notes which events it gets.
type site struct {
	*httptest.Server
	mu  sync.Mutex
	ids []string
}

func newSite(t *testing.T) *site {
	s := &site{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.ids = append(s.ids, r.Header.Get("webhook-id"))
	}))
	t.Cleanup(s.Close)
	return s
}

// got is which events the site has got, in their order.
func (s *site) got() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.ids)
}

// sites is a configuration with an endpoint for all events, and one that wants
// those of a kind in order.
func sites(all, ordered string) sender.Config {
	return sender.Config{
		EventTypes: []webhook.EventType{{Name: "*"}},
		Egress:     sender.Egress{Allow: []string{"127.0.0.1"}, AllowHTTP: true},
		Endpoints: []sender.Endpoint{
			{ID: "all", URL: all},
			{ID: "ordered", URL: ordered, Ordering: "strict", Events: []string{"ordered.*"}},
		},
	}
}

// publishFunc publishes an event somewhere.
type publishFunc func(id, kind string) error

func publishAt(s *sender.Sender) publishFunc {
	return func(id, kind string) error {
		_, err := s.Publish(background, webhook.Event{ID: id, Type: kind, Data: []byte(`{"name":"` + id + `"}`)})
		return err
	}
}

// startSender starts a sender on an instance of its own, which ends with the
// test.
func startSender(t *testing.T, o Options, c sender.Config) (*sender.Sender, *Store) {
	t.Helper()
	store, err := Open(background, o)
	if err != nil {
		t.Fatal(err)
	}
	s, err := sender.New(c, store, sender.Options{})
	if err != nil {
		t.Fatal(errors.Join(err, store.Close()))
	}
	t.Cleanup(func() {
		if err := errors.Join(s.Close(), store.Close()); err != nil {
			t.Error(err)
		}
	})
	if err := s.Start(background); err != nil {
		t.Fatal(err)
	}
	return s, store
}

// senderProcess tells a process of TestSenders that it is the one to be killed,
// and what it works with.
const senderProcess = "POSTGRESSTORE_TEST_SENDER"

// TestSenderProcess is the process of [TestSenders] that is killed: it publishes
// what it reads, and says so.
func TestSenderProcess(t *testing.T) {
	with := strings.Fields(os.Getenv(senderProcess))
	if len(with) != 4 {
		return // this is not such a process
	}
	s, _ := startSender(t, Options{URL: with[0], Schema: with[1], Lease: senderLease}, sites(with[2], with[3]))
	publish := publishAt(s)
	var out sync.Mutex
	fmt.Println("started")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		go func(id, kind string) {
			if err := publish(id, kind); err != nil {
				t.Errorf("publishing %s: %v", id, err)
				return
			}
			out.Lock()
			defer out.Unlock()
			fmt.Println("published", id)
		}(strings.Fields(lines.Text())[0], strings.Fields(lines.Text())[1])
	}
}

// process is a sender in a process of its own.
type process struct {
	cmd *exec.Cmd
	in  io.WriteCloser

	mu      sync.Mutex
	waiting map[string]chan error
	dead    bool
}

var errDead = errors.New("the process was killed")

// startProcess starts a sender in another process, which ends with the test.
func startProcess(t *testing.T, o Options, c sender.Config) *process {
	t.Helper()
	p := &process{waiting: make(map[string]chan error)}
	p.cmd = exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestSenderProcess$", "-test.timeout=5m")
	p.cmd.Env = append(os.Environ(), senderProcess+"="+strings.Join([]string{o.URL, o.Schema, c.Endpoints[0].URL, c.Endpoints[1].URL}, " "))
	p.cmd.Stderr = os.Stderr
	out, err := p.cmd.StdoutPipe()
	if err == nil {
		p.in, err = p.cmd.StdinPipe()
	}
	if err == nil {
		err = p.cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.kill)
	lines := bufio.NewScanner(out)
	if !lines.Scan() || lines.Text() != "started" {
		t.Fatalf("the process says %q", lines.Text())
	}
	go p.hear(lines)
	return p
}

// hear hears what was published until the process ends.
func (p *process) hear(lines *bufio.Scanner) {
	for lines.Scan() {
		if id, ok := strings.CutPrefix(lines.Text(), "published "); ok {
			p.mu.Lock()
			p.waiting[id] <- nil
			delete(p.waiting, id)
			p.mu.Unlock()
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.dead = true
	for _, answer := range p.waiting {
		answer <- errDead
	}
	clear(p.waiting)
}

func (p *process) publish(id, kind string) error {
	answer := make(chan error, 1)
	p.mu.Lock()
	if p.dead {
		p.mu.Unlock()
		return errDead
	}
	p.waiting[id] = answer
	_, err := fmt.Fprintln(p.in, id, kind)
	p.mu.Unlock()
	if err != nil {
		return errDead
	}
	return <-answer
}

// kill ends the process as nothing can be ended more suddenly.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// TestSenders: what three senders take in at once is all delivered, although one
// of them is killed meanwhile; what was recorded before is not delivered again,
// and what must be in order is, but for what the killed one was taking in: nobody
// knows of that before its lease has ended.
func TestSenders(t *testing.T) {
	const publishers, each, ordered = 32, 40, 8
	o := options(t, postgrestest.Shared(t).URL())
	o.Lease = senderLease
	all, inOrder := newSite(t), newSite(t)
	c := sites(all.URL, inOrder.URL)
	a := startProcess(t, o, c)
	b, store := startSender(t, o, c)
	d, _ := startSender(t, o, c)
	at := []publishFunc{a.publish, publishAt(b), publishAt(d)}

	var publishing sync.WaitGroup
	var again sync.Map
	published := make(chan struct{}, publishers*each)
	for n := range publishers {
		publishing.Go(func() {
			kind := "plain.event"
			if n < ordered {
				kind = "ordered.event"
			}
			for i := range each {
				id := fmt.Sprintf("event-%02d-%03d", n, i)
				err := errDead
				for try := n + i; err != nil; try++ { // as a publisher does whose server has gone away
					if err = at[try%len(at)](id, kind); err != nil && !errors.Is(err, errDead) {
						t.Errorf("publishing %s: %v", id, err)
						return
					}
					if err != nil { // it may be stored, and in the hands of the dead one
						again.Store(id, true)
					}
				}
				published <- struct{}{}
			}
		})
	}
	for range publishers * each / 3 {
		<-published
	}
	a.kill()
	recorded := succeeded(t, store)
	before := len(all.got())
	publishing.Wait()

	soon(t, "everything is delivered", func() bool {
		counts, err := store.Pending(background)
		return err == nil && len(counts) == 0
	})
	want := make([]string, 0, publishers*each)
	for n := range publishers {
		for i := range each {
			want = append(want, fmt.Sprintf("event-%02d-%03d", n, i))
		}
	}
	got := all.got()
	for _, id := range got[before:] {
		if recorded[id] {
			t.Errorf("event %s was delivered again after its success was recorded", id)
		}
	}
	distinct := slices.Compact(slices.Sorted(slices.Values(got)))
	if !slices.Equal(distinct, want) {
		t.Errorf("%d of %d events were delivered", len(distinct), len(want))
	}
	t.Logf("%d events were delivered %d times; %d were recorded when a sender was killed", len(want), len(got), len(recorded))
	checkOrder(t, inOrder.got(), ordered, each, &again)
}

// succeeded are the events that are recorded as delivered to all.
func succeeded(t *testing.T, s *Store) map[string]bool {
	t.Helper()
	ids := make(map[string]bool)
	q := sender.DeliveryQuery{EndpointIDs: []string{"all"}, Statuses: []sender.Status{sender.Succeeded}, Limit: 1000}
	for {
		page, err := s.Deliveries(background, q)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range page.Deliveries {
			ids[d.Event.ID] = true
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			return ids
		}
	}
}

// checkOrder checks that all events of each publisher came, and in their order,
// but for those that had to be published again.
func checkOrder(t *testing.T, got []string, publishers, each int, again *sync.Map) {
	t.Helper()
	seen := make(map[string]bool)
	latest := make([]int, publishers)
	for _, id := range got {
		var n, i int
		if _, err := fmt.Sscanf(id, "event-%02d-%03d", &n, &i); err != nil {
			t.Fatal(err)
		}
		if seen[id] || has(again, id) {
			seen[id] = true
			continue
		}
		seen[id] = true
		if i < latest[n] {
			t.Errorf("event %d of publisher %d came after event %d", i, n, latest[n])
		}
		latest[n] = i
	}
	if len(seen) != publishers*each {
		t.Errorf("%d events came that have an order, want %d", len(seen), publishers*each)
	}
}

// soon waits for something that other processes do. The time is only the end
// of a test that hangs.
func soon(t *testing.T, what string, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for !done() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain until %s", what)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// TestSenderLosesLease: a sender whose lease was lost goes on under another one,
// and another sender delivers what it had in hand.
func TestSenderLosesLease(t *testing.T) {
	release := make(chan struct{})
	var got sync.Map
	hanging := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
			got.Store(r.Header.Get("webhook-id"), true)
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(hanging.Close)
	t.Cleanup(func() { close(release) })
	o := options(t, postgrestest.Shared(t).URL())
	o.Lease = senderLease
	c := sites(hanging.URL, hanging.URL)
	one, store := startSender(t, o, c)
	publish := publishAt(one)
	for n := range 50 {
		kind := []string{"plain.event", "ordered.event"}[n%2]
		if err := publish(fmt.Sprintf("event-%03d", n), kind); err != nil {
			t.Fatal(err)
		}
	}
	other, _ := startSender(t, o, c)
	number := store.keeper.number()
	if _, err := store.pool.Exec(background, store.in(retire), number, true); err != nil {
		t.Fatal(err)
	}
	soon(t, "it has joined anew", func() bool {
		_, count := store.Instances()
		return count == 2 && store.keeper.number() != number
	})
	if err := publishAt(other)("event-050", "plain.event"); err != nil {
		t.Fatal(err)
	}
	soon(t, "everything is delivered", func() bool {
		for range 100 {
			select {
			case release <- struct{}{}:
			case <-time.After(time.Millisecond):
			}
		}
		counts, err := store.Pending(background)
		return err == nil && len(counts) == 0
	})
	for n := range 51 {
		if id := fmt.Sprintf("event-%03d", n); !has(&got, id) {
			t.Errorf("%s was not delivered", id)
		}
	}
}

func has(m *sync.Map, id string) bool {
	_, found := m.Load(id)
	return found
}

// TestSendersWithoutNotifications: senders behind a pooler that lets none of
// them listen find out by looking what the others have changed and left.
func TestSendersWithoutNotifications(t *testing.T) {
	server := postgrestest.Shared(t)
	all, inOrder := newSite(t), newSite(t)
	c := sites(all.URL, inOrder.URL)
	o := options(t, server.PgBouncer(t, server.URL()))
	o.Lease, o.MaxConns = senderLease, 3
	one, store := startSender(t, o, c)
	other, _ := startSender(t, o, c)
	info, _, err := one.CreateEndpoint(background, sender.NewEndpoint{Endpoint: sender.Endpoint{URL: all.URL, Tenant: "t", Ordering: "strict"}, Active: true})
	if err != nil {
		t.Fatal(err)
	}
	soon(t, "the other one knows the endpoint", func() bool {
		_, err := other.Endpoint(background, "t", info.ID)
		return err == nil
	})
	for n := range 20 {
		at := []*sender.Sender{one, other}[n%2]
		for _, tenant := range []string{"", "t"} {
			e := webhook.Event{ID: fmt.Sprintf("event-00-%03d", n), Type: "ordered.event", Tenant: tenant, Data: []byte(`{}`)}
			if _, err := at.Publish(background, e); err != nil {
				t.Fatal(err)
			}
		}
	}
	soon(t, "everything is delivered", func() bool {
		counts, err := store.Pending(background)
		return err == nil && len(counts) == 0
	})
	checkOrder(t, inOrder.got(), 1, 20, new(sync.Map))
	if n := len(all.got()); n != 40 {
		t.Errorf("%d events were delivered to the others, want 40", n)
	}
	if err := other.DeleteEndpoint(background, "t", info.ID); err != nil {
		t.Fatal(err)
	}
	soon(t, "the first one knows that it is gone", func() bool {
		_, err := one.Endpoint(background, "t", info.ID)
		return errors.Is(err, sender.ErrNotFound)
	})
}

// TestSendersOutlastServer: when the database goes away for longer than a lease,
// no sender delivers, and when it is back all that was taken in is delivered.
func TestSendersOutlastServer(t *testing.T) {
	server := postgrestest.Start(t)
	all, inOrder := newSite(t), newSite(t)
	c := sites(all.URL, inOrder.URL)
	o := options(t, server.URL())
	o.Lease = senderLease
	one, store := startSender(t, o, c)
	other, otherStore := startSender(t, o, c)
	var taken sync.Map
	ctx, stop := context.WithCancel(background)
	var publishing sync.WaitGroup
	for n, s := range []*sender.Sender{one, other} {
		publishing.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				id := fmt.Sprintf("event-%d-%05d", n, i)
				patience, cancel := context.WithTimeout(ctx, time.Second)
				if _, err := s.Publish(patience, webhook.Event{ID: id, Type: "plain.event", Data: []byte(`{}`)}); err == nil {
					taken.Store(id, true)
				}
				cancel()
				time.Sleep(5 * time.Millisecond)
			}
		})
	}
	soon(t, "some are delivered", func() bool { return len(all.got()) > 50 })
	server.Kill()
	soon(t, "nobody's lease holds", func() bool {
		_, count := store.Instances()
		_, others := otherStore.Instances()
		return count == 0 && others == 0
	})
	before := len(all.got())
	server.Run(t)
	soon(t, "it goes on", func() bool { return len(all.got()) > before+50 })
	stop()
	publishing.Wait()
	soon(t, "everything is delivered", func() bool {
		counts, err := store.Pending(background)
		return err == nil && len(counts) == 0
	})
	got := make(map[string]bool)
	for _, id := range all.got() {
		got[id] = true
	}
	taken.Range(func(id, _ any) bool {
		if !got[id.(string)] {
			t.Errorf("%s was taken in and not delivered", id)
		}
		return true
	})
}
