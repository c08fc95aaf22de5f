// Package storedtest has what the tests of the stores of this module put into
// them, so that all are tested and measured with the same.
package storedtest

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// Start is when the tests' time begins.
var Start = time.Date(2024, 3, 5, 10, 30, 0, 0, time.UTC)

// Kilobyte is an event's data.
var Kilobyte = []byte(`{"text":"` + strings.Repeat("x", 1000) + `"}`)

// Batch is n publications of one event each, numbered from first, to endpoints.
func Batch(n, first int, endpoints ...string) []*sender.Publication {
	publications := make([]*sender.Publication, n)
	for i := range publications {
		publications[i] = &sender.Publication{Events: []sender.PutEvent{{
			Event: &webhook.Event{
				ID: fmt.Sprintf("evt_0192f0c1a2b37c4d8e5f6071%08x", first+i), Type: "conversation.created",
				Timestamp: Start, Data: Kilobyte,
			},
			StoredAt: Start.Add(time.Duration(first+i) * time.Millisecond), EndpointIDs: endpoints,
		}}}
	}
	return publications
}

// Renumber gives the events of a batch the IDs and times of one numbered from
// first. It costs little beside what a benchmark measures.
func Renumber(publications []*sender.Publication, first int) {
	const digits = "0123456789abcdef"
	for i, p := range publications {
		id := []byte("evt_0192f0c1a2b37c4d8e5f607100000000")
		for n, at := first+i, len(id)-1; n > 0; n, at = n>>4, at-1 {
			id[at] = digits[n&15]
		}
		p.Events[0].Event.ID = string(id)
		p.Events[0].StoredAt = Start.Add(time.Duration(first+i) * time.Millisecond)
	}
}

// Delivered is the outcome of a first attempt that succeeded, with nothing that
// stores keep aside.
var Delivered = sender.Outcome{Status: sender.Succeeded, Type: "conversation.created", Attempt: &sender.Attempt{
	Number: 1, StartedAt: Start, Duration: webhook.Duration(3 * time.Millisecond), StatusCode: 200,
	Verdict: sender.VerdictSucceeded, ResponseBody: []byte(`{"ok":true}`),
}}

// Outcomes are one outcome for the delivery of each publication to an endpoint.
func Outcomes(publications []*sender.Publication, endpoint string, outcome sender.Outcome) []sender.Outcome {
	list := make([]sender.Outcome, len(publications))
	for i, p := range publications {
		list[i] = outcome
		list[i].Seq, list[i].EndpointID = p.Events[0].Seq, endpoint
	}
	return list
}

// WholeAttempt is an attempt as it usually is, with all that is known of it.
func WholeAttempt() sender.Attempt {
	a := *Delivered.Attempt
	a.Timings = sender.Timings{DNS: 1_203_040, Connect: 11_203_040, TLS: 21_203_040, FirstByte: webhook.Duration(53 * time.Millisecond)}
	a.RemoteAddr = "203.0.113.77:443"
	a.RequestHeaders = http.Header{
		"Content-Type": {"application/json"}, "User-Agent": {"caddy-webhooks/v1.0.0"}, "Webhook-Id": {"evt_0192f0c1a2b37c4d8e5f60718293a4b5"},
		"Webhook-Timestamp": {"1709634600"}, "Webhook-Signature": {"v1,lzeWAiyRfH2KxX8DXuSUfMd0jhG7k2flAAwnTUfduFM="}, "Authorization": {"(hidden)"},
	}
	a.ResponseHeaders = http.Header{
		"Content-Type": {"application/json"}, "Content-Length": {"11"}, "Date": {"Tue, 05 Mar 2024 10:30:00 GMT"}, "Server": {"nginx"},
		"X-Request-Id": {"5f2b8e9c0a7d4e3f"}, "Strict-Transport-Security": {"max-age=31536000"}, "X-Ratelimit-Remaining": {"4999"},
	}
	return a
}
