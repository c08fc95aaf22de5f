package sender

// laneShare is the part of the memory still free that one queue may take: an
// eighth.
const laneShare = 8

// claimShare is the part of the memory that what comes out of the store may
// fill: half. The other half is for deliveries that are new, and whose lanes have
// nothing waiting in the store. So endpoints that lag behind, however many they
// are, leave room for those that do not.
const claimShare = 2

// deliveryOverhead is about how many bytes a waiting delivery takes beside its
// event's data and headers: the fields of both, and what the queue and the store note of it.
const deliveryOverhead = 640

// memorySize is about how many bytes a delivery takes while it waits.
func (d *Delivery) memorySize() int64 { return int64(d.Event.Size()) + deliveryOverhead }

// room tells whether a delivery of this size may wait in memory.
func (l *lane) room(kind int, size int64) bool {
	q := &l.queues[kind]
	if q.len() == 0 {
		return true // one at least, or nothing would ever move
	}
	return q.len() < laneLength[kind] && q.bytes+size <= l.share(1)
}

// share is how many bytes a queue may hold now of a part of the memory.
func (l *lane) share(part int64) int64 {
	return max(l.s.current.Load().memory/part-l.s.memory.Load(), 0) / laneShare
}

// low tells whether more deliveries of a kind should be claimed: none waits, or
// few do and there is room for as many again.
func (l *lane) low(kind int) bool {
	q := &l.queues[kind]
	if q.len() == 0 {
		return true
	}
	if l.breaker.probing() { // the next one is not needed before this one has succeeded
		return false
	}
	return q.len() <= laneLength[kind]/4 && q.bytes <= l.share(claimShare)/4
}
