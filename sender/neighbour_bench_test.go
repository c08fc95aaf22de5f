//go:build linux

package sender_test

import (
	"bytes"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// What BenchmarkDeadNeighbour does.
const (
	neighbourQueued = 100_000
	neighbourRounds = 15
	neighbourRate   = 500 // events per second
	neighbourPhase  = 2 * time.Second
)

// BenchmarkDeadNeighbour is what an endpoint that is dead, with 100,000
// deliveries queued, costs one that works: how long the events of that one take
// from the time they were to be published at to their arrival, alone and beside
// the dead one, in turns. Events are published at a steady rate, whether those
// before have been stored or not. The processor time says more than the others
// on a computer that has other things to do.
func BenchmarkDeadNeighbour(b *testing.B) {
	for _, dead := range []struct {
		name   string
		url    func(testing.TB) string
		events string // that the dead one gets
	}{
		{"silent", silentPeer, "dead.*"},
		{"refusing", refusingPeer, "dead.*"},
		{"silent,same-events", silentPeer, "*"},
	} {
		b.Run(dead.name, func(b *testing.B) {
			url := dead.url(b) // which closes after the sender has
			arrivals := &arrivals{}
			working := newSinkFor(b, arrivals.arrived)
			alone := toPeers()
			alone.Endpoints = []sender.Endpoint{{ID: "working", URL: working.url, Events: []string{"message.*"}, Secrets: []string{secretText}}}
			beside := alone
			beside.Endpoints = append(slices.Clone(alone.Endpoints), sender.Endpoint{
				ID: "dead", URL: url, Events: []string{dead.events}, Secrets: []string{secretText},
				Timeout: webhook.Duration(time.Second),
			})
			empty := benchRig(b, alone)
			empty.start()
			full := &rig{t: b, config: alone, path: fillStore(b, neighbourQueued, len(benchData), "dead")}
			b.Cleanup(full.close)
			full.open()
			full.start()
			for b.Loop() {
				var p50, p99, used [2][]time.Duration
				for range neighbourRounds {
					for i, r := range []*rig{empty, full} {
						if r == full { // the dead one begins, and ends, with the phase
							r.config = beside
							r.apply()
						}
						before := processorTime(b)
						took := arrivals.measure(b, r)
						used[i] = append(used[i], (processorTime(b)-before)/time.Duration(len(took)))
						if r == full {
							r.config = alone
							r.apply()
							r.idle("dead")
						}
						p50[i] = append(p50[i], took[len(took)/2])
						p99[i] = append(p99[i], took[len(took)*99/100])
					}
				}
				b.Logf("%s: p99 alone %v, beside %v", dead.name, p99[0], p99[1])
				for i, name := range []string{"alone", "beside"} {
					b.ReportMetric(milliseconds(median(p50[i])), "p50-ms-"+name)
					b.ReportMetric(milliseconds(median(p99[i])), "p99-ms-"+name)
					b.ReportMetric(1000*milliseconds(median(used[i])), "cpu-µs/event-"+name)
				}
				b.ReportMetric(milliseconds(median(p50[1]))/milliseconds(median(p50[0])), "p50-ratio")
				b.ReportMetric(milliseconds(median(p99[1]))/milliseconds(median(p99[0])), "p99-ratio")
			}
			b.ReportMetric(0, "ns/op") // says nothing
		})
	}
}

// median is the middle one.
func median[T int64 | float64 | time.Duration](values []T) T {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[len(sorted)/2]
}

func milliseconds(d time.Duration) float64 { return d.Seconds() * 1000 }

// arrivals measures how long events take from the time they were to be
// published at.
type arrivals struct {
	began   time.Time
	took    []atomic.Int64 // nanoseconds, by the number of the event
	missing atomic.Int64
	done    chan struct{}
}

// neighbourEvery is the time from one event to the next.
const neighbourEvery = time.Second / neighbourRate

// arrived is told of a request with an event.
func (a *arrivals) arrived(body []byte) {
	now := time.Now()
	_, rest, found := bytes.Cut(body, []byte(`{"n":`))
	digits, _, _ := bytes.Cut(rest, []byte(`,`))
	n, err := strconv.Atoi(string(digits))
	if !found || err != nil || n < 0 { // of before
		return
	}
	took := max(now.Sub(a.began.Add(time.Duration(n)*neighbourEvery)), 1)
	if a.took[n].CompareAndSwap(0, int64(took)) && a.missing.Add(-1) == 0 {
		close(a.done)
	}
}

// measure publishes for a while and returns how long each event took, in
// ascending order.
func (a *arrivals) measure(b *testing.B, r *rig) []time.Duration {
	n := int(neighbourPhase / neighbourEvery)
	a.took, a.done = make([]atomic.Int64, n), make(chan struct{})
	a.missing.Store(int64(n))
	a.began = time.Now().Add(10 * time.Millisecond)
	var publishing sync.WaitGroup
	for i := range n {
		time.Sleep(time.Until(a.began.Add(time.Duration(i) * neighbourEvery)))
		publishing.Go(func() {
			data := fmt.Appendf(nil, `{"n":%d,%s`, i, benchData[1:])
			if _, err := r.Publish(b.Context(), webhook.Event{Type: "message.created", Data: data}); err != nil {
				b.Error(err)
			}
		})
	}
	publishing.Wait()
	select {
	case <-a.done:
	case <-time.After(time.Minute):
		b.Fatalf("%d events have not arrived after a minute", a.missing.Load())
	}
	took := make([]time.Duration, n)
	for i := range a.took {
		took[i] = time.Duration(a.took[i].Load())
	}
	slices.Sort(took)
	return took
}

// silentPeer is the URL of a site that takes connections and never answers.
func silentPeer(b testing.TB) string {
	listener, err := (&net.ListenConfig{}).Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	var accepting sync.WaitGroup
	accepting.Go(func() {
		var conns []net.Conn
		for {
			conn, err := listener.Accept()
			if err != nil {
				break
			}
			conns = append(conns, conn)
		}
		for _, conn := range conns {
			_ = conn.Close()
		}
	})
	b.Cleanup(func() {
		_ = listener.Close()
		accepting.Wait()
	})
	return "http://" + listener.Addr().String() + "/"
}

// refusingPeer is the URL of a site that takes no connections.
func refusingPeer(b testing.TB) string {
	listener, err := (&net.ListenConfig{}).Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	if err := listener.Close(); err != nil {
		b.Fatal(err)
	}
	return "http://" + listener.Addr().String() + "/"
}
