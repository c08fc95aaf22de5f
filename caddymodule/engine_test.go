package caddymodule

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"

	"github.com/manysends/caddy-webhooks/sender"
)

var errOpening = errors.New("opening failed")

// unopenable is a store that is not to be had, and says so at once.
type unopenable struct{ SQLite }

func (*unopenable) Open(context.Context, *slog.Logger) (sender.Store, error) {
	return nil, errOpening
}

// TestLookingForAnEngineDoesNotKeepItFromStarting: requests that come before
// the app has started look for a running engine. That must not get in the way
// of the app, which opens its store at that very time.
func TestLookingForAnEngineDoesNotKeepItFromStarting(t *testing.T) {
	store := &unopenable{SQLite{path: "nowhere"}}
	stop := make(chan struct{})
	var requests sync.WaitGroup
	for range 4 {
		requests.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					if runningEngine(store) != nil {
						t.Error("an engine was found that never was")
						return
					}
				}
			}
		})
	}
	for range 20_000 {
		if _, err := acquireEngine(store, sender.Config{}, slog.New(slog.DiscardHandler)); !errors.Is(err, errOpening) {
			t.Errorf("the app was told %v, want what its store said", err)
			break
		}
	}
	close(stop)
	requests.Wait()
}

// TestRunningEngine finds an engine while it is open, and only then.
func TestRunningEngine(t *testing.T) {
	store := &SQLite{path: filepath.Join(t.TempDir(), "webhooks.db")}
	for range 2 {
		if runningEngine(store) != nil {
			t.Error("an engine is found that is not open")
		}
		e, err := acquireEngine(store, sender.Config{}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if found := runningEngine(store); found != e {
			t.Errorf("found the engine %p, open is %p", found, e)
		}
		if err := releaseEngine(store); err != nil {
			t.Fatal(err)
		}
	}
	if runningEngine(store) != nil {
		t.Error("an engine is found after it was closed")
	}
}
