package sender

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

// ErrReplay means that a replay cannot be made as asked. The message names the
// field, what is wrong with it and what to do.
var ErrReplay = errors.New("invalid replay")

// replayKind is the kind of the documents that hold replays.
const replayKind = "replay"

// maxReplays bounds how many replays of one tenant may run at once, and
// maxReplaysKept how many there are of it in all.
const (
	maxReplays     = 10
	maxReplaysKept = 200
)

// replays are those that the sender knows of.
type replays struct {
	mu   sync.Mutex
	byID map[string]*replayJob
}

// replayJob is a replay as it is kept in the store.
type replayJob struct {
	Replay
	Cursor  string `json:"cursor,omitempty"` // everything before it is done
	Counted bool   `json:"counted,omitempty"`

	running bool  // a goroutine sees to it
	version int64 // of the document
}

// StartReplay begins to deliver again what a tenant's request selects among the
// deliveries that exist now, or the events, oldest first; what is missing,
// endpoint by endpoint. It goes on after a restart. A dry
// run is counted before StartReplay returns, and not kept. Errors wrap
// [ErrReplay], or are the store's.
func (s *Sender) StartReplay(ctx context.Context, tenant string, r ReplayRequest) (Replay, error) {
	if err := s.checkReplay(tenant, &r); err != nil {
		return Replay{}, fmt.Errorf("%w: %w", ErrReplay, err)
	}
	job := &replayJob{Replay: Replay{Tenant: tenant, Request: r, State: ReplayRunning, CreatedAt: s.clock.Now()}}
	if r.DryRun {
		total, _, err := s.countReplay(ctx, job, toTheEnd)
		if err != nil {
			return Replay{}, err
		}
		job.Total, job.Matched, job.State, job.FinishedAt = total, total, ReplayDone, s.clock.Now()
		return job.Replay, nil
	}
	var b [12]byte
	if _, err := io.ReadFull(s.random, b[:]); err != nil {
		return Replay{}, fmt.Errorf("making a replay ID: %w", err)
	}
	job.ID = "rpl_" + hex.EncodeToString(b[:])

	s.replays.mu.Lock()
	defer s.replays.mu.Unlock()
	running := 0
	for _, other := range s.replays.byID {
		if other.Tenant == tenant && other.State == ReplayRunning {
			running++
		}
	}
	if running >= maxReplays {
		return Replay{}, fmt.Errorf("%w: %d replays are running already: wait for one to end, or cancel it", ErrReplay, running)
	}
	if err := s.forgetReplays(ctx, tenant); err != nil {
		return Replay{}, err
	}
	if err := s.saveReplay(ctx, job); err != nil {
		return Replay{}, err
	}
	s.replays.byID[job.ID] = job
	s.runReplay(job)
	return job.Replay, nil
}

// checkReplay checks a request and copies what it refers to.
func (s *Sender) checkReplay(tenant string, r *ReplayRequest) error {
	if err := checkMissing(r); err != nil {
		return err
	}
	for _, id := range r.EndpointIDs {
		if _, err := s.targetOf(tenant, id); err != nil {
			return fmt.Errorf("endpoints: %q is unknown: name endpoints that exist", id)
		}
	}
	for _, status := range r.Statuses {
		if status < Pending || status > Cancelled {
			return fmt.Errorf("statuses: %s is unknown: use pending, blocked, succeeded, failed or cancelled", status)
		}
	}
	for _, p := range r.Types {
		if _, err := webhook.ParsePattern(string(p)); err != nil {
			return fmt.Errorf("types: %w", err)
		}
	}
	if !r.From.IsZero() && !r.To.IsZero() && !r.From.Before(r.To) {
		return errors.New("from: it does not lie before to: give an earlier time")
	}
	if r.Rate != nil {
		if err := r.Rate.Validate(); err != nil {
			return fmt.Errorf("rate: %w", err)
		}
		rate := *r.Rate
		r.Rate = &rate
	}
	r.EndpointIDs, r.Statuses, r.Types = slices.Clone(r.EndpointIDs), slices.Clone(r.Statuses), slices.Clone(r.Types)
	if r.Missing { // one after the other, each once
		slices.Sort(r.EndpointIDs)
		r.EndpointIDs = slices.Compact(r.EndpointIDs)
	}
	return nil
}

// query is what a replay looks for. Deliveries of events that came after it
// are not for it.
func (j *replayJob) query() DeliveryQuery {
	r := &j.Request
	q := DeliveryQuery{EndpointIDs: r.EndpointIDs, Statuses: r.Statuses, Types: r.Types, From: r.From, To: j.until(), OldestFirst: true}
	if j.Tenant != AnyTenant {
		q.Tenant = &j.Tenant
	}
	if len(q.Statuses) == 0 {
		q.Statuses = []Status{Failed, Cancelled}
	}
	return q
}

// until is the time that events were stored before which the replay is for.
func (j *replayJob) until() time.Time {
	if to := j.Request.To; !to.IsZero() && to.Before(j.CreatedAt) {
		return to
	}
	return j.CreatedAt
}

// Replays returns a tenant's replays, the newest first. Those that ended a
// month ago are forgotten.
func (s *Sender) Replays(_ context.Context, tenant string) ([]Replay, error) {
	s.replays.mu.Lock()
	defer s.replays.mu.Unlock()
	list := []Replay{}
	for _, j := range s.replays.byID {
		if within(tenant, j.Tenant) {
			list = append(list, j.Replay)
		}
	}
	slices.SortFunc(list, func(a, b Replay) int { return b.position().compare(a.CreatedAt, a.ID) })
	return list, nil
}

// position is where the replay stands in the list.
func (r *Replay) position() position { return position{replayList, r.CreatedAt, r.ID} }

// replayList is the list that a cursor of replays stands in.
const replayList = "r"

// ReplayPage is a part of the list of replays.
type ReplayPage struct {
	Replays []Replay

	// Next is the cursor of the page after; empty when there is none.
	Next string
}

// ReplayPage returns a part of what [Sender.Replays] returns. The error wraps
// [ErrCursor].
func (s *Sender) ReplayPage(ctx context.Context, tenant string, q PageQuery) (ReplayPage, error) {
	list, err := s.Replays(ctx, tenant)
	if err != nil {
		return ReplayPage{}, err
	}
	if q.Cursor != "" {
		after, err := parsePosition(q.Cursor, replayList)
		if err != nil {
			return ReplayPage{}, err
		}
		list = slices.DeleteFunc(list, func(r Replay) bool { return after.compare(r.CreatedAt, r.ID) <= 0 })
	}
	if q.Limit <= 0 || len(list) <= q.Limit {
		return ReplayPage{Replays: list}, nil
	}
	return ReplayPage{Replays: list[:q.Limit], Next: list[q.Limit-1].position().String()}, nil
}

// Replay returns a replay. The error wraps [ErrNotFound] when the tenant has
// none of this ID.
func (s *Sender) Replay(_ context.Context, tenant, id string) (Replay, error) {
	s.replays.mu.Lock()
	defer s.replays.mu.Unlock()
	j, err := s.replayOf(tenant, id)
	if err != nil {
		return Replay{}, err
	}
	return j.Replay, nil
}

// replayOf finds a tenant's replay. The caller holds s.replays.mu.
func (s *Sender) replayOf(tenant, id string) (*replayJob, error) {
	if j := s.replays.byID[id]; j != nil && within(tenant, j.Tenant) {
		return j, nil
	}
	return nil, fmt.Errorf("replay %q: %w", id, ErrNotFound)
}

// CancelReplay stops a replay. What it has handed over stays handed over. One
// that has ended stays as it is. Errors wrap [ErrNotFound], or are the store's.
func (s *Sender) CancelReplay(ctx context.Context, tenant, id string) (Replay, error) {
	s.replays.mu.Lock()
	defer s.replays.mu.Unlock()
	j, err := s.replayOf(tenant, id)
	if err != nil {
		return Replay{}, err
	}
	for tries := 1; ; tries++ {
		if j.State != ReplayRunning {
			return j.Replay, nil
		}
		cancelled := *j
		cancelled.State, cancelled.FinishedAt = ReplayCancelled, s.clock.Now()
		err := s.saveReplay(ctx, &cancelled)
		if err == nil {
			j.State, j.FinishedAt, j.version = cancelled.State, cancelled.FinishedAt, cancelled.version
			return j.Replay, nil
		}
		// The instance that runs it has got further meanwhile.
		if !errors.Is(err, ErrStale) || tries >= staleTries {
			return Replay{}, err
		}
		if err := s.readReplaysLocked(ctx); err != nil {
			return Replay{}, err
		}
	}
}

// saveReplay stores a replay and counts up its version.
func (s *Sender) saveReplay(ctx context.Context, j *replayJob) error {
	data, err := json.Marshal(j)
	if err != nil {
		return fmt.Errorf("writing a replay: %w", err)
	}
	d := &Document{Kind: replayKind, ID: j.ID, Version: j.version, Data: data}
	if err := s.store.PutDocuments(ctx, []*Document{d}); err != nil {
		return fmt.Errorf("storing a replay: %w", err)
	}
	j.version = d.Version
	return nil
}

// readReplays reads the replays that an earlier process has left, or that other
// instances see to.
func (s *Sender) readReplays(ctx context.Context) error {
	s.replays.mu.Lock()
	defer s.replays.mu.Unlock()
	return s.readReplaysLocked(ctx)
}

// readReplaysLocked is readReplays for a caller that holds s.replays.mu.
func (s *Sender) readReplaysLocked(ctx context.Context) error {
	documents, err := s.store.Documents(ctx, replayKind)
	if err != nil {
		return fmt.Errorf("reading the replays: %w", err)
	}
	there := make(map[string]bool, len(documents))
	for _, d := range documents {
		there[d.ID] = true
		known := s.replays.byID[d.ID]
		if known != nil && known.version == d.Version {
			continue
		}
		j := replayJob{version: d.Version}
		if err := json.Unmarshal(d.Data, &j); err != nil {
			return fmt.Errorf("replay %s: what is stored of it cannot be read: %w", d.ID, err)
		}
		if known == nil {
			known = new(replayJob)
			s.replays.byID[d.ID] = known
		}
		j.running = known.running
		*known = j
	}
	for id := range s.replays.byID {
		if !there[id] {
			delete(s.replays.byID, id)
		}
	}
	return nil
}

// resumeReplays goes on with those that have not ended.
func (s *Sender) resumeReplays() {
	s.replays.mu.Lock()
	defer s.replays.mu.Unlock()
	for _, j := range s.replays.byID {
		if j.State == ReplayRunning && !j.running {
			s.runReplay(j)
		}
	}
}

// forgetReplays makes room for one more of a tenant, in place of the oldest that
// has ended. The caller holds s.replays.mu.
func (s *Sender) forgetReplays(ctx context.Context, tenant string) error {
	var oldest *replayJob
	kept := 0
	for _, j := range s.replays.byID {
		if j.Tenant != tenant {
			continue
		}
		kept++
		if j.State != ReplayRunning && (oldest == nil || j.FinishedAt.Before(oldest.FinishedAt)) {
			oldest = j
		}
	}
	if kept < maxReplaysKept || oldest == nil {
		return nil
	}
	if err := s.store.DeleteDocument(ctx, replayKind, oldest.ID); err != nil {
		return fmt.Errorf("deleting an old replay: %w", err)
	}
	delete(s.replays.byID, oldest.ID)
	return nil
}

// purgeReplays forgets the replays that ended before a time.
func (s *Sender) purgeReplays(ctx context.Context, before time.Time) error {
	s.replays.mu.Lock()
	defer s.replays.mu.Unlock()
	for id, j := range s.replays.byID {
		if j.State == ReplayRunning || !j.FinishedAt.Before(before) {
			continue
		}
		if err := s.store.DeleteDocument(ctx, replayKind, id); err != nil {
			return fmt.Errorf("deleting an old replay: %w", err)
		}
		delete(s.replays.byID, id)
	}
	return nil
}
