package sender

import (
	"maps"
	"slices"
	"sync"
)

// directory holds all endpoints, made ready for use: those of the configuration
// and those made at run time.
type directory struct {
	mu       sync.RWMutex
	targets  map[string]*target
	byTenant map[string][]*target // a slice that was given out never changes
}

func newDirectory() *directory {
	return &directory{targets: make(map[string]*target), byTenant: make(map[string][]*target)}
}

// get returns an endpoint, or nil.
func (d *directory) get(id string) *target {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.targets[id]
}

// of returns the endpoints of a tenant, in the order they came in. The caller
// must not change the slice.
func (d *directory) of(tenant string) []*target {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return d.byTenant[tenant]
}

// all returns all endpoints by ID.
func (d *directory) all() map[string]*target {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return maps.Clone(d.targets)
}

// put adds an endpoint, or replaces the one of its ID and tenant.
func (d *directory) put(t *target) {
	d.mu.Lock()
	defer d.mu.Unlock()
	before := d.targets[t.id]
	d.targets[t.id] = t
	list := d.byTenant[t.tenant]
	if before == nil {
		d.byTenant[t.tenant] = append(list, t) // beyond what was given out
		return
	}
	list = slices.Clone(list)
	list[slices.Index(list, before)] = t
	d.byTenant[t.tenant] = list
}

// remove takes an endpoint out, if it is there.
func (d *directory) remove(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	t := d.targets[id]
	if t == nil {
		return
	}
	delete(d.targets, id)
	list := slices.Clone(d.byTenant[t.tenant])
	if list = slices.DeleteFunc(list, func(other *target) bool { return other == t }); len(list) == 0 {
		delete(d.byTenant, t.tenant)
		return
	}
	d.byTenant[t.tenant] = list
}

// replace puts other endpoints in place of all, and returns those that were
// there, by ID.
func (d *directory) replace(targets []*target) (before map[string]*target) {
	byID := make(map[string]*target, len(targets))
	byTenant := make(map[string][]*target)
	for _, t := range targets {
		byID[t.id] = t
		byTenant[t.tenant] = append(byTenant[t.tenant], t)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	before = d.targets
	d.targets, d.byTenant = byID, byTenant
	return before
}
