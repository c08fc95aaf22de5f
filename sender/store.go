package sender

import (
	"context"
	"errors"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

// Store errors.
var (
	// ErrNotFound means that the store holds no such thing.
	ErrNotFound = errors.New("not found")

	// ErrConflict means that another event was published under the same ID.
	ErrConflict = errors.New("another event has this ID")

	// ErrStoreInUse means that another process has the store open.
	ErrStoreInUse = errors.New("store is in use")

	// ErrStoreFull means that there is no room for more, on disk or by a
	// limit. What is already stored is safe.
	ErrStoreFull = errors.New("store is full")

	// ErrStoreClosed means that the store was closed.
	ErrStoreClosed = errors.New("store is closed")
)

// Store keeps events, their deliveries and the attempts. It is the truth: what
// it holds survives a crash of the process and a loss of power, and what it
// does not hold was never promised to anybody.
//
// Implementations MUST obey the following; package storetest checks it.
//
//   - All methods are safe for concurrent use. A [Sender] calls PutEvents and
//     Settle from one goroutine at a time each.
//   - PutEvents and Settle are atomic and durable: when they return nil, all
//     of it is on disk (a full fsync, not just written); when they return an
//     error, none of it is kept.
//   - An event is delivered to the endpoints that PutEvents was given for it
//     and to no others; a delivery exists from then on, is pending, and is
//     held by the caller.
//   - A held delivery is known to be in the hands of a running process: Claim
//     passes it over. Settle ends the hold, unless the outcome says Held.
//     Close, a crash, or the loss of a lease ends all holds of that process,
//     and the delivery can then be claimed with the attempts that had been
//     settled for it.
//   - A settled attempt is never lost and never counted twice.
//   - A delivery to an endpoint that nobody knows any more stays as it is.
//   - Times are kept to the millisecond or better, except an event's
//     Timestamp, which is kept whole.
//   - Errors wrap [ErrStoreFull] when there is no room, [ErrStoreClosed] after
//     Close, and the context's error when it ended first. Any other error
//     means that the store could not do it now; the caller may try again.
type Store interface {
	// PutEvents stores a batch of publications, the caller's events with their
	// deliveries. It sets Seq and Duplicate in each event and Err in each
	// publication. An event is a duplicate when the store, or an earlier
	// publication of this batch, has one of the same tenant and ID with the
	// same type, data, content type and, if TimestampGiven, timestamp; nothing
	// is stored for it and Seq is that of the first. When anything but the
	// timestamp that was not given differs, the publication as a whole is not
	// stored and its Err wraps [ErrConflict] and names the ID. Publications do
	// not affect each other.
	PutEvents(ctx context.Context, publications []*Publication) error

	// Settle records what has become of deliveries. An outcome for a delivery
	// that is not pending any more, or that does not exist, is passed over;
	// so is a second outcome for the same attempt number.
	Settle(ctx context.Context, outcomes []Outcome) error

	// Claim takes up to q.Limit pending deliveries of an endpoint that are due
	// and not held, those due earliest first (of equals, the event stored
	// first), and holds them for the caller.
	Claim(ctx context.Context, q ClaimQuery) (Claimed, error)

	// Backlog lists the endpoints that have pending deliveries which are not
	// held, in no particular order. It is fast however many deliveries there
	// are: its cost grows with the number of endpoints alone.
	Backlog(ctx context.Context) ([]Backlog, error)

	// Unblock makes the blocked deliveries of an endpoint pending again, due at
	// the time given, and returns how many there were.
	Unblock(ctx context.Context, endpointID string, due time.Time) (int, error)

	// Event returns an event with its deliveries, in the order the endpoints
	// were given, and their attempts, oldest first. The error wraps
	// [ErrNotFound] when there is no such event.
	Event(ctx context.Context, tenant, id string) (*EventRecord, error)

	// Purge deletes up to limit events that were stored before the time given
	// and have no pending or blocked delivery, oldest first, with their
	// deliveries and attempts. It returns how many went; fewer than limit
	// means that there are no more. It must not hold up PutEvents for longer
	// than the deletion of limit events takes.
	Purge(ctx context.Context, before time.Time, limit int) (int, error)

	// Close ends all holds and releases the store. It waits for calls under
	// way. Further calls of it do nothing.
	Close() error
}

// Publication is one caller's events, stored together or not at all.
type Publication struct {
	Events []PutEvent

	// Err is set by the store: nil when the events are on disk.
	Err error
}

// PutEvent is an event with the endpoints that it goes to.
type PutEvent struct {
	Event *webhook.Event

	// TimestampGiven tells that the publisher chose the timestamp, so that
	// another one under the same ID is another event.
	TimestampGiven bool

	// StoredAt is when the event was taken in. Retention counts from it, and
	// its deliveries are due from it.
	StoredAt time.Time

	// EndpointIDs are where the event goes; each once. There may be none.
	EndpointIDs []string

	// Seq is set by the store: the number by which it knows the event. Later
	// events have greater numbers, and numbers are never used again.
	Seq int64

	// Duplicate is set by the store: the event had been stored before, and
	// this call has stored nothing for it.
	Duplicate bool
}

// Outcome is what has become of one delivery.
type Outcome struct {
	// Seq and EndpointID name the delivery.
	Seq        int64
	EndpointID string

	// Status is what the delivery is from now on.
	Status Status

	// Due is when a pending delivery may be attempted next.
	Due time.Time

	// Held keeps the delivery in the caller's hands.
	Held bool

	// Attempt is the attempt that was made; nil when there was none, as when a
	// delivery is put back. Without one, Due of a delivery that the store has
	// already recorded may be left as it is.
	Attempt *Attempt

	// retried tells the sender itself that the delivery has been attempted.
	retried bool

	// under is the configuration that the attempt was made under.
	under *snapshot
}

// kind is the queue that a pending delivery belongs to.
func (o *Outcome) kind() int {
	if o.retried {
		return again
	}
	return first
}

// ClaimQuery says which deliveries to claim.
type ClaimQuery struct {
	EndpointID string

	// Retries selects deliveries that have been attempted before; otherwise
	// those that have not are selected.
	Retries bool

	// Now is the time: deliveries due at or before it are claimed.
	Now time.Time

	// Limit is how many to claim at most; at least 1.
	Limit int

	// Bytes is how much data their events may have together. The first
	// delivery is claimed whatever its size.
	Bytes int64
}

// Claimed is the answer to a [ClaimQuery].
type Claimed struct {
	Deliveries []*Delivery

	// Next is when the earliest delivery of the kind asked for is due that is
	// pending, not held and not among Deliveries. It may lie before Now, when
	// Limit or Bytes was reached. Zero when there is none.
	Next time.Time
}

// Backlog tells that an endpoint has deliveries waiting in the store.
type Backlog struct {
	EndpointID string

	// FirstTries is when the earliest delivery without an attempt is due;
	// zero when there is none.
	FirstTries time.Time

	// Retries is when the earliest delivery with an attempt is due; zero when
	// there is none.
	Retries time.Time
}

// EventRecord is all that is known of one event.
type EventRecord struct {
	Event      *webhook.Event
	StoredAt   time.Time
	Deliveries []DeliveryRecord
}

// DeliveryRecord is a delivery with its attempts.
type DeliveryRecord struct {
	Delivery
	History []Attempt
}
