package sender

import (
	"fmt"
	"net/http"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

// Status is how far a delivery has come.
type Status uint8

// The statuses of a delivery.
const (
	// Pending: waiting for its first attempt, under way, or waiting for a
	// retry.
	Pending Status = iota + 1

	// Blocked: refused by the egress guard. It waits until the endpoint or the
	// egress rules change.
	Blocked

	// Succeeded: the endpoint answered 2xx in time.
	Succeeded

	// Failed: the retry schedule is used up.
	Failed

	// Cancelled: given up by a person.
	Cancelled
)

var statusNames = [...]string{Pending: "pending", Blocked: "blocked", Succeeded: "succeeded", Failed: "failed", Cancelled: "cancelled"}

// String is the status as it is written everywhere.
func (s Status) String() string {
	if int(s) < len(statusNames) && statusNames[s] != "" {
		return statusNames[s]
	}
	return fmt.Sprintf("status(%d)", uint8(s))
}

// MarshalText writes the status as [Status.String] does.
func (s Status) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what [Status.MarshalText] writes.
func (s *Status) UnmarshalText(b []byte) error {
	for i, name := range statusNames {
		if name != "" && name == string(b) {
			*s = Status(i)
			return nil
		}
	}
	return fmt.Errorf("status %q is unknown: use pending, blocked, succeeded, failed or cancelled", b)
}

// Delivery is one event on its way to one endpoint.
type Delivery struct {
	// Event is what is delivered. It is shared: nobody changes it.
	Event *webhook.Event

	// Seq is the store's number of the event; see [PutEvent.Seq].
	Seq int64

	// StoredAt is when the event was stored.
	StoredAt time.Time

	// EndpointID is where it goes.
	EndpointID string

	// Status is how far it has come.
	Status Status

	// Attempts is how many have been made.
	Attempts int

	// ScheduleStart is how many attempts had been made when the present retry
	// schedule began. It is 0 until somebody asks for the event to be delivered
	// again.
	ScheduleStart int

	// Due is when the next attempt may be made; only for a pending delivery.
	Due time.Time
}

// began is when the delivery was made: with its event, or when somebody had what
// was missing made later. It is not known, and not ok, when somebody has had it
// made again: of what is delivered a second time, or a week late because a person
// found the time for it, the event's age says nothing.
func (d *Delivery) began() (at time.Time, ok bool) {
	if d.Attempts == 0 {
		return d.Due, true
	}
	return d.StoredAt, d.ScheduleStart == 0
}

// Attempt is one HTTP exchange of a delivery.
type Attempt struct {
	// Number counts the attempts of a delivery from 1.
	Number int `json:"number"`

	// StartedAt is when the attempt began, to the millisecond.
	StartedAt time.Time `json:"started_at"`

	// Duration is how long it took until the answer was read, or until it
	// failed.
	Duration webhook.Duration `json:"duration"`

	// StatusCode is the HTTP status of the answer; 0 when there was none.
	StatusCode int `json:"status_code,omitempty"`

	// Verdict is what the answer means for the delivery.
	Verdict Verdict `json:"verdict"`

	// Error says why there was no answer, or why the answer does not count, in
	// one sentence. Empty on success.
	Error string `json:"error,omitempty"`

	// Timings are the parts of Duration.
	Timings Timings `json:"timings,omitzero"`

	// RemoteAddr is the address and port that the request was sent to; empty
	// when there was no connection. Behind a forward proxy it is the proxy's.
	RemoteAddr string `json:"remote_addr,omitempty"`

	// RequestHeaders are those that were sent. The values of headers that the
	// endpoint's owner has set, which may be credentials, are hidden.
	RequestHeaders http.Header `json:"request_headers,omitempty"`

	// ResponseHeaders are those of the answer, at most 8 KiB of them.
	ResponseHeaders http.Header `json:"response_headers,omitempty"`

	// ResponseBody is the beginning of the answer's body, at most 16 KiB.
	ResponseBody []byte `json:"response_body,omitempty"`
}

// Timings say what an attempt's time went into. What did not happen is 0: over
// a kept connection there is nothing but FirstByte.
type Timings struct {
	// DNS is how long the host's addresses were looked up.
	DNS webhook.Duration `json:"dns,omitzero"`

	// Connect is how long it took to connect, looking up not included.
	Connect webhook.Duration `json:"connect,omitzero"`

	// TLS is how long the TLS handshake took.
	TLS webhook.Duration `json:"tls,omitzero"`

	// FirstByte is how long after the beginning of the attempt the first byte
	// of the answer came.
	FirstByte webhook.Duration `json:"first_byte,omitzero"`
}
