package receiver

import (
	"testing"

	"go.uber.org/goleak"
)

// No test may leave a goroutine behind: a State that is closed has none.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
