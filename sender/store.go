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

	// ErrAmbiguous means that several tenants have an event of the ID asked for.
	ErrAmbiguous = errors.New("several tenants have an event of this ID")

	// ErrConflict means that another event was published under the same ID.
	ErrConflict = errors.New("another event has this ID")

	// ErrStoreInUse means that another process has the store open.
	ErrStoreInUse = errors.New("store is in use")

	// ErrStoreFull means that there is no room for more, on disk or by a
	// limit. What is already stored is safe.
	ErrStoreFull = errors.New("store is full")

	// ErrStoreClosed means that the store was closed.
	ErrStoreClosed = errors.New("store is closed")

	// ErrStale means that a document was changed by somebody else meanwhile.
	ErrStale = errors.New("it was changed meanwhile")

	// ErrCursor means that a cursor was not made by this store for this query.
	ErrCursor = errors.New("unusable cursor")
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
//   - An event is delivered to the endpoints that PutEvents was given for it,
//     and AddDeliveries later, and to no others; a delivery exists from then on
//     and is pending. What PutEvents was given is held by the caller.
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
	// same type, data, content type and, if TimestampGiven, timestamp, whatever
	// its headers, which may hold a date; nothing is stored for it and Seq is
	// that of the first. When one of these differs, the publication as a whole
	// is not stored and its Err wraps [ErrConflict] and names the ID.
	// Publications do not affect each other.
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

	// Pending counts the pending deliveries of each endpoint that has any, held
	// ones included, in no particular order. It reads counts that are kept, so
	// that it may be called every second.
	Pending(ctx context.Context) ([]PendingCount, error)

	// Unblock makes the blocked deliveries of an endpoint pending again, due at
	// the time given, and returns how many there were.
	Unblock(ctx context.Context, endpointID string, due time.Time) (int, error)

	// CancelAll makes the blocked deliveries of an endpoint, and the pending ones
	// that are not held, cancelled, and returns how many there were. Like
	// Unblock it works in steps that do not hold up PutEvents; on an error some
	// may have been cancelled.
	CancelAll(ctx context.Context, endpointID string) (int, error)

	// Override gives deliveries another status because a person says so: to
	// Pending a delivery of any status that is not held, to Cancelled one that
	// is pending and not held, or blocked. It sets Applied and Attempted in
	// each. Held deliveries and those that do not exist are passed over. It is
	// atomic and durable as Settle is. It refuses other statuses.
	Override(ctx context.Context, overrides []Override) error

	// Deliveries lists deliveries, those of the event stored last first, or
	// the other way round; of one event, in the order of its endpoints. It
	// looks at a bounded number of deliveries per call, so that a page may hold
	// fewer than the limit, or none, and yet not be the last one. Held
	// deliveries are listed, too. The error wraps [ErrCursor] when the cursor
	// is none.
	Deliveries(ctx context.Context, q DeliveryQuery) (DeliveryPage, error)

	// Missing lists the events of a tenant that have no delivery to an endpoint,
	// those stored first first. It looks at a bounded number of events per call,
	// so that a page may hold fewer than the limit, or none, and yet not be the
	// last one. It does not hold up PutEvents.
	Missing(ctx context.Context, q MissingQuery) (MissingPage, error)

	// AddDeliveries gives events that are stored deliveries to further
	// endpoints, after those that they have. Such a delivery is pending, was not
	// attempted, and is held by nobody. It sets Added in each. A delivery of an
	// event that does not exist, or that has one to this endpoint already,
	// whatever has become of it, is passed over: what is added again after a
	// crash is there once. It is atomic and durable as Settle is.
	AddDeliveries(ctx context.Context, deliveries []NewDelivery) error

	// Delivery returns one delivery with its event and its attempts, oldest
	// first. The error wraps [ErrNotFound] when there is no such delivery.
	Delivery(ctx context.Context, seq int64, endpointID string) (*DeliveryRecord, error)

	// Counters returns what was counted of settled attempts, in the order of
	// Start, EndpointID and Type; see [Counter].
	Counters(ctx context.Context, q CounterQuery) ([]Counter, error)

	// PurgeCounters deletes the counters of a step that began before a time.
	PurgeCounters(ctx context.Context, step Step, before time.Time) error

	// Documents returns all documents of a kind, in no particular order.
	Documents(ctx context.Context, kind string) ([]Document, error)

	// PutDocuments stores documents, each in place of the one of its kind and
	// ID, all or none, durably, and counts up Version in each. The error wraps
	// [ErrStale] when the Version of one is neither [AnyVersion] nor that of
	// the document stored, which is 0 when there is none.
	PutDocuments(ctx context.Context, documents []*Document) error

	// DeleteDocument deletes a document, if there is one.
	DeleteDocument(ctx context.Context, kind, id string) error

	// Size is how many bytes the store takes up, without what is free for
	// reuse in it.
	Size(ctx context.Context) (int64, error)

	// Event returns an event with its deliveries, in the order the endpoints
	// were given, those added later last, and their attempts, oldest first. The error wraps
	// [ErrNotFound] when there is no such event. [AnyTenant] stands for
	// whichever tenant has it; then the error wraps [ErrAmbiguous] when several
	// have one of this ID.
	Event(ctx context.Context, tenant, id string) (*EventRecord, error)

	// Purge deletes up to q.Limit events that were stored before q.Before and
	// have no pending or blocked delivery, oldest first, with their deliveries
	// and attempts; of one tenant only if q.Tenant is not nil. It returns how
	// many went; fewer than the limit means that there are no more. It must not
	// hold up PutEvents for longer than the deletion of that many events takes.
	Purge(ctx context.Context, q PurgeQuery) (int, error)

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

	// Type is the event's type, under which the attempt is counted.
	Type string

	// Attempt is the attempt that was made; nil when there was none, as when a
	// delivery is put back. Without one, Due of a delivery that the store has
	// already recorded may be left as it is.
	Attempt *Attempt

	// retried tells the sender itself that the delivery has been attempted.
	retried bool

	// under and target are the configuration and the endpoint that the attempt
	// was made with.
	under  *snapshot
	target *target
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

	// Now is the time: deliveries due at or before it are claimed. For those that
	// have not been attempted the sender gives one that lies far ahead: they
	// became due when they were stored, by a clock that may have been set since.
	Now time.Time

	// Limit is how many to claim at most; at least 1.
	Limit int

	// Bytes is how much data and headers their events may have together, as
	// [webhook.Event.Size] counts. The first
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

// PendingCount is how many deliveries of an endpoint are pending.
type PendingCount struct {
	EndpointID string
	Deliveries int64
}

// PurgeQuery says which events to delete.
type PurgeQuery struct {
	// Before is the time that they were stored before.
	Before time.Time

	// Tenant is whose events are deleted; nil means everybody's.
	Tenant *string

	// Limit is how many to delete at most.
	Limit int
}

// Override is a person's decision on one delivery.
type Override struct {
	// Seq and EndpointID name the delivery.
	Seq        int64
	EndpointID string

	// Status is Pending, to have the event delivered again on a schedule that
	// begins anew ([Delivery.ScheduleStart]), or Cancelled.
	Status Status

	// Due is when a pending delivery may be attempted next.
	Due time.Time

	// Applied is set by the store: the delivery has the status now.
	Applied bool

	// Attempted is set by the store: the delivery has been attempted before.
	Attempted bool
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
