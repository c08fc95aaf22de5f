package redisseen

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/manysends/caddy-webhooks/receiver"
)

const (
	// firstPoll and maxPoll are how often those look who wait for a claim of
	// another process, before the jitter: at first, and in the end.
	firstPoll = 10 * time.Millisecond
	maxPoll   = 250 * time.Millisecond
)

// hold is a claim, granted or wished for.
type hold struct {
	memory  *Memory
	token   string
	names   []string
	granted time.Time
}

// Claim implements [receiver.Seen].
func (m *Memory) Claim(ctx context.Context, keys []receiver.Key, wait time.Duration) (receiver.Finding, error) {
	h := &hold{memory: m, token: m.token + strconv.FormatUint(m.claims.Add(1), 36), names: m.names(keys)}
	began := time.Now()
	found := receiver.Finding{}
	for delay := firstPoll; ; delay = min(2*delay, maxPoll) {
		busy, err := m.try(ctx, h, &found)
		left := wait - time.Since(began)
		if err != nil || !busy || left <= 0 {
			return found, err
		}
		found.Waited = true
		timer := time.NewTimer(min(left, jitter(delay)))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return found, nil
		}
	}
}

// try asks for the claim once.
func (m *Memory) try(ctx context.Context, h *hold, found *receiver.Finding) (busy bool, err error) {
	h.granted = time.Now()
	result, err := m.exec(ctx, scriptClaim, h.names, []string{h.token, milliseconds(m.options.Lease)})
	if err != nil {
		if _, unasked := errors.AsType[*awayError](err); !unasked {
			m.owe(debt{hold: h}) // it may have been granted
		}
		return false, err
	}
	answer, err := result.AsIntSlice()
	if err != nil {
		return false, unexpected(err)
	}
	if len(answer) != 2 {
		return false, unexpected(errAnswer)
	}
	switch answer[0] {
	case 0:
		m.mu.Lock()
		m.holds[h] = struct{}{}
		m.mu.Unlock()
		found.Hold = h
	case 2:
		found.Duplicate, found.Left = true, time.Duration(answer[1])*time.Millisecond
	}
	return answer[0] == 1, nil
}

// end takes the claim out of those that are renewed.
func (h *hold) end() {
	h.memory.mu.Lock()
	defer h.memory.mu.Unlock()
	delete(h.memory.holds, h)
}

// Commit implements [receiver.Hold].
func (h *hold) Commit(ctx context.Context, ttl time.Duration) error {
	h.end()
	until := time.Now().Add(ttl)
	other, err := h.commit(ctx, ttl)
	switch {
	case err != nil:
		h.memory.owe(debt{hold: h, until: until})
		return err
	case other:
		return receiver.ErrLost
	}
	return nil
}

// commit tells whether somebody else has the keys.
func (h *hold) commit(ctx context.Context, ttl time.Duration) (other bool, err error) {
	args := []string{h.token, milliseconds(ttl)}
	for i := range h.names {
		args = append(args, h.committed(i))
	}
	n, err := h.memory.number(ctx, scriptCommit, h.names, args)
	if err == nil && n == 0 {
		h.memory.remember(debt{hold: h, until: time.Now().Add(ttl)})
	}
	return n != 0, err
}

// committed is the value of one of the keys when it is committed.
func (h *hold) committed(i int) string {
	if len(h.names) == 2 {
		return "=" + h.names[1-i][len(h.memory.prefix):]
	}
	return "="
}

// Release implements [receiver.Hold].
func (h *hold) Release(ctx context.Context) error {
	h.end()
	err := h.release(ctx)
	if err != nil {
		h.memory.owe(debt{hold: h})
	}
	return err
}

func (h *hold) release(ctx context.Context) error {
	_, err := h.memory.number(ctx, scriptRelease, h.names, []string{h.token})
	if err == nil {
		h.memory.remember(debt{hold: h})
	}
	return err
}

// debt is a commit, or with the zero time a release, that Redis is to be told.
type debt struct {
	hold  *hold
	until time.Time // when the event may be forgotten
}

// owe notes what is to be done when Redis is back. When there is too much of
// it, leases have to do.
func (m *Memory) owe(d debt) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.owed) < maxOwed {
		m.owed = append(m.owed, d)
	}
}

// pay does what is owed, until it fails or other things are due.
func (m *Memory) pay() {
	ctx := context.Background()
	for began := time.Now(); time.Since(began) < upkeepEvery; {
		m.mu.Lock()
		if len(m.owed) == 0 {
			m.owed = nil
			m.mu.Unlock()
			return
		}
		d := m.owed[0]
		m.mu.Unlock()

		var err error
		if d.until.IsZero() {
			err = d.hold.release(ctx)
		} else if left := time.Until(d.until); left > 0 {
			_, err = d.hold.commit(ctx, left)
		}
		if err != nil {
			return
		}
		m.mu.Lock()
		m.owed = m.owed[1:]
		m.mu.Unlock()
	}
}
