package sender_test

import (
	"testing"

	"go.uber.org/goleak"
)

// TestMain: when all tests have closed their senders, none has left a
// goroutine behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
