package sender_test

import (
	"context"
	"slices"
	"sync"
	"testing"
)

// TestStopEndsClaims: lanes that wait for their turn to read the store when the
// sender stops do not read it any more. It guards against a Stop that takes
// everything that is pending out of the store, and puts it back.
func TestStopEndsClaims(t *testing.T) {
	const lanes, atOnce = 7, 4
	p := newPeer(t, nil)
	faulty := &faultyStore{}
	r := &rig{t: t, clock: newFakeClock(), config: toPeers(slices.Repeat([]*peer{p}, lanes)...), wrap: faulty.around}
	r.open()
	ids := numbered(3)
	r.publish(ids...) // into the store, as it does not deliver yet
	until(t, "all is in the store", func() bool { return r.Unsettled() == 0 })
	reading, release := make(chan struct{}, lanes), make(chan struct{})
	letGo := sync.OnceFunc(func() { close(release) })
	t.Cleanup(letGo)
	faulty.call(func(call fault) error {
		if call == faultClaim {
			reading <- struct{}{}
			<-release
		}
		return nil
	})
	r.start()
	for range atOnce {
		<-reading
	}
	ctx := &askedContext{Context: t.Context(), asked: make(chan struct{})}
	stopped := make(chan error)
	go func() { stopped <- r.Stop(ctx) }()
	<-ctx.asked // when all lanes have been told
	letGo()
	if err := <-stopped; err != nil {
		t.Fatal(err)
	}
	if n := len(reading); n != 0 {
		t.Errorf("%d lanes have read the store although the sender was stopping", n)
	}
	faulty.call(nil)
	r.start()
	for _, e := range r.config.Endpoints {
		r.delivered(e.ID, ids...)
	}
	p.waitFor(t, lanes*len(ids))
}

// askedContext tells when somebody begins to wait for its end.
type askedContext struct {
	context.Context
	once  sync.Once
	asked chan struct{}
}

func (c *askedContext) Done() <-chan struct{} {
	c.once.Do(func() { close(c.asked) })
	return c.Context.Done()
}
