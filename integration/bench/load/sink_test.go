package load

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/manysends/caddy-webhooks/webhook"
)

const testSecret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

func listen(t *testing.T, p Plan) *Sink {
	t.Helper()
	s, err := Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := s.Begin(p); err != nil {
		t.Fatal(err)
	}
	return s
}

// deliver sends a delivery with net/http, as somebody else's sender would.
func deliver(t *testing.T, s *Sink, path, id, body, secret string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+s.Address()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	key, err := webhook.ParseSecret(secret)
	if err != nil {
		t.Fatal(err)
	}
	webhook.SetHeaders(req.Header, []webhook.Signer{key}, id, time.Now(), []byte(body))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("status %s", resp.Status)
	}
}

// numbersOnly leaves the times out of a comparison.
var numbersOnly = cmpopts.IgnoreFields(Account{}, "First", "Last", "Latency")

func TestSinkAccountsForEveryDelivery(t *testing.T) {
	s := listen(t, Plan{Run: 5, Events: 10, Targets: 2, VerifyEvery: 1, Secret: testSecret})
	const other = "whsec_b3RoZXJvdGhlcm90aGVyb3RoZXJvdGhlcm90aGVyb3Q="
	mark := func(run uint16, number uint32) string { return Mark{Run: run, Number: number, At: Now()}.String() }
	deliver(t, s, "/e/0", mark(5, 0), "{}", testSecret)
	deliver(t, s, "/e/1", mark(5, 0), "{}", testSecret)
	deliver(t, s, "/e/0", mark(5, 1), "{}", testSecret) // and not to target 1
	deliver(t, s, "/e/0", mark(5, 1), "{}", testSecret) // twice
	deliver(t, s, "/e/0", mark(5, 2), "{}", other)      // forged
	deliver(t, s, "/e/1", mark(5, 3), "{}", testSecret) // was not accepted
	deliver(t, s, "/e/0", mark(4, 0), "{}", testSecret) // of another run
	deliver(t, s, "/e/2", mark(5, 0), "{}", testSecret) // to nobody
	deliver(t, s, "/e/0", mark(5, 10), "{}", testSecret)
	deliver(t, s, "/e/0", "evt_1", "{}", testSecret)
	got := s.tally.Load().account(5, []uint32{3})
	want := &Account{Arrived: 10, Distinct: 5, Strays: 4, Missing: 4, Unexpected: 1, Verified: 9, Forged: 1}
	if diff := cmp.Diff(want, got, numbersOnly); diff != "" {
		t.Error(diff)
	}
	if got.Latency.N != 5 || got.First > got.Last || got.Latency.Max > time.Minute {
		t.Errorf("%d latencies of at most %v, from %d to %d", got.Latency.N, got.Latency.Max, got.First, got.Last)
	}
}

// TestEveryLoadArrives has each kind of load sent to a sink over real
// connections. Publications are no deliveries, so they go to a server that
// makes deliveries of them.
func TestEveryLoadArrives(t *testing.T) {
	for _, kind := range []string{Signed, Bare} {
		for _, rate := range []float64{0, 2000} {
			t.Run(fmt.Sprint(kind, " ", rate), func(t *testing.T) {
				s := listen(t, Plan{Run: 3, Events: 500, VerifyEvery: 1, Secret: testSecret})
				r, err := Do(t.Context(), Job{
					Kind: kind, Address: s.Address(), Path: "/e/0", Run: 3, Connections: 8, Limit: 500, Rate: rate,
					Payload: 1024, Type: "message.created", Secret: testSecret,
				})
				if err != nil {
					t.Fatal(err)
				}
				s.tally.Load().await(500, 10*time.Second)
				got := s.tally.Load().account(r.Sent, r.Failed)
				if diff := cmp.Diff(&Account{Arrived: 500, Distinct: 500, Verified: 500}, got, numbersOnly); diff != "" {
					t.Error(diff)
				}
				if r.Answers.N != 500 || r.First == 0 || r.First > got.First || got.Last > r.Last {
					t.Errorf("%d answers from %d to %d, arrivals from %d to %d", r.Answers.N, r.First, r.Last, got.First, got.Last)
				}
			})
		}
	}
}

// TestPublications has the published events read by encoding/json.
func TestPublications(t *testing.T) {
	for _, j := range []Job{
		{Path: "/events", Type: "message.created", Payload: 1024},
		{Path: "/events", Type: "message.created", Payload: 20, Batch: 3, Tenants: 2},
	} {
		p := newPublication(&j)
		for range 2 { // the same space is used again
			text := string(p.request(Mark{Run: 1, Number: 6, At: 77}))
			head, body, _ := strings.Cut(text, "\r\n\r\n")
			if !strings.Contains(head, fmt.Sprintf("Content-Length: %d", len(body))) {
				t.Errorf("the body of %d bytes has the head %q", len(body), head)
			}
			if j.Batch == 0 {
				body = "[" + body + "]"
			}
			var events []struct {
				ID, Event, Tenant string
				Data              json.RawMessage
			}
			if err := json.Unmarshal([]byte(body), &events); err != nil || len(events) != max(j.Batch, 1) {
				t.Fatalf("%d events, %v: %s", len(events), err, body)
			}
			for i, e := range events {
				number, tenant := 6+i, ""
				if j.Tenants > 0 {
					tenant = Tenant(number % j.Tenants)
				}
				if e.ID != (Mark{Run: 1, Number: uint32(number), At: 77}).String() || e.Event != j.Type || e.Tenant != tenant || len(e.Data) != j.Payload {
					t.Errorf("event %d is %+v with %d bytes of data", number, e, len(e.Data))
				}
			}
		}
	}
}

// TestWaitingIsCounted has a server hold up the first request. Those that had to
// wait for it, and were sent late, count as late from their own time on.
func TestWaitingIsCounted(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	const held = 300 * time.Millisecond
	first := true
	server := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		if first { // there is one connection, so one request at a time
			time.Sleep(held)
		}
		first = false
	})}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	r, err := Do(t.Context(), Job{
		Kind: Signed, Address: listener.Addr().String(), Path: "/", Connections: 1, Duration: 200 * time.Millisecond, Rate: 100,
		Payload: 64, Type: "message.created", Secret: testSecret,
	})
	if err != nil {
		t.Fatal(err)
	}
	// The 20 requests were to be sent within 200 ms, the last of them after
	// 190 ms, and none but the first could be before 300 ms.
	if r.Sent != 20 || r.Answers.Min < held-200*time.Millisecond || r.Late.Quantile(0.5) < held-200*time.Millisecond {
		t.Errorf("%d requests; the quickest took %v, half were sent %v late", r.Sent, r.Answers.Min, r.Late.Quantile(0.5))
	}
}

func TestRefusalsAreReported(t *testing.T) {
	refuse := func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, "come back later")
	}
	j := Job{Kind: Publish, Address: serve(t, refuse), Path: "/", Connections: 2, Limit: 3, Batch: 2, Payload: 64, Type: "message.created"}
	r, err := Do(t.Context(), j)
	if err != nil {
		t.Fatal(err)
	}
	if r.Sent != 6 || len(r.Failed) != 6 || len(r.Reasons) == 0 || r.Reasons[0] != "status 503: come back later" || r.Answers.N != 0 {
		t.Errorf("of %d events %v failed because of %q", r.Sent, r.Failed, r.Reasons)
	}
	j.Address = "127.0.0.1:1" // nobody listens
	r, err = Do(t.Context(), j)
	if err != nil || len(r.Failed) != 6 || !strings.Contains(strings.Join(r.Reasons, " "), "refused") {
		t.Errorf("with nobody there %v failed because of %q: %v", r.Failed, r.Reasons, err)
	}
}

func TestImpossibleJobs(t *testing.T) {
	good := Job{Kind: Signed, Address: "127.0.0.1:1", Connections: 1, Limit: 1, Secret: testSecret}
	for name, change := range map[string]func(*Job){
		"no connections": func(j *Job) { j.Connections = 0 },
		"no end":         func(j *Job) { j.Limit = 0 },
		"no kind":        func(j *Job) { j.Kind = "other" },
		"no secret":      func(j *Job) { j.Secret = "" },
	} {
		j := good
		change(&j)
		if _, err := Do(context.Background(), j); err == nil {
			t.Errorf("%s: it was done", name)
		}
	}
}

// serve starts a server of net/http and returns its host and port.
func serve(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: handler}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	return listener.Addr().String()
}
