package sender

import "time"

// cancel gives up a delivery that is not being attempted. The caller holds
// l.mu.
func (l *lane) cancel(d *Delivery) {
	l.s.settling.add(Outcome{Seq: d.Seq, EndpointID: d.EndpointID, Type: d.Event.Type, Status: Cancelled})
	l.s.metrics.finished(l.label(), Cancelled)
	l.s.followers.tell(d, Cancelled, time.Time{}, nil)
}

// label is what the endpoint is called in metrics.
func (l *lane) label() string {
	if l.target == nil {
		return runtimeEndpoints
	}
	return l.target.label
}

// withdraw cancels a delivery that the lane holds: at once when it waits, or
// after the attempt that is under way, unless that succeeds. It tells whether
// the lane holds it.
func (l *lane) withdraw(seq int64) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for kind := range nKinds {
		if d := l.queues[kind].remove(seq); d != nil {
			l.s.memory.Add(-d.memorySize())
			l.cancel(d)
			return true
		}
	}
	if _, underway := l.underway[seq]; underway {
		l.underway[seq] = true
		return true
	}
	return false
}
