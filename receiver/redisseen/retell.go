package redisseen

import (
	"context"
	"crypto/tls"
	"net"
	"slices"
	"time"

	"github.com/redis/rueidis"

	"github.com/manysends/caddy-webhooks/receiver"
)

// A server that takes another's place, and one that starts again, may have lost
// what it was told in the last moments, since Redis copies and writes after it
// has answered. So each process tells it again what is its own to tell: the
// claims that it holds, and what it has committed of late.

const (
	// retellFor is for how long a commit may be told again. Redis can be kept
	// from answering when no replica has heard from it for 10 seconds
	// (min-replicas-max-lag), and writes to its disk every second.
	retellFor = 15 * time.Second

	// maxRecent is how many commits are kept to be told again.
	maxRecent = 1 << 16

	// retellAtOnce is how many keys are told by one call.
	retellAtOnce = 256
)

// commit is one that Redis has confirmed.
type commit struct {
	hold  *hold
	at    time.Time
	until time.Time // when the event may be forgotten
}

// remember notes a commit.
func (m *Memory) remember(h *hold, ttl time.Duration) {
	now := time.Now()
	m.letGo(now)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.recent = append(m.recent, commit{hold: h, at: now, until: now.Add(ttl)})
}

// letGo lets go of commits that are old, or one too many.
func (m *Memory) letGo(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	old := 0
	for old < len(m.recent) && (now.Sub(m.recent[old].at) > retellFor || len(m.recent)-old >= maxRecent) {
		m.recent[old] = commit{}
		old++
	}
	if m.recent = m.recent[old:]; len(m.recent) == 0 {
		m.recent = nil
	}
}

// disremember has an event that is forgotten not told again.
func (m *Memory) disremember(k receiver.Key) {
	m.mu.Lock()
	defer m.mu.Unlock()
	name := m.name(k)
	m.recent = slices.DeleteFunc(m.recent, func(c commit) bool { return slices.Contains(c.hold.names, name) })
}

// countDials counts the connections that are made, and wakes the keeper after
// each: behind it may be a server that has lost something.
func (m *Memory) countDials() {
	dial := m.client.DialCtxFn
	if dial == nil {
		dial = dialServer
	}
	m.client.DialCtxFn = func(ctx context.Context, address string, dialer *net.Dialer, config *tls.Config) (net.Conn, error) {
		conn, err := dial(ctx, address, dialer, config)
		if err == nil {
			m.dialed.Add(1)
			m.wakeKeeper()
		}
		return conn, err
	}
}

func dialServer(ctx context.Context, address string, dialer *net.Dialer, config *tls.Config) (net.Conn, error) {
	if config == nil {
		return dialer.DialContext(ctx, "tcp", address)
	}
	return (&tls.Dialer{NetDialer: dialer, Config: config}).DialContext(ctx, "tcp", address)
}

// retellUnnoticed tells commits again if the client has connected anew by
// itself, without any call having failed. It leaves claims alone, since one
// may be given up meanwhile.
func (k *keeper) retellUnnoticed() {
	c := k.live.Load()
	if c == nil || k.dialed.Load() == k.retold {
		return
	}
	if err := k.retell(c.Client, false); err != nil {
		k.fail(c, err)
	}
}

// retell tells Redis again what it may have lost. Claims can be told only while
// no other call can be made.
func (k *keeper) retell(c rueidis.Client, claims bool) error {
	dialed := k.dialed.Load()
	var keys, args []string
	flush := func() error {
		if len(keys) == 0 {
			return nil
		}
		ctx, cancel := context.WithTimeout(context.Background(), k.options.Timeout)
		defer cancel()
		err := scriptRetell.Exec(ctx, c, keys, args).Error()
		keys, args = keys[:0], args[:0]
		return err
	}
	for _, r := range k.toRetell(time.Now(), claims) {
		for i, name := range r.hold.names {
			value, life := r.hold.token, k.options.Lease
			if !r.until.IsZero() {
				value, life = r.hold.committed(i), time.Until(r.until)
			}
			keys, args = append(keys, name), append(args, r.hold.token, value, milliseconds(life))
		}
		if len(keys) >= retellAtOnce {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	if err := flush(); err != nil {
		return err
	}
	k.retold = dialed
	return nil
}

// toRetell are the commits that may have been lost, and claims, which end at no
// known time.
func (m *Memory) toRetell(now time.Time, claims bool) (all []commit) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.recent {
		if now.Sub(c.at) <= retellFor && now.Before(c.until) {
			all = append(all, c)
		}
	}
	if claims {
		for h := range m.holds {
			all = append(all, commit{hold: h})
		}
	}
	return all
}
