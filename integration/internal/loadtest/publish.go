package loadtest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Publishers publish events over HTTP, each one after the other, as a server
// does that waits for the answer. When there is none they publish the same
// event again, as they are told to.
type Publishers struct {
	URL       string
	Ledger    *Ledger
	Endpoints []string      // those that every event goes to
	Count     int           // how many publishers there are
	Pause     time.Duration // of each, between two events
	Data      int           // bytes of data of each event

	// Sent and Acknowledged are told of each request and each 202 or 200, if
	// somebody listens. Make makes them.
	Sent, Acknowledged chan struct{}

	// Acks is how many events were acknowledged, and Refusals how many times
	// one was not.
	Acks, Refusals atomic.Int64

	// ReceiverURL is where signed events are sent to as well; empty: nowhere.
	ReceiverURL string
	Received    *Received

	stop    context.CancelFunc
	running sync.WaitGroup
}

// giveUpAfter is how long a publisher tries the same event again.
const giveUpAfter = 5 * time.Second

// Start has them publish until Stop. It may be called once.
func (p *Publishers) Start() {
	p.Sent, p.Acknowledged = make(chan struct{}, 1), make(chan struct{}, 1)
	ctx, cancel := context.WithCancel(context.Background())
	p.stop = cancel
	for number := range p.Count {
		p.running.Go(func() { p.run(ctx, number) })
	}
	if p.ReceiverURL != "" {
		p.running.Go(func() { p.Received.run(ctx, p.ReceiverURL, p.Pause) })
	}
}

// Stop ends publishing. The requests under way are waited for.
func (p *Publishers) Stop() {
	p.stop()
	p.running.Wait()
}

func (p *Publishers) run(ctx context.Context, number int) {
	client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	filler := strings.Repeat("x", p.Data)
	for serial := 1; ctx.Err() == nil; serial++ {
		id := eventID(number, serial)
		body := fmt.Appendf(nil, `{"id":%q,"event":"message.created","data":{"n":%d,"filler":%q}}`, id, serial, filler)
		for began := time.Now(); ; sleep(ctx, 5*time.Millisecond) {
			if p.publish(client, body) {
				p.Ledger.Promise(id, p.Endpoints...)
				p.Acks.Add(1)
				signal(p.Acknowledged)
				break
			}
			p.Refusals.Add(1)
			if ctx.Err() != nil || time.Since(began) > giveUpAfter {
				break // nobody has promised anything
			}
		}
		sleep(ctx, p.Pause)
	}
}

// publish tells whether an event was acknowledged. Requests are not broken off
// when publishing is to end, so that no answer is missed.
func (p *Publishers) publish(client *http.Client, body []byte) bool {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, p.URL, bytes.NewReader(body))
	if err != nil {
		return false
	}
	req.Header.Set("Content-Type", "application/json")
	signal(p.Sent)
	resp, err := client.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, resp.Body) // the status says it all
	return resp.StatusCode == http.StatusAccepted || resp.StatusCode == http.StatusOK
}

// eventID names the events of a publisher in their order.
func eventID(publisher, serial int) string { return fmt.Sprintf("evt_%d_%d", publisher, serial) }

// serialOf takes an event ID apart; not ok if it is none of a publisher.
func serialOf(id string) (publisher, serial int, ok bool) {
	_, err := fmt.Sscanf(id, "evt_%d_%d", &publisher, &serial)
	return publisher, serial, err == nil
}

// sleep waits, but not after the context has ended.
func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
