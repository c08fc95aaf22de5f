package sender

import (
	"fmt"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

// ReplayRequest says what is to be delivered again, or was never delivered, and
// how.
type ReplayRequest struct {
	// EndpointIDs, Statuses, Types, From and To select deliveries as they do in
	// [DeliveryQuery]. Statuses default to failed and cancelled.
	EndpointIDs []string          `json:"endpoints,omitempty"`
	Statuses    []Status          `json:"statuses,omitempty"`
	Types       []webhook.Pattern `json:"types,omitempty"`
	From        time.Time         `json:"from,omitzero"`
	To          time.Time         `json:"to,omitzero"`

	// Missing selects, in place of deliveries that exist, the events that the
	// endpoints would get if they were published now and have no delivery of,
	// as those from before an endpoint was made, was activated, or subscribed
	// to their type. EndpointIDs must name the endpoints, and there are neither
	// Statuses nor FreshID. What is delivered are events as they were published,
	// under their IDs; those that were purged are not there any more.
	Missing bool `json:"missing,omitempty"`

	// FreshID delivers each event as a new one, under an ID of its own, so that
	// a receiver that has seen it takes it again. Otherwise it is the same
	// delivery, under the same ID, on a retry schedule that begins anew.
	FreshID bool `json:"fresh_id,omitempty"`

	// Rate limits how fast deliveries are handed to their endpoints. Default:
	// 100/s.
	Rate *webhook.Rate `json:"rate,omitempty"`

	// DryRun counts what would be replayed and replays nothing.
	DryRun bool `json:"dry_run,omitempty"`
}

// ReplayState is how far a replay has come.
type ReplayState uint8

// The states of a replay.
const (
	ReplayRunning ReplayState = iota + 1
	ReplayDone
	ReplayCancelled
	ReplayFailed
)

var replayStateNames = [...]string{ReplayRunning: "running", ReplayDone: "done", ReplayCancelled: "cancelled", ReplayFailed: "failed"}

// String is the state as it is written everywhere.
func (s ReplayState) String() string {
	if int(s) < len(replayStateNames) && replayStateNames[s] != "" {
		return replayStateNames[s]
	}
	return fmt.Sprintf("replay state(%d)", uint8(s))
}

// MarshalText writes the state as [ReplayState.String] does.
func (s ReplayState) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads what [ReplayState.MarshalText] writes.
func (s *ReplayState) UnmarshalText(b []byte) error {
	for i, name := range replayStateNames {
		if name != "" && name == string(b) {
			*s = ReplayState(i)
			return nil
		}
	}
	return fmt.Errorf("replay state %q is unknown", b)
}

// Replay is a replay with its progress.
type Replay struct {
	// ID names the replay.
	ID string `json:"id"`

	// Tenant is whose deliveries are replayed.
	Tenant string `json:"tenant,omitempty"`

	// Request is what was asked for.
	Request ReplayRequest `json:"request"`

	// State is how far it has come.
	State ReplayState `json:"state"`

	// Matched is how many deliveries the request selects, as far as has been
	// looked; Replayed is how many of them were handed over, and Skipped how
	// many were under way anyway. When the process was killed, missing
	// deliveries that it had just made are in neither.
	Matched  int64 `json:"matched"`
	Replayed int64 `json:"replayed"`
	Skipped  int64 `json:"skipped"`

	// Total is how many deliveries the request selected when it began. It was
	// counted first, and stays 0 until then.
	Total int64 `json:"total"`

	// Error says why it has failed.
	Error string `json:"error,omitempty"`

	CreatedAt  time.Time `json:"created_at"`
	FinishedAt time.Time `json:"finished_at,omitzero"`
}
