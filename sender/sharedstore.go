package sender

import "context"

// SharedStore is a [Store] that several senders use at once, each through a
// value of its own: an instance. Each has what it publishes in its hands and
// delivers it; all else is found in the store by whoever has room.
//
// An instance lives as long as its lease, which the store renews by itself.
// When it ends, because the process died, slept or could not reach the store,
// the others take over: all that the instance held is free in one step, its
// deliveries and its named holds. Implementations MUST obey what [Store] says
// and the following; package storetest checks it.
//
//   - No delivery, and no name, is held by two instances whose leases hold.
//   - An outcome without an attempt, one that puts a delivery back or says
//     Held, changes nothing for a delivery that the instance does not hold.
//   - An outcome with an attempt is taken from an instance that does not hold
//     the delivery any more as the Store says, and leaves the hold of another
//     instance as it is. When the number of the attempt has been settled by
//     another instance, it is passed over, except that a pending delivery
//     becomes succeeded when the outcome says so; the caller's own hold ends all
//     the same.
//   - What PutEvents, Settle, Override, AddDeliveries, Unblock, CancelAll and the
//     documents' methods do is seen by the calls that any instance begins after
//     they have returned. Of instances that add the same delivery at once, one
//     adds it.
type SharedStore interface {
	Store

	// Instances tells which of the live instances this one is, from 0 to
	// count-1, in an order that all agree on once they know of each other. count
	// is 0 while this instance cannot show that its lease holds: others may have
	// taken over what it held, and it must begin no attempt. It reads memory
	// only, and is called for every attempt.
	Instances() (rank, count int)

	// Hold takes, or keeps, the hold of a name for this instance, and tells
	// whether it has it. The hold lasts until Release, Close, or the loss of
	// the lease. Who gets a name that several want is not said.
	Hold(ctx context.Context, name string) (bool, error)

	// Release ends the hold of a name, if this instance has it.
	Release(ctx context.Context, name string) error

	// Watch calls f, one call after the other, with what other instances have
	// changed, and with what has become of this one, until the context ends;
	// then it returns the context's error. Another error means that it cannot
	// go on, and that it is to be called again. A change may be told more than
	// once, and late, but is not left out: what cannot be told one by one, what
	// happened while nobody watched, and what a lost connection has hidden, is
	// told as [ChangeAll]. A store that hears nothing of other instances looks,
	// every few seconds, for what they have changed.
	//
	// There is one Watch at a time. f returns soon, and does not use the store.
	Watch(ctx context.Context, f func(Change)) error
}

// ChangeKind is a kind of [Change].
type ChangeKind int

// The kinds of changes.
const (
	// ChangeAll: anything may have changed.
	ChangeAll ChangeKind = iota

	// ChangeDocument: the document DocumentKind and ID was stored or deleted by
	// another instance.
	ChangeDocument

	// ChangeBacklog: the endpoint ID has deliveries that are due and that nobody
	// holds: put back, made pending again, added, or left by an instance that is
	// no more. Those that become due later are not told of.
	ChangeBacklog

	// ChangeInstances: Instances says something else than before.
	ChangeInstances

	// ChangeHold: the name ID, which an instance held, is free.
	ChangeHold

	// ChangeLost: the lease of this instance was lost and it has joined anew.
	// All that it held before is free. Until f has returned from this, Instances
	// says that count is 0.
	ChangeLost
)

// Change is something that others have done to a [SharedStore].
type Change struct {
	Kind ChangeKind

	// DocumentKind is the kind of the document of a ChangeDocument.
	DocumentKind string

	// ID is that of the document or the endpoint, or the name of the hold; empty
	// for the other kinds.
	ID string
}
