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
// claims that it holds, and those that it has committed or released of late.

const (
	// retellFor is for how long the end of a claim may be told again. Redis can be kept
	// from answering when no replica has heard from it for 10 seconds
	// (min-replicas-max-lag), and writes to its disk every second.
	retellFor = 15 * time.Second

	// maxRecent is how many ends of claims are kept to be told again.
	maxRecent = 1 << 16

	// retellAtOnce is how many keys are told by one call.
	retellAtOnce = 256
)

// ended is the end of a claim that Redis has confirmed.
type ended struct {
	debt
	at time.Time
}

// remember notes the end of a claim.
func (m *Memory) remember(d debt) {
	now := time.Now()
	m.letGo(now)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.recent = append(m.recent, ended{d, now})
}

// letGo lets go of what is old, or one too many.
func (m *Memory) letGo(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	old := 0
	for old < len(m.recent) && (now.Sub(m.recent[old].at) > retellFor || len(m.recent)-old >= maxRecent) {
		m.recent[old] = ended{}
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
	m.recent = slices.DeleteFunc(m.recent, func(e ended) bool { return slices.Contains(e.hold.names, name) })
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

// retellUnnoticed tells the ends of claims again if the client has connected
// anew by itself, without any call having failed. It leaves claims alone, since
// one may end meanwhile.
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
	for part := range slices.Chunk(k.toRetell(time.Now(), claims), retellAtOnce) {
		var keys, args []string
		for _, w := range part {
			keys, args = append(keys, w.name), append(args, w.token, w.value, milliseconds(w.life))
		}
		ctx, cancel := context.WithTimeout(context.Background(), k.options.Timeout)
		err := scriptRetell.Exec(ctx, c, keys, args).Error()
		cancel()
		if err != nil {
			return err
		}
	}
	k.retold = dialed
	return nil
}

// wish is what a key should be, unless somebody else has it.
type wish struct {
	name, token string
	value       string // empty: free
	life        time.Duration
}

func (m *Memory) toRetell(now time.Time, claims bool) (wishes []wish) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.recent {
		over := !e.until.IsZero() && !e.until.After(now)
		if over || now.Sub(e.at) > retellFor {
			continue
		}
		for i, name := range e.hold.names {
			w := wish{name: name, token: e.hold.token, life: e.until.Sub(now)}
			if !e.until.IsZero() {
				w.value = e.hold.committed(i)
			}
			wishes = append(wishes, w)
		}
	}
	if !claims {
		return wishes
	}
	for h := range m.holds {
		for _, name := range h.names {
			wishes = append(wishes, wish{name: name, token: h.token, value: h.token, life: m.options.Lease})
		}
	}
	return wishes
}
