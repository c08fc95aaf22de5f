package sender

import (
	"context"
	"time"
)

// scrapePatience is how long a scrape of the metrics waits for the store.
const scrapePatience = 2 * time.Second

// backlogSamples are what waits for the endpoints, as the metrics show it.
func (s *Sender) backlogSamples() []backlogSample {
	ctx, cancel := context.WithTimeout(s.background, scrapePatience)
	defer cancel()
	counts, err := s.pendingCounts(ctx)
	if err != nil {
		if s.background.Err() == nil {
			s.log.Warn("the backlog is missing from the metrics", "error", err)
		}
		return nil
	}
	now := s.clock.Now()
	targets := s.directory.all()
	s.mu.Lock()
	lanes := make(map[string]*lane, len(s.lanes))
	for id, l := range s.lanes {
		lanes[id] = l
	}
	s.mu.Unlock()
	samples := make([]backlogSample, 0, len(targets))
	for id, t := range targets {
		sample := backlogSample{endpoint: t.label, deliveries: counts[id], state: StateActive}
		if l := lanes[id]; l != nil {
			var info EndpointInfo
			l.describe(&info, now)
			if info.State != 0 {
				sample.state = info.State
			}
			if sample.deliveries > 0 {
				sample.age = l.lag(now)
			}
		}
		samples = append(samples, sample)
	}
	for id, n := range counts {
		if targets[id] == nil { // they wait for one that is not here (any more)
			samples = append(samples, backlogSample{endpoint: runtimeEndpoints, deliveries: n})
		}
	}
	return samples
}

// labelOf is what an endpoint is called in metrics.
func (s *Sender) labelOf(id string) string {
	if t := s.directory.get(id); t != nil {
		return t.label
	}
	return runtimeEndpoints
}

// lag is how long the oldest delivery that is due, and is not being attempted,
// has waited.
func (l *lane) lag(now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	var oldest time.Time
	for kind := range nKinds {
		oldest = earlier(oldest, l.stored[kind])
		if d := l.queues[kind].peek(); d != nil {
			oldest = earlier(oldest, d.Due)
		}
	}
	if oldest.IsZero() {
		return 0
	}
	return max(now.Sub(oldest), 0)
}
