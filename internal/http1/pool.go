package http1

import (
	"slices"
	"sync"
	"time"
)

// pool keeps idle connections, and knows who waits for one. The zero value is
// empty.
type pool struct {
	mu      sync.Mutex
	hosts   map[string]*host
	idle    int
	closing bool        // what becomes idle is closed, until the next request
	sweeper *time.Timer // set while there are idle connections
}

// host is what a pool has for one host and port.
type host struct {
	idle    []*conn   // the one used last is the last
	waiting []*waiter // in the order in which they came
}

// dialled is what a waiter gets.
type dialled struct {
	conn *conn
	err  error
}

// waiter waits for a connection. It takes one thing only.
type waiter struct {
	mu    sync.Mutex
	ready chan dialled // has room for one
	taken bool
}

// take gives the waiter what it waits for, and tells whether it was the first.
func (w *waiter) take(d dialled) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.taken {
		return false
	}
	w.taken = true
	w.ready <- d
	return true
}

// get takes out an idle connection that is alive. Without one, it returns a
// waiter for the next that becomes idle, which must leave.
func (p *pool) get(name string) (*conn, *waiter) {
	for {
		c, w := p.pop(name)
		if c == nil || c.quiet() {
			return c, w
		}
		p.drop(c)
	}
}

func (p *pool) pop(name string) (*conn, *waiter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closing = false
	h := p.hosts[name]
	if h == nil {
		if p.hosts == nil {
			p.hosts = make(map[string]*host)
		}
		h = new(host)
		p.hosts[name] = h
	}
	if last := len(h.idle) - 1; last >= 0 {
		c := h.idle[last]
		h.idle[last] = nil
		h.idle = h.idle[:last]
		p.idle--
		return c, nil
	}
	w := &waiter{ready: make(chan dialled, 1)}
	h.waiting = append(h.waiting, w)
	return nil, w
}

// leave has a waiter wait no longer.
func (p *pool) leave(name string, w *waiter) {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.hosts[name]
	if h == nil {
		return
	}
	if i := slices.Index(h.waiting, w); i >= 0 {
		h.waiting = slices.Delete(h.waiting, i, i+1)
	}
	p.tidy(name, h)
}

// put takes in a connection that has become idle, for who waits for one first.
func (p *pool) put(c *conn) {
	if !p.keep(c) {
		c.close()
	}
}

func (p *pool) keep(c *conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := p.hosts[c.host]
	for h != nil && len(h.waiting) > 0 {
		w := h.waiting[0]
		h.waiting = slices.Delete(h.waiting, 0, 1)
		c.used = true
		if w.take(dialled{conn: c}) {
			return true
		}
	}
	if h == nil {
		if p.hosts == nil {
			p.hosts = make(map[string]*host)
		}
		h = new(host)
		p.hosts[c.host] = h
	}
	if p.closing || p.idle >= c.client.MaxIdle || len(h.idle) >= c.client.MaxIdlePerHost {
		p.tidy(c.host, h)
		return false
	}
	c.used, c.since = true, time.Now()
	h.idle = append(h.idle, c)
	p.idle++
	if p.sweeper == nil {
		timeout := c.client.IdleTimeout
		p.sweeper = time.AfterFunc(timeout/sweeps, func() { p.sweep(timeout) })
	}
	return true
}

// drop closes a connection that is in use.
func (p *pool) drop(c *conn) {
	c.close()
	p.mu.Lock()
	defer p.mu.Unlock()
	if h := p.hosts[c.host]; h != nil {
		p.tidy(c.host, h)
	}
}

// tidy forgets a host for which there is nothing. The caller holds p.mu.
func (p *pool) tidy(name string, h *host) {
	if len(h.idle) == 0 && len(h.waiting) == 0 {
		delete(p.hosts, name)
	}
}

// sweeps is how often in an idle timeout the connections are looked at.
const sweeps = 6

// sweep closes what has been idle for too long, or was closed by the server.
func (p *pool) sweep(timeout time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	oldest := time.Now().Add(-timeout)
	for name, h := range p.hosts {
		kept := h.idle[:0]
		for _, c := range h.idle {
			if c.since.After(oldest) && c.quiet() {
				kept = append(kept, c)
				continue
			}
			p.idle--
			c.close()
		}
		clear(h.idle[len(kept):])
		h.idle = kept
		p.tidy(name, h)
	}
	if p.sweeper = nil; p.idle > 0 {
		p.sweeper = time.AfterFunc(timeout/sweeps, func() { p.sweep(timeout) })
	}
}

// closeAll closes all idle connections.
func (p *pool) closeAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closing = true
	for name, h := range p.hosts {
		for _, c := range h.idle {
			c.close()
		}
		p.idle -= len(h.idle)
		h.idle = nil
		p.tidy(name, h)
	}
	if p.sweeper != nil {
		p.sweeper.Stop()
		p.sweeper = nil
	}
}
