package sender

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Errors of [CopyStore].
var (
	// ErrNotEmpty means that a store that is to be copied into has something in
	// it that this copy did not put there.
	ErrNotEmpty = errors.New("the store is not empty")

	// ErrIncomplete means that a store was only copied into in part.
	ErrIncomplete = errors.New("copying into the store was not finished")

	// ErrMiscounted means that a copy does not have as much as the original.
	ErrMiscounted = errors.New("the copy differs from the original")
)

// How much is handed over at once.
const (
	copyEvents    = 500
	copyBytes     = 4 << 20
	copyDocuments = 500
)

// CopySource is a store, used by nobody, that another one can be filled from.
// Nothing in it changes meanwhile. Package storetest checks the law of its
// methods and of those of [CopyTarget].
type CopySource interface {
	// Name names the store among all that could be copied from, and holds no
	// secret.
	Name() string

	// Inventory counts what is in it.
	Inventory(ctx context.Context) (Inventory, error)

	// CopyDocuments returns up to limit documents in the order of kind and ID,
	// those after the one that after names; its zero value comes first.
	CopyDocuments(ctx context.Context, after Document, limit int) ([]Document, error)

	// CopyEvents returns events in the order of their numbers, those with
	// numbers greater than after: up to limit, and no more once these have
	// bytes of data and of answers. None means that there are no more.
	CopyEvents(ctx context.Context, after int64, limit int, bytes int64) ([]StoredEvent, error)

	// CopyCounters returns the counters of the earliest start of a step that is
	// later than a time, in no particular order; none means that there are no
	// more.
	CopyCounters(ctx context.Context, step Step, after time.Time) ([]Counter, error)

	// Close releases the store. No call is under way.
	Close() error
}

// CopyTarget is an empty store, used by nobody, that can be filled from another
// one. Each call is atomic and durable.
type CopyTarget interface {
	// BeginCopy begins a copy of the store of the name given, or goes on with
	// one that was broken off: resume is the number of the last event that it
	// has. The error wraps [ErrNotEmpty] when there is something in the store
	// that did not come from there, a finished copy included. From now on until
	// EndCopy it cannot be opened as a store: that error wraps [ErrIncomplete].
	BeginCopy(ctx context.Context, source string) (resume int64, err error)

	// PutDocuments stores documents under their versions, in place of those of
	// their names.
	PutDocuments(ctx context.Context, documents []Document) error

	// PutEvents stores events under their numbers, which are greater than those
	// of all events before, with their deliveries, which nobody holds, and with
	// the attempts of these.
	PutEvents(ctx context.Context, events []StoredEvent) error

	// PutCounters stores counters of one step, in place of those of their start,
	// endpoint and type.
	PutCounters(ctx context.Context, step Step, counters []Counter) error

	// Inventory counts what is in it.
	Inventory(ctx context.Context) (Inventory, error)

	// EndCopy makes it a store. Numbers up to lastSeq are never used again.
	EndCopy(ctx context.Context, lastSeq int64) error

	// Close releases the store, whether or not the copy has ended. No call is
	// under way.
	Close() error
}

// StoredEvent is an event with all that is known of it, and its number.
type StoredEvent struct {
	Seq int64
	EventRecord
}

// Size is how many bytes of data and headers the event has, and the answers to
// its attempts.
func (e *StoredEvent) Size() int64 {
	size := e.Event.Size()
	for i := range e.Deliveries {
		for j := range e.Deliveries[i].History {
			size += len(e.Deliveries[i].History[j].ResponseBody)
		}
	}
	return int64(size)
}

// Inventory is how much is in a store.
type Inventory struct {
	Documents int64
	Events    int64

	// Pending to Cancelled are deliveries.
	Pending, Blocked, Succeeded, Failed, Cancelled int64

	Attempts int64

	// Counters are those of all steps.
	Counters int64

	// LastSeq is the greatest number that an event ever had.
	LastSeq int64
}

// Kinds are what was counted, by name, in a fixed order; LastSeq is not one.
func (i Inventory) Kinds() []CopyProgress {
	return []CopyProgress{
		{"documents", i.Documents}, {"events", i.Events},
		{"deliveries pending", i.Pending}, {"deliveries blocked", i.Blocked}, {"deliveries succeeded", i.Succeeded},
		{"deliveries failed", i.Failed}, {"deliveries cancelled", i.Cancelled},
		{"attempts", i.Attempts}, {"counters", i.Counters},
	}
}

// CopyProgress is how many of a kind there are.
type CopyProgress struct {
	Kind  string
	Count int64
}

// CopyStore fills an empty store with all that is in another one: documents,
// events under their numbers, deliveries as they stand, attempts and counters.
// It can be broken off at any moment, by a crash too, and be called again with
// the same two stores to go on: nothing is there twice, nothing is missing. At
// the end it compares the numbers of both sides, which it returns, and only
// then can the copy be used. Progress, unless nil, is told after each step how
// many of a kind this call has copied.
//
// Errors wrap [ErrNotEmpty], [ErrMiscounted], the context's error, or are the
// stores'.
func CopyStore(ctx context.Context, from CopySource, to CopyTarget, progress func(CopyProgress)) (original, copied Inventory, err error) {
	if progress == nil {
		progress = func(CopyProgress) {}
	}
	if original, err = from.Inventory(ctx); err != nil {
		return original, copied, fmt.Errorf("counting what is to be copied: %w", err)
	}
	resume, err := to.BeginCopy(ctx, from.Name())
	if err != nil {
		return original, copied, err
	}
	for _, step := range []func() error{
		func() error { return copyAllDocuments(ctx, from, to, progress) },
		func() error { return copyAllEvents(ctx, from, to, resume, progress) },
		func() error { return copyAllCounters(ctx, from, to, progress) },
	} {
		if err := step(); err != nil {
			return original, copied, err
		}
	}
	if copied, err = to.Inventory(ctx); err != nil {
		return original, copied, fmt.Errorf("counting what was copied: %w", err)
	}
	copied.LastSeq = original.LastSeq
	if copied != original {
		return original, copied, fmt.Errorf("%w: it has not been released for use: empty it and copy again", ErrMiscounted)
	}
	return original, copied, to.EndCopy(ctx, original.LastSeq)
}

func copyAllDocuments(ctx context.Context, from CopySource, to CopyTarget, progress func(CopyProgress)) error {
	var after Document
	for done := int64(0); ; {
		documents, err := from.CopyDocuments(ctx, after, copyDocuments)
		if err != nil {
			return fmt.Errorf("reading documents: %w", err)
		}
		if len(documents) == 0 {
			return nil
		}
		if err := to.PutDocuments(ctx, documents); err != nil {
			return fmt.Errorf("copying documents: %w", err)
		}
		after = documents[len(documents)-1]
		done += int64(len(documents))
		progress(CopyProgress{"documents", done})
	}
}

func copyAllEvents(ctx context.Context, from CopySource, to CopyTarget, after int64, progress func(CopyProgress)) error {
	for done := int64(0); ; {
		events, err := from.CopyEvents(ctx, after, copyEvents, copyBytes)
		if err != nil {
			return fmt.Errorf("reading events: %w", err)
		}
		if len(events) == 0 {
			return nil
		}
		if err := to.PutEvents(ctx, events); err != nil {
			return fmt.Errorf("copying events: %w", err)
		}
		after = events[len(events)-1].Seq
		done += int64(len(events))
		progress(CopyProgress{"events", done})
	}
}

func copyAllCounters(ctx context.Context, from CopySource, to CopyTarget, progress func(CopyProgress)) error {
	done := int64(0)
	for _, step := range []Step{StepMinute, StepHour} {
		var after time.Time
		for {
			counters, err := from.CopyCounters(ctx, step, after)
			if err != nil {
				return fmt.Errorf("reading counters: %w", err)
			}
			if len(counters) == 0 {
				break
			}
			if err := to.PutCounters(ctx, step, counters); err != nil {
				return fmt.Errorf("copying counters: %w", err)
			}
			after = counters[0].Start
			done += int64(len(counters))
			progress(CopyProgress{"counters", done})
		}
	}
	return nil
}
