package sender

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/manysends/caddy-webhooks/webhook"
)

// ErrInvalid means that an event cannot be accepted as it is. The message
// names the field, what is wrong with it and what to do.
var ErrInvalid = errors.New("invalid event")

// maxTenant bounds the name of a tenant, in bytes.
const maxTenant = 256

// maxBatch is how many events one call of Publish takes.
const maxBatch = 1000

// Receipt is the answer to one published event.
type Receipt struct {
	// ID is the event's, made by the sender if the publisher gave none.
	ID string `json:"id"`

	// Duplicate tells that the same event had been published before; nothing
	// was done this time.
	Duplicate bool `json:"-"`
}

// Publish takes events in, all of them or none. When it returns without an
// error they are on disk and will be delivered to every endpoint that
// subscribes to them. An event without an ID gets one, and one without a
// timestamp gets the time of now. Data without a content type must be JSON, and is
// compacted; with one it is kept as it is.
//
// Errors wrap [ErrInvalid], [ErrConflict] (the ID belongs to another event),
// [ErrBacklog], [ErrBusy], [ErrStoreFull], [ErrClosed], the context's error (the events may have been
// stored all the same; publish them again under the same IDs to find out), or
// are the store's.
func (s *Sender) Publish(ctx context.Context, events ...webhook.Event) ([]Receipt, error) {
	events = slices.Clone(events) // deliveries keep them; the caller may use its own again
	for i := range events {
		if err := checkData(&events[i]); err != nil {
			s.metrics.refused(refusedInvalid)
			return nil, ofBatch(events, i, err)
		}
	}
	return s.publish(ctx, events)
}

// checkData replaces an event's data by its own copy, which is compact where it
// is a JSON value, and the headers by theirs.
func checkData(e *webhook.Event) error {
	e.Headers = ownHeadersOf(e)
	if e.ContentType != "" {
		e.Data = slices.Clone(e.Data)
		return nil
	}
	data := jsontext.Value(append([]byte(nil), e.Data...))
	if len(data) == 0 {
		return fmt.Errorf("%w: data is missing: add a JSON value that describes the event", ErrInvalid)
	}
	if err := compact(&data); err != nil {
		return fmt.Errorf("%w: data %w", ErrInvalid, err)
	}
	e.Data = data
	return nil
}

// publish is Publish for events whose data is known to be compact JSON, or to
// have a content type.
func (s *Sender) publish(ctx context.Context, events []webhook.Event) ([]Receipt, error) {
	ctx, end := s.tracing.startPublish(ctx, events)
	receipts, err := s.accept(ctx, events)
	end(err)
	if err != nil && !errors.Is(err, context.Canceled) {
		s.metrics.refused(refusalOf(err))
	}
	return receipts, err
}

// accept checks events and has them stored.
func (s *Sender) accept(ctx context.Context, events []webhook.Event) ([]Receipt, error) {
	if len(events) == 0 || len(events) > maxBatch {
		return nil, fmt.Errorf("%w: a batch of %d events: publish 1 to %d at a time", ErrInvalid, len(events), maxBatch)
	}
	now := s.clock.Now()
	current := s.current.Load()
	request := new(putRequest)
	request.publication.Events = make([]PutEvent, len(events))
	request.named = true
	for i := range events {
		e := &events[i]
		request.named = request.named && e.ID != ""
		put := &request.publication.Events[i]
		put.TimestampGiven = !e.Timestamp.IsZero()
		if err := s.complete(e, current, now); err != nil {
			return nil, ofBatch(events, i, err)
		}
		put.Event, put.StoredAt = e, now
		put.EndpointIDs = s.match(e)
		request.bytes += e.Size()
		request.deliveries += len(put.EndpointIDs)
	}
	if err := s.enqueue(ctx, request); err != nil {
		return nil, err
	}
	receipts := make([]Receipt, len(events))
	stored := 0
	for i := range events {
		receipts[i] = Receipt{ID: events[i].ID, Duplicate: request.publication.Events[i].Duplicate}
		if !receipts[i].Duplicate {
			stored++
		}
	}
	s.metrics.accepted(stored)
	return receipts, nil
}

// enqueue has a publication stored and waits for it. Its errors are those of
// Publish.
func (s *Sender) enqueue(ctx context.Context, request *putRequest) error {
	full := s.admit(s.current.Load(), request.deliveries)
	if full != nil && !s.haveStored(ctx, request) {
		return full
	}
	request.done = putAnswers.Get().(chan error)
	if err := s.puts.add(request); err != nil {
		return err
	}
	if full == nil {
		s.pressure.since.Add(int64(request.deliveries))
	}
	select {
	case err := <-request.done:
		putAnswers.Put(request.done)
		if err == nil && s.shared != nil {
			s.putInOrder(ctx, request)
		}
		return err
	case <-ctx.Done():
		return fmt.Errorf("publishing: %w", context.Cause(ctx))
	}
}

// match returns the endpoints that an event goes to.
func (s *Sender) match(e *webhook.Event) (ids []string) {
	var input *filterInput
	for _, t := range s.directory.of(e.Tenant) {
		if !t.active || !t.wants(e.Type) {
			continue
		}
		if t.filter != nil {
			if input == nil {
				input = newFilterInput(e)
			}
			if !t.filter.match(input) {
				continue
			}
		}
		ids = append(ids, t.id)
	}
	return ids
}

// complete checks an event and fills in what its publisher left out.
func (s *Sender) complete(e *webhook.Event, c *snapshot, now time.Time) (err error) {
	if e.Type == "" {
		return fmt.Errorf("%w: event is missing: name the event type, such as conversation.created", ErrInvalid)
	}
	if !c.catalogue.Knows(e.Type) {
		if err := webhook.CheckEventType(e.Type); err != nil {
			return fmt.Errorf("%w: %w", ErrInvalid, err)
		}
		return fmt.Errorf("%w: event type %q is unknown: use one of the configured event types, or add it to event_types", ErrInvalid, e.Type)
	}
	if e.ID == "" {
		if e.ID, err = webhook.NewEventID(now, s.random); err != nil {
			return err
		}
	} else if err := webhook.CheckEventID(e.ID); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	switch year := e.Timestamp.UTC().Year(); {
	case e.Timestamp.IsZero():
		e.Timestamp = now.UTC().Truncate(time.Millisecond)
	case year < 1970 || year > 2200:
		return errYear(e.Timestamp)
	}
	if e.TraceParent != "" && !isTraceParent(e.TraceParent) {
		return fmt.Errorf("%w: traceparent is not in the form of W3C Trace Context: leave it out, or write it such as 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", ErrInvalid)
	}
	if err := checkEventHeaders(e); err != nil {
		return err
	}
	if e.Tenant == AnyTenant {
		return fmt.Errorf("%w: tenant %q is no name: use another, or leave it out", ErrInvalid, e.Tenant)
	}
	if len(e.Tenant) > maxTenant {
		return fmt.Errorf("%w: tenant has %d bytes: use at most %d", ErrInvalid, len(e.Tenant), maxTenant)
	}
	return nil
}

func errYear(t time.Time) error {
	return fmt.Errorf("%w: timestamp lies in the year %d: give the time at which the event happened", ErrInvalid, t.UTC().Year())
}
