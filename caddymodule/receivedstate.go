package caddymodule

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/caddyserver/caddy/v2"

	"github.com/manysends/caddy-webhooks/receiver"
)

// stateKey says what a receiver's memory is: its name, and the file or what it
// shares, if any. A reload that changes the file gets another memory, which begins with what is
// in that file; the one before is closed when the last request is done with
// it. That is no more than a restart would lose.
type stateKey struct{ name, path, shared string }

// place says where the memory is kept.
func (k stateKey) place() string {
	switch {
	case k.shared != "":
		return k.shared
	case k.path != "":
		return k.path
	}
	return "memory alone"
}

// states are the receivers' memories, so that a reload forgets neither events
// nor limits.
var states = caddy.NewUsagePool()

// openStates has the same memories in the order they were opened, for those who
// only look for them: looking into the pool would take a use.
var openStates struct {
	sync.Mutex
	list []*state
}

// state is a receiver's memory as the pool keeps it.
type state struct {
	*receiver.State
	key stateKey
	log *slog.Logger
}

// Destruct ends the memory when its last user is gone.
func (s *state) Destruct() error {
	openStates.Lock()
	i := slices.Index(openStates.list, s)
	openStates.list = slices.Delete(openStates.list, i, i+1)
	next := slices.IndexFunc(openStates.list, func(other *state) bool { return other.key.name == s.key.name })
	if next >= i { // and not one that a configuration which was rejected has left
		s.log.Info("the receiver remembers events in another place from now on: it knows those that are there, and not those of the place before",
			slog.String("receiver", s.key.name), slog.String("place", openStates.list[next].key.place()))
	}
	openStates.Unlock()
	s.Close()
	return nil
}

// acquireState takes a use of the handler's memory, and opens it for the first
// user.
func acquireState(h *Receive, log *slog.Logger) error {
	key := h.stateKey()
	_, _, err := states.LoadOrNew(key, func() (caddy.Destructor, error) {
		if key.path != "" {
			if err := os.MkdirAll(filepath.Dir(key.path), 0o700); err != nil {
				return nil, fmt.Errorf("the folder for the file of seen events cannot be made: %w: name a file elsewhere in dedupe.persist", err)
			}
		}
		options, err := h.stateOptions()
		if err != nil {
			return nil, err
		}
		options.Logger = log.With(slog.String("receiver", key.name))
		opened, err := receiver.OpenState(options)
		if err != nil {
			return nil, err
		}
		s := &state{opened, key, log}
		openStates.Lock()
		defer openStates.Unlock()
		openStates.list = append(openStates.list, s)
		return s, nil
	})
	return err
}

// openState is a memory that has been acquired.
func openState(key stateKey) *receiver.State {
	openStates.Lock()
	defer openStates.Unlock()
	for _, s := range openStates.list {
		if s.key == key {
			return s.State
		}
	}
	return nil
}

// releaseState gives up one use of a memory.
func releaseState(key stateKey) error {
	_, err := states.Delete(key)
	return err
}

// currentStates are the open memories, one for each name: while a reload
// changes the file of one, the old one.
func currentStates() []*receiver.State {
	openStates.Lock()
	defer openStates.Unlock()
	var list []*receiver.State
	taken := make(map[string]bool)
	for _, s := range openStates.list {
		if !taken[s.key.name] {
			taken[s.key.name] = true
			list = append(list, s.State)
		}
	}
	return list
}

// runningState is the open memory of a name, as currentStates has it; nil when
// there is none. It may be closed at any time, and then says so itself.
func runningState(name string) *receiver.State {
	openStates.Lock()
	defer openStates.Unlock()
	for _, s := range openStates.list {
		if s.key.name == name {
			return s.State
		}
	}
	return nil
}

// stateKey is the memory that the receiver uses.
func (h *Receive) stateKey() stateKey {
	key := stateKey{name: h.settings.Name, path: h.settings.Dedupe.Persist}
	if h.shared != nil {
		key.shared = h.shared.Identity()
	}
	return key
}

// persistPath is the file of the receiver's memory as an absolute path, or
// empty.
func (h *Receive) persistPath() (string, error) {
	path := h.settings.Dedupe.Persist
	switch {
	case h.settings.Dedupe.Off && (h.Persist || path != ""):
		return "", errors.New("dedupe is off, so there is nothing that persist could keep: remove one of the two")
	case path == "" && !h.Persist:
		return "", nil
	case path == "":
		// A name may hold what a file name must not.
		return filepath.Join(caddy.AppDataDir(), "webhooks", url.QueryEscape(h.settings.Name)+".seen"), nil
	case h.Persist:
		return "", fmt.Errorf("persist and dedupe.persist are both set: keep dedupe.persist for the file %s, or persist for the default", path)
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("dedupe.persist: the path %q cannot be made absolute: %w", path, err)
	}
	return absolute, nil
}
