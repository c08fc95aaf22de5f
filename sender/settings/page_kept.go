package settings

import (
	"sync"
	"time"
)

// kept are results that a page shows after the form that asked for them has
// been answered with a redirect: a secret that was made, the report of a test.
// They are kept in memory only, and not for long.
type kept struct {
	mu      sync.Mutex
	results map[keptKey]keptResult
}

// keptKey is whose result it is, and of what.
type keptKey struct {
	tenant, kind, id string
}

type keptResult struct {
	at    time.Time
	value any
}

const (
	keptFor = 10 * time.Minute
	maxKept = 256

	// maxKeptOfOne is how many there are of one tenant, so that no tenant pushes
	// out what the others are about to be shown.
	maxKeptOfOne = 32
)

// put keeps a result, in place of the one of its kind before. When there are
// too many, the oldest of the tenant goes, or else of all.
func (k *kept) put(now time.Time, key keptKey, value any) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.results == nil {
		k.results = make(map[keptKey]keptResult)
	}
	delete(k.results, key)
	var oldest, oldestOfOne keptKey
	ofOne := 0
	for other, r := range k.results {
		if now.Sub(r.at) > keptFor {
			delete(k.results, other)
			continue
		}
		if o, found := k.results[oldest]; !found || r.at.Before(o.at) {
			oldest = other
		}
		if other.tenant != key.tenant {
			continue
		}
		ofOne++
		if o, found := k.results[oldestOfOne]; !found || r.at.Before(o.at) {
			oldestOfOne = other
		}
	}
	switch {
	case ofOne >= maxKeptOfOne:
		delete(k.results, oldestOfOne)
	case len(k.results) >= maxKept:
		delete(k.results, oldest)
	}
	k.results[key] = keptResult{now, value}
}

// get returns a result with when it was kept; nil when there is none.
func (k *kept) get(now time.Time, key keptKey) (any, time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	r, found := k.results[key]
	if !found || now.Sub(r.at) > keptFor {
		return nil, time.Time{}
	}
	return r.value, r.at
}

// take returns a result and forgets it.
func (k *kept) take(now time.Time, key keptKey) any {
	value, _ := k.get(now, key)
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.results, key)
	return value
}
