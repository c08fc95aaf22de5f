package sender_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/manysends/caddy-webhooks/sender"
)

// commonStore makes a store that several senders use out of one that is used
// by one. It obeys the law of [sender.SharedStore]; when leases end is for the
// test to say.
type commonStore struct {
	sender.Store // the truth
	clock        *fakeClock

	mu      sync.Mutex
	members []*member // the live ones, in their order
	held    map[heldKey]*heldDelivery
	names   map[string]*member
	settled map[heldKey]map[int]bool // numbers of attempts
	doubled []heldKey                // deliveries that two had at once
	random  *rand.Rand               // shuffles changes; nil: they come in order
}

type heldKey struct {
	seq      int64
	endpoint string
}

type heldDelivery struct {
	by  *member
	due time.Time
}

// errLeft is what a member says whose process has been killed.
var errLeft = errors.New("this process is no more")

// member is one sender's view of a common store.
type member struct {
	sender.Store // what is not said otherwise below
	common       *commonStore
	settleAfter  time.Duration // how long Settle takes, so that others are first

	// aroundClaim, when it is set, is called instead of a claim, which it makes.
	aroundClaim func(retries bool, claim func() (sender.Claimed, error)) (sender.Claimed, error)

	// These are guarded by common.mu.
	killed  bool
	lost    bool // its lease; it has not yet been told
	away    bool // it does not know whether its lease holds
	silent  bool // changes do not come through for the time being
	changes []sender.Change
	woken   chan struct{}
	told    []sender.Change // all that it was told
}

var _ sender.SharedStore = (*member)(nil)

func newCommonStore(s sender.Store, clock *fakeClock) *commonStore {
	return &commonStore{
		Store: s, clock: clock,
		held: make(map[heldKey]*heldDelivery), names: make(map[string]*member), settled: make(map[heldKey]map[int]bool),
	}
}

// join makes another member.
func (c *commonStore) join() *member {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := &member{Store: c.Store, common: c, woken: make(chan struct{}, 1)}
	c.members = append(c.members, m)
	c.tell(nil, sender.Change{Kind: sender.ChangeInstances})
	return m
}

// kill ends a member as if its process had died and its lease had run out.
func (c *commonStore) kill(m *member) {
	c.mu.Lock()
	m.killed = true
	c.mu.Unlock()
	c.takeOver(m)
}

// takeOver frees what a member holds.
func (c *commonStore) takeOver(m *member) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.members = slices.DeleteFunc(c.members, func(other *member) bool { return other == m })
	endpoints := make(map[string]bool)
	var free []sender.Outcome
	for key, h := range c.held {
		if h.by == m {
			free = append(free, sender.Outcome{Seq: key.seq, EndpointID: key.endpoint, Status: sender.Pending, Due: h.due})
			endpoints[key.endpoint] = true
			delete(c.held, key)
		}
	}
	if len(free) > 0 {
		if err := c.Store.Settle(context.Background(), free); err != nil {
			panic(err)
		}
	}
	for name, by := range c.names {
		if by == m {
			delete(c.names, name)
			c.tell(m, sender.Change{Kind: sender.ChangeHold, ID: name})
		}
	}
	for id := range endpoints {
		c.tell(m, sender.Change{Kind: sender.ChangeBacklog, ID: id})
	}
	c.tell(m, sender.Change{Kind: sender.ChangeInstances})
}

// loseLease has a member's lease run out while its process lives on: the others
// take over, and it joins anew.
func (c *commonStore) loseLease(m *member) {
	c.mu.Lock()
	m.lost = true
	c.mu.Unlock()
	c.takeOver(m)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.members = append(c.members, m)
	c.tellOne(m, sender.Change{Kind: sender.ChangeLost})
	c.tell(m, sender.Change{Kind: sender.ChangeInstances})
}

// tell tells all members but one. The caller holds c.mu.
func (c *commonStore) tell(but *member, change sender.Change) {
	for _, m := range c.members {
		if m != but {
			c.tellOne(m, change)
		}
	}
}

func (c *commonStore) tellOne(m *member, change sender.Change) {
	m.changes = append(m.changes, change)
	if c.random != nil && change.Kind != sender.ChangeLost {
		i, last := c.random.IntN(len(m.changes)), len(m.changes)-1
		if m.changes[i].Kind != sender.ChangeLost {
			m.changes[i], m.changes[last] = m.changes[last], m.changes[i]
		}
	}
	m.wake()
}

func (m *member) wake() {
	select {
	case m.woken <- struct{}{}:
	default:
	}
}

// silence keeps changes from members until they are let through.
func (c *commonStore) silence(members ...*member) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range members {
		m.silent = true
	}
}

// letThrough tells members what they have not been told, or that anything may
// have changed.
func (c *commonStore) letThrough(all bool, members ...*member) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range members {
		m.silent = false
		if all {
			m.changes = []sender.Change{{Kind: sender.ChangeAll}}
			if m.lost {
				m.changes[0].Kind = sender.ChangeLost
			}
		}
		m.wake()
	}
}

// setAway has a member not know whether its lease holds.
func (c *commonStore) setAway(m *member, away bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m.away = away
	c.tellOne(m, sender.Change{Kind: sender.ChangeInstances})
}

// holder is who holds a name.
func (c *commonStore) holder(name string) *member {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.names[name]
}

// heldBy is how many deliveries a member holds.
func (c *commonStore) heldBy(m *member) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, h := range c.held {
		if h.by == m {
			n++
		}
	}
	return n
}

// use begins a call of a member, which holds c.mu until it is done.
func (m *member) use() (done func(), err error) {
	m.common.mu.Lock()
	if m.killed {
		m.common.mu.Unlock()
		return nil, errLeft
	}
	return m.common.mu.Unlock, nil
}

func (m *member) Instances() (rank, count int) {
	m.common.mu.Lock()
	defer m.common.mu.Unlock()
	if m.killed || m.lost || m.away {
		return 0, 0
	}
	return slices.Index(m.common.members, m), len(m.common.members)
}

func (m *member) Hold(_ context.Context, name string) (bool, error) {
	done, err := m.use()
	if err != nil {
		return false, err
	}
	defer done()
	if by := m.common.names[name]; by != nil && by != m {
		return false, nil
	}
	m.common.names[name] = m
	return true, nil
}

func (m *member) Release(_ context.Context, name string) error {
	done, err := m.use()
	if err != nil {
		return err
	}
	defer done()
	if m.common.names[name] == m {
		delete(m.common.names, name)
		m.common.tell(m, sender.Change{Kind: sender.ChangeHold, ID: name})
	}
	return nil
}

func (m *member) Watch(ctx context.Context, f func(sender.Change)) error {
	f(sender.Change{Kind: sender.ChangeAll})
	for {
		change, ok := m.next()
		if !ok {
			select {
			case <-m.woken:
				continue
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		f(change)
		if change.Kind == sender.ChangeLost {
			m.common.mu.Lock()
			m.lost = false
			m.common.tellOne(m, sender.Change{Kind: sender.ChangeInstances})
			m.common.mu.Unlock()
		}
	}
}

// next is the next change to tell.
func (m *member) next() (c sender.Change, ok bool) {
	m.common.mu.Lock()
	defer m.common.mu.Unlock()
	if m.silent || m.killed || len(m.changes) == 0 {
		return c, false
	}
	c, m.changes = m.changes[0], m.changes[1:]
	m.told = append(m.told, c)
	return c, true
}

// hold notes that a member has a delivery in its hands. The caller holds c.mu.
func (m *member) hold(seq int64, endpoint string, due time.Time) {
	key := heldKey{seq, endpoint}
	if h := m.common.held[key]; h != nil && h.by != m {
		m.common.doubled = append(m.common.doubled, key)
	}
	m.common.held[key] = &heldDelivery{m, due}
}

func (m *member) PutEvents(ctx context.Context, publications []*sender.Publication) error {
	done, err := m.use()
	if err != nil {
		return err
	}
	defer done()
	if err := m.common.Store.PutEvents(ctx, publications); err != nil {
		return err
	}
	for _, p := range publications {
		for _, e := range p.Events {
			if p.Err != nil || e.Duplicate {
				continue
			}
			for _, id := range e.EndpointIDs {
				m.hold(e.Seq, id, e.StoredAt)
			}
		}
	}
	return nil
}

func (m *member) Claim(ctx context.Context, q sender.ClaimQuery) (sender.Claimed, error) {
	claim := func() (sender.Claimed, error) { return m.claim(ctx, q) }
	if m.aroundClaim != nil {
		return m.aroundClaim(q.Retries, claim)
	}
	return claim()
}

func (m *member) claim(ctx context.Context, q sender.ClaimQuery) (sender.Claimed, error) {
	done, err := m.use()
	if err != nil {
		return sender.Claimed{}, err
	}
	defer done()
	claimed, err := m.common.Store.Claim(ctx, q)
	for _, d := range claimed.Deliveries {
		m.hold(d.Seq, d.EndpointID, d.Due)
	}
	return claimed, err
}

func (m *member) Settle(ctx context.Context, outcomes []sender.Outcome) error {
	time.Sleep(m.settleAfter)
	done, err := m.use()
	if err != nil {
		return nil // nobody is there to wait for the store
	}
	defer done()
	c := m.common
	var taken []sender.Outcome
	free := make(map[string]bool)
	for _, o := range outcomes {
		key := heldKey{o.Seq, o.EndpointID}
		h := c.held[key]
		mine := h != nil && h.by == m
		if o.Attempt == nil && !mine {
			continue
		}
		if o.Attempt != nil {
			if c.settled[key] == nil {
				c.settled[key] = make(map[int]bool)
			}
			if c.settled[key][o.Attempt.Number] {
				if o.Attempt = nil; o.Status != sender.Succeeded {
					if !mine {
						continue
					}
					o.Status, o.Due = sender.Pending, h.due
				}
			} else {
				c.settled[key][o.Attempt.Number] = true
			}
		}
		switch {
		case o.Status != sender.Pending:
			delete(c.held, key)
		case !mine:
			o.Held = h != nil
		case !o.Held:
			delete(c.held, key)
			if !o.Due.After(c.clock.Now()) {
				free[o.EndpointID] = true
			}
		}
		taken = append(taken, o)
	}
	if err := c.Store.Settle(ctx, taken); err != nil {
		panic(err) // what is held is wrong now
	}
	for id := range free {
		c.tell(m, sender.Change{Kind: sender.ChangeBacklog, ID: id})
	}
	return nil
}

func (m *member) Backlog(ctx context.Context) ([]sender.Backlog, error) {
	done, err := m.use()
	if err != nil {
		return nil, err
	}
	defer done()
	return m.common.Store.Backlog(ctx)
}

func (m *member) Unblock(ctx context.Context, endpointID string, due time.Time) (int, error) {
	done, err := m.use()
	if err != nil {
		return 0, err
	}
	defer done()
	n, err := m.common.Store.Unblock(ctx, endpointID, due)
	if n > 0 {
		m.common.tell(m, sender.Change{Kind: sender.ChangeBacklog, ID: endpointID})
	}
	return n, err
}

func (m *member) CancelAll(ctx context.Context, endpointID string) (int, error) {
	done, err := m.use()
	if err != nil {
		return 0, err
	}
	defer done()
	return m.common.Store.CancelAll(ctx, endpointID)
}

func (m *member) Override(ctx context.Context, overrides []sender.Override) error {
	done, err := m.use()
	if err != nil {
		return err
	}
	defer done()
	err = m.common.Store.Override(ctx, overrides)
	for _, o := range overrides {
		if o.Applied && o.Status == sender.Pending {
			m.common.tell(m, sender.Change{Kind: sender.ChangeBacklog, ID: o.EndpointID})
		}
	}
	return err
}

func (m *member) Missing(ctx context.Context, q sender.MissingQuery) (sender.MissingPage, error) {
	done, err := m.use()
	if err != nil {
		return sender.MissingPage{}, err
	}
	defer done()
	return m.common.Store.Missing(ctx, q)
}

func (m *member) AddDeliveries(ctx context.Context, deliveries []sender.NewDelivery) error {
	done, err := m.use()
	if err != nil {
		return err
	}
	defer done()
	err = m.common.Store.AddDeliveries(ctx, deliveries)
	for _, d := range deliveries {
		if d.Added {
			m.common.tell(m, sender.Change{Kind: sender.ChangeBacklog, ID: d.EndpointID})
		}
	}
	return err
}

func (m *member) Documents(ctx context.Context, kind string) ([]sender.Document, error) {
	done, err := m.use()
	if err != nil {
		return nil, err
	}
	defer done()
	return m.common.Store.Documents(ctx, kind)
}

func (m *member) PutDocuments(ctx context.Context, documents []*sender.Document) error {
	done, err := m.use()
	if err != nil {
		return err
	}
	defer done()
	err = m.common.Store.PutDocuments(ctx, documents)
	for _, d := range documents {
		if err == nil {
			m.common.tell(m, sender.Change{Kind: sender.ChangeDocument, DocumentKind: d.Kind, ID: d.ID})
		}
	}
	return err
}

func (m *member) DeleteDocument(ctx context.Context, kind, id string) error {
	done, err := m.use()
	if err != nil {
		return err
	}
	defer done()
	if err := m.common.Store.DeleteDocument(ctx, kind, id); err != nil {
		return err
	}
	m.common.tell(m, sender.Change{Kind: sender.ChangeDocument, DocumentKind: kind, ID: id})
	return nil
}

// Close leaves what the member holds to the others.
func (m *member) Close() error {
	m.common.mu.Lock()
	left := m.killed
	m.killed = true
	m.common.mu.Unlock()
	if !left {
		m.common.takeOver(m)
	}
	return nil
}
