package sender

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"net/netip"
	"testing"
	"time"
)

// SetLaneLength makes lanes short until the test ends, so that a few
// deliveries overflow into the store. No sender may be running.
func SetLaneLength(t testing.TB, firstTries, retries int) {
	before := laneLength
	laneLength = [nKinds]int{first: firstTries, again: retries}
	t.Cleanup(func() { laneLength = before })
}

// SetSettleGrace changes, until the test ends, how long Stop waits for the
// store. No sender may be running.
func SetSettleGrace(t testing.TB, d time.Duration) {
	before := settleGrace
	settleGrace = d
	t.Cleanup(func() { settleGrace = before })
}

// Draw is a source of randomness that always gives the same: how [jitter]
// varies a time.
type Draw uint64

// The draws that make a time a fifth shorter, leave it, and make it a fifth
// longer.
const (
	Shortest  Draw = 0
	Unchanged Draw = 1 << 16
	Longest   Draw = 2 << 16
)

// Read implements [io.Reader].
func (d Draw) Read(p []byte) (int, error) {
	bytes := binary.LittleEndian.AppendUint64(nil, uint64(d))
	for i := range p {
		p[i] = bytes[i%len(bytes)]
	}
	return len(p), nil
}

// The limits of what may wait for the disk.
const (
	MaxPutRequests     = maxPutRequests
	MaxPutWaitingBytes = maxPutWaitingBytes
)

// MaxUnsettled is how many outcomes may wait for the disk.
const MaxUnsettled = maxUnsettled + maxSettle

// PutsHeld is how many publications wait for the disk.
func (s *Sender) PutsHeld() int {
	s.puts.mu.Lock()
	defer s.puts.mu.Unlock()
	return s.puts.held
}

// Memory is how many bytes of events wait in the lanes.
func (s *Sender) Memory() int64 { return s.memory.Load() }

// Waiting is how many deliveries of an endpoint wait in memory, and how many
// attempts and claims are under way for it.
func (s *Sender) Waiting(endpointID string) (waiting, running int) {
	l := s.lane(endpointID)
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.queues[first].len() + l.queues[again].len(), l.running[first] + l.running[again]
}

// Unsettled is how many outcomes are on their way to the store.
func (s *Sender) Unsettled() int {
	s.settling.mu.Lock()
	defer s.settling.mu.Unlock()
	return len(s.settling.waiting) + s.settling.busy
}

// SetLookup replaces how the sender looks up hosts. No attempt may be under way.
func (s *Sender) SetLookup(lookup func(ctx context.Context, host string) ([]netip.Addr, error)) {
	s.current.Load().guard.lookup = lookup
}

// TrustRoots has the sender trust the certificates of a pool. No attempt may
// have been made.
func (s *Sender) TrustRoots(pool *x509.CertPool) {
	s.current.Load().transport.TLSClientConfig = &tls.Config{RootCAs: pool}
}

// PingSoon has connections of HTTP/2 over which nothing comes looked at soon, if
// they are looked at. No attempt may have been made.
func (s *Sender) PingSoon() {
	if c := s.current.Load().transport.HTTP2; c != nil && c.SendPingTimeout > 0 {
		c.SendPingTimeout, c.PingTimeout = 50*time.Millisecond, 200*time.Millisecond
	}
}

// Tell tells the followers of a delivery.
func (s *Sender) Tell(d *Delivery) { s.followers.tell(d, Pending, d.Due, nil) }

// Unread tells whether there are changes of other instances to be seen to. While
// they are being seen to they count no more.
func (s *Sender) Unread() bool {
	s.shared.changes.mu.Lock()
	defer s.shared.changes.mu.Unlock()
	return len(s.shared.changes.set) > 0
}

// KnownDisabled tells whether an endpoint was given up by what is known to be
// stored of it. The store must be shared.
func (s *Sender) KnownDisabled(endpointID string) bool {
	l := s.lane(endpointID)
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.part.kept.Disabled != ""
}
