package sender

import (
	"context"
	"time"
)

// checkPatience is how long CheckURL waits for name servers.
const checkPatience = 5 * time.Second

// CheckURL says what would come of deliveries to a URL, as far as can be told
// without connecting: the checks url, dns and egress of a [TestReport], up to
// the first that fails. No endpoint needs to exist. A later look-up may have
// another answer, which is judged again when it is dialled.
func (s *Sender) CheckURL(ctx context.Context, rawURL string) []TestCheck {
	ctx, cancel := context.WithTimeoutCause(ctx, checkPatience, errTimeout)
	defer cancel()
	return s.current.Load().guard.explain(ctx, rawURL)
}
