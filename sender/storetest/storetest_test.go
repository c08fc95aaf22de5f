package storetest

import (
	"testing"

	"github.com/manysends/caddy-webhooks/sender"
)

// TestModelPasses checks the suite and the model against each other: a test
// that the contract in its simplest form does not pass asks for too much.
func TestModelPasses(t *testing.T) {
	Run(t, func(*testing.T) Harness {
		m := &model{}
		return Harness{
			Open: func() (sender.Store, error) {
				m = m.next()
				return m, nil
			},
			Crash: func(sender.Store) error { return nil },
		}
	})
}
