package loadtest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

// Secret signs what is sent to the receiver.
const Secret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=" //nolint:gosec // made for tests

// Application is the endpoint that stands for the application behind the
// receiver.
const Application = "application"

// Received is a provider that sends signed events to a receiver, and sends old
// ones again, as providers do that have missed the answer. What was answered
// with success is promised to the application.
type Received struct {
	Ledger *Ledger

	mu       sync.Mutex
	sent     []string
	answered []string
	wrong    []string
	resent   int
}

// run sends events until the context ends. Each fourth is an old one.
func (r *Received) run(ctx context.Context, url string, pause time.Duration) {
	secret, err := webhook.ParseSecret(Secret)
	if err != nil {
		r.wrong = append(r.wrong, err.Error())
		return
	}
	client := &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for serial := 1; ctx.Err() == nil; serial++ {
		if serial%4 == 0 && len(r.answered) > 0 {
			id := r.answered[rand.IntN(len(r.answered))]
			if status, _ := send(client, secret, url, id); status == http.StatusOK {
				r.mu.Lock()
				r.resent++
				r.mu.Unlock()
			}
		} else {
			r.sendNew(ctx, client, secret, url, fmt.Sprintf("in_%d", serial))
		}
		sleep(ctx, pause)
	}
}

// sendNew sends an event until it is answered with success.
func (r *Received) sendNew(ctx context.Context, client *http.Client, secret *webhook.Secret, url, id string) {
	r.mu.Lock()
	r.sent = append(r.sent, id)
	r.mu.Unlock()
	for began := time.Now(); time.Since(began) < giveUpAfter && ctx.Err() == nil; sleep(ctx, 5*time.Millisecond) {
		status, err := send(client, secret, url, id)
		switch {
		case status == http.StatusOK:
			r.Ledger.Promise(id, Application)
			r.mu.Lock()
			r.answered = append(r.answered, id)
			r.mu.Unlock()
			return
		case err == nil && status != http.StatusBadGateway && status != http.StatusServiceUnavailable && status != http.StatusConflict:
			r.mu.Lock()
			r.wrong = append(r.wrong, fmt.Sprintf("%s was answered with %d", id, status))
			r.mu.Unlock()
			return
		}
	}
}

// Sent are the events that were sent, with whatever answer.
func (r *Received) Sent() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.sent)
}

// Wrong are the answers that should not have been, and Resent is how many old
// events were sent again and answered with success.
func (r *Received) Wrong() (wrong []string, resent int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.wrong), r.resent
}

// send sends a signed event.
func send(client *http.Client, secret *webhook.Secret, url, id string) (status int, err error) {
	body := []byte(`{"type":"message.created","timestamp":"2024-03-05T10:30:00Z","data":{}}`)
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	webhook.SetHeaders(req.Header, []webhook.Signer{secret}, id, time.Now(), body)
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}
