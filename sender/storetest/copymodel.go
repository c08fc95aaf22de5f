package storetest

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/manysends/caddy-webhooks/sender"
)

// modelSource is a model as a [sender.CopySource].
type modelSource struct{ *model }

var _ sender.CopySource = modelSource{}

// Name implements [sender.CopySource].
func (modelSource) Name() string { return "model" }

// CopyDocuments implements [sender.CopySource].
func (m modelSource) CopyDocuments(_ context.Context, after sender.Document, limit int) ([]sender.Document, error) {
	order := func(a, b sender.Document) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID)) }
	var documents []sender.Document
	for _, d := range m.documents {
		if order(d, after) > 0 {
			d.Data = bytes.Clone(d.Data)
			documents = append(documents, d)
		}
	}
	slices.SortFunc(documents, order)
	return documents[:min(limit, len(documents))], nil
}

// CopyEvents implements [sender.CopySource].
func (m modelSource) CopyEvents(ctx context.Context, after int64, limit int, size int64) (events []sender.StoredEvent, err error) {
	for _, e := range m.events {
		if e.Seq > after && len(events) < limit && size > 0 {
			record, err := m.Event(ctx, e.Event.Tenant, e.Event.ID)
			if err != nil {
				return nil, err
			}
			event := sender.StoredEvent{Seq: e.Seq, EventRecord: *record}
			size -= event.Size()
			events = append(events, event)
		}
	}
	return events, nil
}

// CopyCounters implements [sender.CopySource].
func (m modelSource) CopyCounters(ctx context.Context, step sender.Step, after time.Time) ([]sender.Counter, error) {
	counters, err := m.Counters(ctx, sender.CounterQuery{Step: step})
	later := slices.IndexFunc(counters, func(c sender.Counter) bool { return c.Start.After(after) })
	if err != nil || later < 0 {
		return nil, err
	}
	counters = counters[later:]
	if end := slices.IndexFunc(counters, func(c sender.Counter) bool { return c.Start.After(counters[0].Start) }); end > 0 {
		counters = counters[:end]
	}
	return counters, nil
}

// Inventory implements [sender.CopySource].
func (m modelSource) Inventory(context.Context) (i sender.Inventory, err error) {
	i.Documents, i.Events, i.Counters, i.LastSeq = int64(len(m.documents)), int64(len(m.events)), int64(len(m.counters)), m.last
	for _, e := range m.events {
		for _, d := range e.deliveries {
			i.Attempts += int64(len(d.History))
			switch d.Status {
			case sender.Pending:
				i.Pending++
			case sender.Blocked:
				i.Blocked++
			case sender.Succeeded:
				i.Succeeded++
			case sender.Failed:
				i.Failed++
			case sender.Cancelled:
				i.Cancelled++
			}
		}
	}
	return i, nil
}
