package receiver

import (
	"context"
	"errors"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

// Seen is a memory of events that are being processed and that have been. It
// may be shared by many processes. It is what makes the promise that of any
// number of requests with one event, at any number of machines, one is
// processed. It must be safe for concurrent use, and this must hold:
//
//   - A key is free, claimed or committed. Of all who claim a free key, one
//     gets it. A claim is for all of its keys or for none, and leaves nothing
//     behind when it is refused.
//   - A claim holds until it is committed or released, or until its process is
//     gone: then its keys are free again some seconds later. While the process
//     lives and reaches the memory, a claim holds however long it takes.
//   - What is committed stays so for its TTL, and is free afterwards, to the
//     millisecond or later.
//   - No claim undoes another: one that was lost, because its process could
//     not say for too long that it lives, changes nothing of the claim that has
//     taken its place.
type Seen interface {
	// Claim claims one or two keys. While another claim is in the way it waits,
	// until wait has passed or ctx is done; not at all if wait is zero or less.
	// The end of the other claim wakes it within half a second.
	//
	// An error says that the memory cannot be asked, and wraps
	// [ErrUnavailable]. It comes within a few seconds, whatever wait is, and at
	// once while the memory is known to be away.
	Claim(ctx context.Context, keys []Key, wait time.Duration) (Finding, error)

	// Forget frees all keys of the committed event that has the key k, and
	// tells whether there was one. An event that is claimed is not forgotten.
	// Errors are those of Claim.
	Forget(ctx context.Context, k Key) (bool, error)
}

// Finding is what became of a claim. The zero value is that another claim is
// in the way.
type Finding struct {
	// Hold is the claim, or nil if the keys could not be had. It must be
	// committed or released, once.
	Hold Hold

	// Duplicate tells that a key is committed.
	Duplicate bool

	// Left is for how long it still is.
	Left time.Duration

	// Waited tells that another claim was in the way at first.
	Waited bool
}

// Hold is a claim that was granted.
type Hold interface {
	// Commit makes the keys committed for ttl, from now. An error that wraps
	// [ErrLost] says that another claim has, or had, taken the place of this
	// one: the event may have been processed twice. One that wraps
	// [ErrUnavailable] says that the memory could not be told; it tries again
	// by itself as soon as it can.
	Commit(ctx context.Context, ttl time.Duration) error

	// Release frees the keys. After an error, which wraps [ErrUnavailable],
	// they become free by themselves some seconds later.
	Release(ctx context.Context) error
}

// Limits counts requests per key in token buckets that may be shared by many
// processes.
type Limits interface {
	// Take takes a token from each bucket if all of them have one, and none
	// otherwise. It notes in each how many there were. A bucket that is new is
	// full; one follows the rate that it is given, and keeps its tokens when
	// that changes. Errors are those of [Seen].
	Take(ctx context.Context, buckets []Bucket) (taken bool, err error)
}

// Bucket is a token bucket of [Limits].
type Bucket struct {
	Key    Key
	Rate   webhook.Rate
	Tokens float64 // how many there were before any was taken
}

// Shared is what several processes know together. A [State] closes it in the
// end.
type Shared interface {
	Seen
	Limits

	// Watch has forgotten called, from any goroutine, with the keys of each
	// event that any process has the memory forget, within a few seconds. It is
	// called once, before everything else.
	Watch(forgotten func(Key))

	// Close frees everything. Nothing else is called afterwards, and nothing is
	// under way.
	Close()
}

// ErrUnavailable is wrapped by the errors of a [Shared] that cannot be asked.
var ErrUnavailable = errors.New("the shared memory of events cannot be reached")

// ErrLost is wrapped by the error of a [Hold] whose claim had been lost.
var ErrLost = errors.New("the claim on the event had been lost to another")

// OnError says what becomes of requests while a [Shared] cannot be asked.
type OnError string

// The choices. Deny keeps the promise that nothing is processed twice, and
// leaves it to the senders to try again. Allow keeps the application supplied:
// each process goes by what it remembers itself, and by limits of its own.
const (
	OnErrorDeny  OnError = "deny" // 503 with Retry-After. The default.
	OnErrorAllow OnError = "allow"
)
