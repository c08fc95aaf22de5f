package sender

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// The pace of a replay: how fast it is when it sets no rate, how many deliveries
// it hands over at once, how many bytes of events are published together, beside
// those of others, and how long it waits when the store cannot.
const (
	defaultReplayRate = 100 // a second
	maxReplayStep     = 100
	maxReplayBytes    = 1 << 20
	replayRetryEvery  = 5 * time.Second
)

// runReplay starts the goroutine that sees to a replay. The caller holds
// s.replays.mu.
func (s *Sender) runReplay(j *replayJob) {
	j.running = true
	id := j.ID
	s.workers.Go(func() {
		s.holdReplay(s.background, id, func(holds func() bool) {
			for holds() {
				goesOn, wait := s.stepReplay(s.background, j)
				if !goesOn || !s.sleep(wait) {
					break
				}
			}
		})
		s.replays.mu.Lock()
		j.running = false
		s.replays.mu.Unlock()
	})
}

// stepReplay hands over the next deliveries of a replay. It tells whether there
// are more, and how long to wait before.
func (s *Sender) stepReplay(ctx context.Context, j *replayJob) (goesOn bool, wait time.Duration) {
	s.replays.mu.Lock()
	before := *j // only its goroutine changes the rest
	s.replays.mu.Unlock()
	now := before
	if now.State != ReplayRunning {
		return false, 0
	}
	rate := float64(defaultReplayRate)
	if now.Request.Rate != nil {
		rate = now.Request.Rate.PerSecond()
	}
	n, err := s.advanceReplay(ctx, &now, min(max(int(rate), 1), maxReplayStep))
	switch {
	case ctx.Err() != nil:
		return false, 0
	case errors.Is(err, ErrCursor):
		now.State, now.Error, now.FinishedAt = ReplayFailed, err.Error(), s.clock.Now()
	case err != nil:
		s.log.Error("a replay cannot go on; it is tried again", "replay", now.ID, "error", err, "in", replayRetryEvery)
		return true, replayRetryEvery
	}
	s.replays.mu.Lock()
	defer s.replays.mu.Unlock()
	err = s.saveReplayStep(ctx, j, &now)
	if errors.Is(err, ErrStale) {
		err = s.readReplaysLocked(ctx)
		if err == nil && j.Cursor == before.Cursor && j.Counted == before.Counted {
			err = s.saveReplayStep(ctx, j, &now) // another instance has cancelled it
		} else if err == nil {
			return s.replays.byID[j.ID] == j, 0 // another instance has got further with it
		}
	}
	if err != nil {
		// What was handed over is handed over again. That does no harm while it
		// is under way, and with fresh IDs; what has been delivered meanwhile is
		// delivered once more, as a replay of delivered events asks for.
		s.log.Error("a replay cannot go on; it is tried again", "replay", now.ID, "error", err, "in", replayRetryEvery)
		return true, replayRetryEvery
	}
	*j = now
	return now.State == ReplayRunning, time.Duration(float64(n) / rate * float64(time.Second))
}

// saveReplayStep stores how far a replay has got now, in place of what is known
// of it. The caller holds s.replays.mu.
func (s *Sender) saveReplayStep(ctx context.Context, known, now *replayJob) error {
	if known.State == ReplayCancelled {
		now.State, now.FinishedAt = known.State, known.FinishedAt
	}
	now.running, now.version = true, known.version
	return s.saveReplay(ctx, now)
}

// advanceReplay counts a replay that was not counted yet, or else hands over up
// to limit deliveries, and returns how many it did.
func (s *Sender) advanceReplay(ctx context.Context, j *replayJob, limit int) (n int, err error) {
	if !j.Counted {
		if j.Total, _, err = s.countReplay(ctx, j, toTheEnd); err != nil {
			return 0, err
		}
		j.Counted = true
		return 0, nil
	}
	if j.Request.Missing {
		return s.advanceMissing(ctx, j, limit)
	}
	q := j.query()
	q.Cursor, q.Limit = j.Cursor, limit
	page, err := s.store.Deliveries(ctx, q)
	if err != nil {
		return 0, fmt.Errorf("listing deliveries: %w", err)
	}
	var live []DeliverySummary
	for _, d := range page.Deliveries {
		if s.directory.get(d.EndpointID) != nil {
			live = append(live, d)
		}
	}
	replay := s.replaySame
	if j.Request.FreshID {
		replay = s.replayFresh
	}
	n, err = replay(ctx, j, live)
	if err != nil {
		return 0, err
	}
	j.Matched += int64(len(page.Deliveries))
	j.Replayed += int64(n)
	j.Skipped += int64(len(page.Deliveries) - n)
	if j.Cursor = page.Next; j.Cursor == "" {
		j.State, j.FinishedAt = ReplayDone, s.clock.Now()
	}
	return n, nil
}

// replaySame makes deliveries pending again.
func (s *Sender) replaySame(ctx context.Context, _ *replayJob, deliveries []DeliverySummary) (int, error) {
	if len(deliveries) == 0 {
		return 0, nil
	}
	return s.deliverAgain(ctx, deliveries)
}

// replayFresh publishes the events of deliveries again, each to its endpoint
// alone, and as many together as are not large. Their IDs follow from the replay
// and the delivery, so that what is handed over twice, because of a crash or an
// error in between, is a duplicate.
func (s *Sender) replayFresh(ctx context.Context, j *replayJob, deliveries []DeliverySummary) (n int, err error) {
	request := new(putRequest)
	for i := range deliveries {
		put, err := s.freshEvent(ctx, j, &deliveries[i])
		if errors.Is(err, ErrNotFound) { // purged meanwhile
			continue
		}
		if err != nil {
			return 0, fmt.Errorf("reading a delivery: %w", err)
		}
		size := put.Event.Size()
		if request.deliveries > 0 && request.bytes+size > maxReplayBytes {
			if err := s.enqueue(ctx, request); err != nil {
				return 0, err
			}
			request = new(putRequest)
		}
		request.publication.Events = append(request.publication.Events, put)
		request.bytes += size
		request.deliveries++
		n++
	}
	if request.deliveries == 0 {
		return n, nil
	}
	return n, s.enqueue(ctx, request)
}

// freshEvent is the event of a delivery, to be published anew for its endpoint. It
// is stored after the replay was begun, also by a clock that has been set back
// since, or is behind: the replay would find it again, and never end.
func (s *Sender) freshEvent(ctx context.Context, j *replayJob, d *DeliverySummary) (PutEvent, error) {
	record, err := s.store.Delivery(ctx, d.Seq, d.EndpointID)
	if err != nil {
		return PutEvent{}, err
	}
	e := *record.Event
	e.ID = freshID(j.ID, d.ID())
	storedAt := later(s.clock.Now(), j.CreatedAt.Add(time.Millisecond)) // stores keep milliseconds
	return PutEvent{Event: &e, TimestampGiven: true, StoredAt: storedAt, EndpointIDs: []string{d.EndpointID}}, nil
}

// freshID is the ID under which a replay delivers an event anew.
func freshID(replayID, deliveryID string) string {
	sum := sha256.Sum256([]byte(replayID + "\n" + deliveryID))
	return "evt_" + hex.EncodeToString(sum[:16])
}
