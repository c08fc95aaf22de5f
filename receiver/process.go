package receiver

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// turn is what one accepted request needs while the application is called.
// The application may keep hold of the parts that it gets, so it is not used
// again.
type turn struct {
	claim  claim
	id     string
	hold   Hold // of the shared memory, if that has the claim as well
	answer answer
	body   wholeBody
}

// fillClaim adds the keys that the provider's events are told apart by: where
// an ID is missing, by what is signed, and where nothing is, by the body.
func (rc *Receiver) fillClaim(c *claim, id string, proven *proof, body []byte) {
	for _, of := range rc.provider.claims {
		if of == claimID && id != "" {
			c.add(rc.keys.ofID(id))
			continue
		}
		if proven.content[0] == nil && proven.content[1] == nil {
			proven.content[0] = body
		}
		c.add(rc.keys.ofContent(proven.content[:]...))
	}
}

// claim claims the event. Where nothing is enforced it only looks whether it
// could.
func (rc *Receiver) claim(r *http.Request, t *turn, seen *Observation, f *found) *Refusal {
	wait := rc.wait
	if !rc.enforce {
		wait = 0
	}
	got, waited, err := rc.take(r.Context(), t, wait)
	if err != nil {
		rc.took(f)
		refusal := unavailable(err)
		if !rc.overlook(r, seen, refusal) {
			return refusal
		}
		t.claim.late = true
		return nil
	}
	series := rc.series()
	kind := duplicateSettled
	if waited {
		kind = duplicateWaited
	} else {
		rc.took(f)
	}
	switch got {
	case claimed:
		t.claim.held = true
	case duplicate:
		series.duplicates[kind].Inc()
		seen.Duplicate = true
		seen.Enforced = rc.enforce
	case busy:
		series.duplicates[duplicateRefused].Inc()
		refusal := inProgress(wait)
		if !rc.overlook(r, seen, refusal) {
			return refusal
		}
		t.claim.late = true
	}
	return nil
}

// take claims the event, here and where it is shared.
func (rc *Receiver) take(ctx context.Context, t *turn, wait time.Duration) (got outcome, waited bool, err error) {
	shared := rc.state.shared
	if shared == nil {
		got, waited = rc.state.seen.take(ctx, &t.claim, wait)
		return got, waited, nil
	}
	began := time.Now()
	got, waited = rc.state.seen.take(ctx, &t.claim, wait)
	if got != claimed {
		return got, waited, nil
	}
	got, alsoWaited, err := shared.take(ctx, t, wait-time.Since(began))
	return got, waited || alsoWaited, err
}

// call calls the application and settles the claim by its answer, even if it
// panics.
func (rc *Receiver) call(w http.ResponseWriter, r *http.Request, t *turn, seen *Observation, next func(http.ResponseWriter, *http.Request) error) error {
	rc.tell(r, seen)
	if !t.claim.held && !t.claim.late {
		return next(w, r)
	}
	t.answer.ResponseWriter = w
	returned := false
	defer func() { rc.settle(t, returned && t.answer.succeeded()) }()
	err := next(&t.answer, r)
	returned = err == nil
	return err
}

// settle ends the claim, if there is one.
func (rc *Receiver) settle(t *turn, succeeded bool) {
	seen := rc.state.seen
	if t.claim.late && succeeded {
		// It was in the way of nobody, but it has been processed.
		got, _, err := rc.take(context.Background(), t, 0)
		t.claim.held = got == claimed && err == nil
	}
	switch {
	case !t.claim.held:
	case succeeded:
		if shared := rc.state.shared; shared != nil {
			shared.commit(t, rc.ttl, rc.capacity)
		} else {
			seen.commit(&t.claim, rc.ttl, rc.capacity)
		}
		if name, ok := rc.nameOf(t.id); ok {
			seen.names.add(name, t.claim.keys[0])
		}
	case rc.state.shared != nil:
		rc.state.shared.release(t)
	default:
		seen.release(&t.claim)
	}
}

// inProgress is the refusal of a request whose event is still being processed.
func inProgress(waited time.Duration) *Refusal {
	return &Refusal{
		Status: http.StatusConflict, Reason: ReasonInProgress,
		RetryAfter: max(time.Second, waited.Truncate(time.Second)),
		Err:        errors.New("another request with the same event is being processed"),
	}
}
