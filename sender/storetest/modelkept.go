package storetest

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/manysends/caddy-webhooks/sender"
)

// modelCounter is what attempts are counted under.
type modelCounter struct {
	step       sender.Step
	start      time.Time
	endpointID string
	eventType  string
}

// modelName names a document.
type modelName struct {
	kind, id string
}

// count counts an outcome that was settled.
func (m *model) count(o sender.Outcome) {
	if o.Attempt == nil {
		return
	}
	for _, step := range []sender.Step{sender.StepMinute, sender.StepHour} {
		key := modelCounter{step, o.Attempt.StartedAt.UTC().Truncate(step.Duration()), o.EndpointID, o.Type}
		if m.counters == nil {
			m.counters = map[modelCounter]*sender.Counts{}
		}
		if m.counters[key] == nil {
			m.counters[key] = &sender.Counts{}
		}
		m.counters[key].Count(o.Status, time.Duration(o.Attempt.Duration))
	}
}

// Counters implements [sender.Store].
func (m *model) Counters(ctx context.Context, q sender.CounterQuery) (counters []sender.Counter, err error) {
	if err := m.begin(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	for key, counts := range m.counters {
		if key.step == q.Step && (len(q.EndpointIDs) == 0 || slices.Contains(q.EndpointIDs, key.endpointID)) &&
			(q.From.IsZero() || !key.start.Before(q.From)) && (q.To.IsZero() || key.start.Before(q.To)) {
			counters = append(counters, sender.Counter{Start: key.start, EndpointID: key.endpointID, Type: key.eventType, Counts: *counts})
		}
	}
	slices.SortFunc(counters, func(a, b sender.Counter) int {
		return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.EndpointID, b.EndpointID), cmp.Compare(a.Type, b.Type))
	})
	return counters, nil
}

// PurgeCounters implements [sender.Store].
func (m *model) PurgeCounters(ctx context.Context, step sender.Step, before time.Time) error {
	if err := m.begin(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	for key := range m.counters {
		if key.step == step && key.start.Before(before) {
			delete(m.counters, key)
		}
	}
	return nil
}

// Documents implements [sender.Store].
func (m *model) Documents(ctx context.Context, kind string) (documents []sender.Document, err error) {
	if err := m.begin(ctx); err != nil {
		return nil, err
	}
	defer m.mu.Unlock()
	for name, d := range m.documents {
		if name.kind == kind {
			d.Data = bytes.Clone(d.Data)
			documents = append(documents, d)
		}
	}
	return documents, nil
}

// PutDocuments implements [sender.Store].
func (m *model) PutDocuments(ctx context.Context, documents []*sender.Document) error {
	if err := m.begin(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	put := map[modelName]sender.Document{}
	for name, d := range m.documents {
		put[name] = d
	}
	var versions []int64
	for _, d := range documents {
		name := modelName{d.Kind, d.ID}
		stored := put[name].Version
		if d.Version != sender.AnyVersion && d.Version != stored {
			return fmt.Errorf("document %q: %w", d.ID, sender.ErrStale)
		}
		put[name] = sender.Document{Kind: d.Kind, ID: d.ID, Version: stored + 1, Data: bytes.Clone(d.Data)}
		versions = append(versions, stored+1)
	}
	m.documents = put
	for i, d := range documents {
		d.Version = versions[i]
	}
	return nil
}

// DeleteDocument implements [sender.Store].
func (m *model) DeleteDocument(ctx context.Context, kind, id string) error {
	if err := m.begin(ctx); err != nil {
		return err
	}
	defer m.mu.Unlock()
	delete(m.documents, modelName{kind, id})
	return nil
}

// Size implements [sender.Store].
func (m *model) Size(ctx context.Context) (size int64, err error) {
	if err := m.begin(ctx); err != nil {
		return 0, err
	}
	defer m.mu.Unlock()
	for _, e := range m.events {
		size += int64(len(e.Event.Data))
	}
	return size, nil
}
