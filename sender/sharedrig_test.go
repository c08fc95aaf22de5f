package sender_test

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/sender/sqlitestore"
)

// fleet is several senders, the instances, on one store, in one time.
type fleet struct {
	t      testing.TB
	clock  *fakeClock
	config sender.Config
	logger *slog.Logger
	common *commonStore
	all    []*instance // also those that are no more
}

// instance is one of a fleet.
type instance struct {
	*rig
	*member
	name string
}

// newFleet starts n instances of one configuration.
func newFleet(t testing.TB, n int, config sender.Config) *fleet {
	t.Helper()
	f := openFleet(t, config)
	for range n {
		f.join()
	}
	return f
}

// openFleet makes the store of a fleet that has no instances yet.
func openFleet(t testing.TB, config sender.Config) *fleet {
	t.Helper()
	f := &fleet{t: t, clock: newFakeClock(), config: config}
	store, err := sqlitestore.Open(filepath.Join(t.TempDir(), "webhooks.db"), sqlitestore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	f.common = newCommonStore(store, f.clock)
	t.Cleanup(func() {
		for _, i := range f.all {
			i.end()
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
		if doubled := f.common.doubled; len(doubled) > 0 {
			t.Errorf("%d deliveries were held twice: %v", len(doubled), doubled)
		}
	})
	return f
}

// join starts another instance.
func (f *fleet) join() *instance {
	f.t.Helper()
	return f.joinAs(f.common.join())
}

// joinAs starts the instance of a member.
func (f *fleet) joinAs(m *member) *instance {
	f.t.Helper()
	i := &instance{member: m, name: string(rune('A' + len(f.all)))}
	i.rig = &rig{t: f.t, clock: f.clock, store: m, config: f.config}
	var err error
	if i.rig.Sender, err = sender.New(f.config, m, sender.Options{Clock: f.clock, Logger: f.logger}); err != nil {
		f.t.Fatal(err)
	}
	f.all = append(f.all, i)
	i.start()
	return i
}

// end ends an instance as a process ends that is told to.
func (i *instance) end() {
	if err := i.rig.Close(); err != nil && !i.isKilled() {
		i.t.Errorf("instance %s: %v", i.name, err)
	}
	if err := i.member.Close(); err != nil {
		i.t.Error(err)
	}
}

func (m *member) isKilled() bool {
	m.common.mu.Lock()
	defer m.common.mu.Unlock()
	return m.killed
}

// kill ends an instance as if its process had died.
func (f *fleet) kill(i *instance) { f.common.kill(i.member) }

// others are the live instances but one.
func (f *fleet) others(but *instance) (others []*instance) {
	for _, i := range f.all {
		if i != but && !i.isKilled() {
			others = append(others, i)
		}
	}
	return others
}

// holder waits until an instance has a hold, and returns it.
func (f *fleet) holder(name string) (holder *instance) {
	f.t.Helper()
	until(f.t, "somebody holds "+name, func() bool {
		m := f.common.holder(name)
		for _, i := range f.all {
			if i.member == m {
				holder = i
				return true
			}
		}
		return false
	})
	return holder
}

// agree waits until all live instances have heard all that is to be heard, and
// nothing is on its way to the store.
func (f *fleet) agree() {
	f.t.Helper()
	until(f.t, "all instances have heard of everything", func() bool {
		for _, i := range f.others(nil) {
			f.common.mu.Lock()
			waiting := len(i.changes)
			f.common.mu.Unlock()
			if waiting > 0 || i.Unsettled() > 0 || i.Unread() {
				return false
			}
		}
		return true
	})
}

// quiet waits until no attempt of an endpoint is under way at any live instance.
func (f *fleet) quiet(endpoint string) {
	f.t.Helper()
	until(f.t, "attempts have ended", func() bool {
		for _, i := range f.others(nil) {
			if _, running := i.Waiting(endpoint); running > 0 {
				return false
			}
		}
		return true
	})
}

// eventually advances the time, in steps, until something is the case.
func (f *fleet) eventually(step time.Duration, what string, done func() bool) {
	f.t.Helper()
	for n := 0; !done(); n++ {
		if n > 20000 {
			f.t.Fatalf("in vain waited %s until %s", time.Duration(n)*step, what)
		}
		f.clock.advance(step)
		time.Sleep(time.Millisecond)
	}
}

// isDisabled tells whether an instance has given an endpoint up.
func (i *instance) isDisabled(endpoint string) bool {
	info, err := i.Endpoint(i.t.Context(), sender.AnyTenant, endpoint)
	if err != nil {
		i.t.Error(err)
	}
	return info.State == sender.StateDisabled
}

// state waits until an endpoint is in a state at an instance.
func (i *instance) state(endpoint string, want sender.State) {
	i.t.Helper()
	until(i.t, fmt.Sprintf("%s is %s at %s", endpoint, want, i.name), func() bool {
		info, err := i.Endpoint(i.t.Context(), sender.AnyTenant, endpoint)
		return err == nil && info.State == want
	})
}
