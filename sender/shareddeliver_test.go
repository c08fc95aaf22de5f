package sender_test

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// TestSharedDelivers: what any instance takes in is delivered once.
func TestSharedDelivers(t *testing.T) {
	p := newPeer(t, nil)
	f := newFleet(t, 3, toPeers(p))
	ids := numbered(300)
	for n, id := range ids {
		f.all[n%3].publish(id)
	}
	f.all[0].delivered("a", ids...)
	p.waitFor(t, len(ids))
	once(t, p, ids)
}

// once checks that a peer has got each event exactly once.
func once(t *testing.T, p *peer, ids []string) {
	t.Helper()
	got := p.ids()
	slices.Sort(got)
	if !slices.Equal(got, ids) {
		t.Errorf("of %d events, the peer got %d: %q", len(ids), len(got), got)
	}
}

// TestSharedRate: the rate of an endpoint is one for all instances, whichever
// of them takes the events in.
func TestSharedRate(t *testing.T) {
	p := newPeer(t, nil)
	c := toPeers(p)
	c.Endpoints[0].Rate = &webhook.Rate{Events: 10, Per: webhook.Duration(time.Second), Burst: 5}
	f := newFleet(t, 3, c)
	ids := numbered(60)
	for n, id := range ids {
		f.all[n%3].publish(id)
	}
	p.waitFor(t, 5)
	f.holder("lane a")
	for n := 6; n <= 30; n++ {
		f.clock.advance(100 * time.Millisecond)
		p.waitFor(t, n)
	}
	// At a take-over the bucket is full, and from there on it is exact again.
	f.kill(f.holder("lane a"))
	f.eventually(time.Millisecond, "another instance goes on", func() bool { return p.count() > 30 })
	until(t, "the burst is used up", func() bool { return p.count() >= 35 })
	before := p.count()
	began := f.clock.Now()
	for p.count() < before+10 {
		f.clock.advance(100 * time.Millisecond)
		time.Sleep(5 * time.Millisecond)
		if most := before + int(f.clock.Now().Sub(began)/(100*time.Millisecond)); p.count() > most {
			t.Fatalf("%d requests %s after the burst, want at most %d", p.count()-before, f.clock.Now().Sub(began), most-before)
		}
	}
}

// TestSharedOrder: an endpoint that wants its events in order gets them so from
// several instances, also when the one that delivers to it dies again and again.
func TestSharedOrder(t *testing.T) {
	h := newHanging(t)
	var f *fleet
	p := newPeer(t, nil)
	p.answer = func(w http.ResponseWriter, r *http.Request, n int) {
		if n%20 == 10 { // to be killed with one under way
			h.answer(w, r, n)
		}
	}
	c := toPeers(p)
	c.Endpoints[0].Ordering = "strict"
	f = newFleet(t, 4, c)
	ids := numbered(60)
	live := f.all
	for n, id := range ids {
		live[n%len(live)].publish(id)
	}
	for range 3 {
		<-h.entered
		holder := f.holder("lane a")
		until(t, "what was delivered is recorded", func() bool { return holder.Unsettled() == 0 })
		f.kill(holder)
		f.clock.advance(3 * time.Second) // for those that have asked in vain
	}
	h.letGo()
	f.others(nil)[0].delivered("a", ids...)
	got := p.ids()
	if again := len(got) - len(slices.Compact(slices.Clone(got))); again > 3 {
		t.Errorf("%d events were delivered again, and three were under way when their instances died", again)
	}
	if got = slices.Compact(got); !slices.Equal(got, ids) {
		t.Errorf("delivered %q, want the order in which they were published", got)
	}
	if most := p.mostAtOnce(); most > 1+3 { // those that died have left theirs hanging
		t.Errorf("%d were under way at once", most)
	}
}

// TestOrderOfSlowAndFast: order holds between instances of which one is slow to
// leave to the other what that delivers.
func TestOrderOfSlowAndFast(t *testing.T) {
	p := newPeer(t, nil)
	c := toPeers(p)
	c.Endpoints[0].Ordering = "strict"
	f := newFleet(t, 1, c)
	fast, m := f.all[0], f.common.join()
	m.settleAfter = 50 * time.Millisecond
	slow := f.joinAs(m)
	fast.publish("event-first") // it has the hold
	fast.delivered("a", "event-first")
	ids := numbered(10)
	for n, id := range ids {
		[]*instance{slow, fast}[n%2].publish(id)
	}
	fast.delivered("a", ids...)
	if got := p.ids()[1:]; !slices.Equal(got, ids) {
		t.Errorf("delivered %q, want the order in which they were published", got)
	}
}

// TestTakeOverOfRetry: an event that is to be retried holds up those behind it
// also where another instance has made the first attempt.
func TestTakeOverOfRetry(t *testing.T) {
	p := newPeer(t, statuses(http.StatusInternalServerError, http.StatusNoContent))
	c := toPeers(p)
	c.Endpoints[0].Ordering = "strict"
	c.Retry = []webhook.Duration{webhook.Duration(time.Minute)}
	f := newFleet(t, 2, c)
	f.all[0].publish("first")
	due := f.all[0].settled("first", "a", 1).Due
	one := f.holder("lane a")
	other := f.others(one)[0]
	other.publish("second")
	f.agree()
	f.kill(one)
	if f.holder("lane a") != other {
		t.Fatal("the hold of one that is dead was not taken over")
	}
	f.agree()
	time.Sleep(20 * time.Millisecond)
	p.waitFor(t, 1)
	f.clock.advanceTo(f.clock.alarm(t, due))
	other.delivered("a", "first", "second")
	if got := p.ids(); !slices.Equal(got, []string{"first", "first", "second"}) {
		t.Errorf("delivered %q", got)
	}
}

// TestTakeOverWhileAnAttemptFails: an instance that has lost its lease tells what
// came of its last attempt just when another one looks for what to deliver. To
// that one the event may not seem to be neither new nor to be retried.
func TestTakeOverWhileAnAttemptFails(t *testing.T) {
	ends := make(chan struct{})
	letEnd := sync.OnceFunc(func() { close(ends) })
	p := newPeer(t, func(w http.ResponseWriter, _ *http.Request, n int) {
		if n == 1 {
			<-ends
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	t.Cleanup(letEnd)
	c := toPeers(p)
	c.Endpoints[0].Ordering = "strict"
	c.Endpoints[0].Timeout = patience
	c.Retry = []webhook.Duration{webhook.Duration(time.Minute)}
	f := newFleet(t, 1, c)
	one := f.all[0]
	one.publish("first")
	p.waitFor(t, 1)
	m, retriesClaimed := f.common.join(), make(chan struct{}, 1)
	m.aroundClaim = func(retries bool, claim func() (sender.Claimed, error)) (sender.Claimed, error) {
		if retries {
			defer token(retriesClaimed)
			return claim()
		}
		select {
		case <-retriesClaimed:
		case <-time.After(100 * time.Millisecond): // it waits for this one
		}
		letEnd()
		for deadline := time.Now().Add(10 * time.Second); len(one.record("first", "a").History) == 0 && time.Now().Before(deadline); {
			time.Sleep(time.Millisecond)
		}
		return claim()
	}
	other := f.joinAs(m)
	other.publish("second")
	f.common.silence(one.member)
	f.common.loseLease(one.member)
	f.eventually(time.Second, "the other one looks for deliveries", func() bool {
		select {
		case <-ends:
			return true
		default:
			return false
		}
	})
	f.common.letThrough(false, one.member)
	f.eventually(time.Second, "all is delivered", func() bool { return one.record("second", "a").Status == sender.Succeeded })
	if got := p.ids(); !slices.Equal(got, []string{"first", "first", "second"}) {
		t.Errorf("delivered %q", got)
	}
}

// token puts a token into a channel, unless it is full.
func token(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// TestTakeOverInALump: an instance that hears of nothing but that something has
// changed takes over at once what another one has left.
func TestTakeOverInALump(t *testing.T) {
	g := newGate(t)
	p := newPeer(t, g.answer)
	c := toPeers(p, p)
	c.Endpoints[0].Ordering = "strict"
	f := newFleet(t, 2, c)
	f.all[0].publish("first")
	p.waitFor(t, 2)
	holder := f.holder("lane a")
	other := f.others(holder)[0]
	other.publish("second")
	f.agree()
	f.common.silence(other.member)
	f.kill(holder)
	f.common.letThrough(true, other.member)
	until(t, "all is delivered", func() bool {
		g.letOne()
		counts, err := f.common.Pending(t.Context())
		return err == nil && len(counts) == 0
	})
}

// mostAtOnce is how many requests were being answered at once.
func (p *peer) mostAtOnce() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.most
}

// gate answers nothing but as many as are let through.
type gate struct{ through chan struct{} }

func newGate(t *testing.T) *gate {
	g := &gate{through: make(chan struct{})}
	t.Cleanup(func() { close(g.through) })
	return g
}

func (g *gate) answer(_ http.ResponseWriter, r *http.Request, _ int) {
	select {
	case <-g.through:
	case <-r.Context().Done():
	}
}

// letOne lets one through, if one comes soon.
func (g *gate) letOne() {
	select {
	case g.through <- struct{}{}:
	case <-time.After(100 * time.Millisecond):
	}
}

// TestSharedConcurrency: instances share out how many attempts may be under way
// at once.
func TestSharedConcurrency(t *testing.T) {
	for _, tt := range []struct{ concurrency, instances, atJoin int }{
		{6, 3, 7}, // a fourth one begins with its share while the others have theirs under way
		{7, 3, 8},
		{3, 3, 6}, // a fourth one makes it a matter of one instance, with all of it
		{2, 3, 2},
		{1, 2, 1},
	} {
		t.Run(fmt.Sprintf("%d at %d", tt.concurrency, tt.instances), func(t *testing.T) {
			g := newGate(t)
			p := newPeer(t, g.answer)
			c := toPeers(p)
			c.Endpoints[0].Concurrency = tt.concurrency
			f := newFleet(t, tt.instances, c)
			f.agree()
			ids := numbered(200)
			for n, id := range ids {
				f.all[n%tt.instances].publish(id)
			}
			p.waitFor(t, tt.concurrency)
			f.agree()
			joined := f.join()
			f.agree()
			for n := range 20 {
				joined.publish(fmt.Sprintf("event-1%05d", n))
			}
			f.agree()
			if most := p.mostAtOnce(); most > tt.atJoin {
				t.Errorf("%d were under way at once at a join, want at most %d", most, tt.atJoin)
			}
			for range tt.atJoin { // those that began under the old shares
				g.letOne()
			}
			until(t, "all have the new shares", func() bool { return p.nowAtOnce() == tt.concurrency })
			p.mu.Lock()
			p.most = 0
			p.mu.Unlock()
			for range 50 {
				g.through <- struct{}{}
			}
			if most := p.mostAtOnce(); most > tt.concurrency {
				t.Errorf("%d were under way at once, want at most %d", most, tt.concurrency)
			}
		})
	}
}

func (p *peer) nowAtOnce() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

// TestLostLease: an instance that does not know whether its lease holds makes no
// attempt, and one that has lost it lets go of what it had.
func TestLostLease(t *testing.T) {
	g := newGate(t)
	p := newPeer(t, g.answer)
	c := toPeers(p)
	c.Endpoints[0].Concurrency = 2
	f := newFleet(t, 1, c)
	one := f.all[0]
	ids := numbered(50)
	one.publish(ids...)
	p.waitFor(t, 2)
	f.common.setAway(one.member, true)
	g.through <- struct{}{}
	g.through <- struct{}{}
	one.settled(ids[0], "a", 1)
	time.Sleep(20 * time.Millisecond)
	p.waitFor(t, 2)
	if waiting, _ := one.Waiting("a"); waiting != 48 {
		t.Errorf("%d wait in memory, want 48: the lease may hold after all", waiting)
	}
	f.common.setAway(one.member, false)
	p.waitFor(t, 4)

	f.common.silence(one.member)
	f.common.loseLease(one.member)
	g.through <- struct{}{}
	g.through <- struct{}{}
	time.Sleep(20 * time.Millisecond)
	p.waitFor(t, 4)
	if n := f.common.heldBy(one.member); n != 0 {
		t.Errorf("%d are held after the lease was lost", n)
	}
	two := f.join()
	two.publish("event-other")
	until(t, "the other one delivers its share", func() bool { return p.count() == 4+1 })
	if waiting, _ := one.Waiting("a"); waiting == 0 {
		t.Error("it has let go of its queue before it knew")
	}
	f.common.letThrough(false, one.member)
	f.eventually(time.Second, "all is delivered", func() bool {
		g.letOne()
		return one.record(ids[49], "a").Status == sender.Succeeded
	})
}
