package sender

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

// ErrStats means that something cannot be counted as asked. The message names
// the field, what is wrong with it and what to do.
var ErrStats = errors.New("invalid query")

// StatsQuery says what to count. The zero value is the last day of all
// endpoints, by the hour.
type StatsQuery struct {
	// EndpointIDs are the endpoints; empty means all of the tenant.
	EndpointIDs []string

	// From and To bound when attempts began, widened to whole steps. Default:
	// the day before To, and now.
	From, To time.Time

	// Step is how much time one point covers. Minutes are kept for two days.
	// Default: minutes up to six hours, hours beyond.
	Step Step

	// ByType makes a series for each event type instead of each endpoint.
	ByType bool
}

// Stats are counts over time.
type Stats struct {
	// From and To are the times counted, in whole steps.
	From time.Time `json:"from"`
	To   time.Time `json:"to"`

	// Step is "minute" or "hour".
	Step string `json:"step"`

	// Pending is how many deliveries wait or are under way now.
	Pending int64 `json:"pending"`

	// Total is all of it together.
	Total StatsLine `json:"total"`

	// Points are the steps together; those without attempts are missing.
	Points []StatsPoint `json:"points"`

	// Series are the endpoints, or the event types, that had attempts.
	Series []StatsSeries `json:"series"`
}

// StatsSeries are the counts of one endpoint or one event type.
type StatsSeries struct {
	Endpoint string       `json:"endpoint,omitempty"`
	Type     string       `json:"type,omitempty"`
	Total    StatsLine    `json:"total"`
	Points   []StatsPoint `json:"points"`
}

// StatsPoint are the counts of one step.
type StatsPoint struct {
	Start time.Time `json:"start"`
	StatsLine
}

// StatsLine are counts with percentiles of how long attempts took, which are
// exact to the class that they fall into; see [DurationBounds]. They are 0
// without attempts.
type StatsLine struct {
	Counts
	P50 webhook.Duration `json:"p50"`
	P95 webhook.Duration `json:"p95"`
	P99 webhook.Duration `json:"p99"`
}

// work works out the percentiles.
func (l *StatsLine) work() {
	l.P50, l.P95, l.P99 = l.Percentile(0.50), l.Percentile(0.95), l.Percentile(0.99)
}

// Percentile is the bound of the class of durations that a share of the
// attempts, such as 0.95, does not exceed; 0 without attempts.
func (c *Counts) Percentile(share float64) webhook.Duration {
	total := int64(0)
	for _, n := range c.Durations {
		total += n
	}
	if total == 0 {
		return 0
	}
	seen := int64(0)
	for i, n := range c.Durations {
		if seen += n; float64(seen) >= share*float64(total) && i < len(durationBounds) {
			return webhook.Duration(durationBounds[i])
		}
	}
	return webhook.Duration(durationBounds[len(durationBounds)-1])
}

// Stats counts the attempts of a tenant. An endpoint that the tenant has not is
// passed over. The error wraps [ErrStats] when there would be too many points,
// or is the store's.
func (s *Sender) Stats(ctx context.Context, tenant string, q StatsQuery) (Stats, error) {
	if err := q.complete(s.clock.Now()); err != nil {
		return Stats{}, err
	}
	stats := Stats{From: q.From, To: q.To, Step: q.Step.String(), Points: []StatsPoint{}, Series: []StatsSeries{}}
	ids := s.endpointsOf(tenant, q.EndpointIDs)
	if len(ids) == 0 {
		return stats, nil
	}
	pending, err := s.pendingCounts(ctx)
	if err != nil {
		return Stats{}, err
	}
	for _, id := range ids {
		stats.Pending += pending[id]
	}
	if err := s.settling.flush(ctx); err != nil {
		return Stats{}, fmt.Errorf("counting: %w", err)
	}
	counters, err := s.store.Counters(ctx, CounterQuery{Step: q.Step, EndpointIDs: ids, From: q.From, To: q.To})
	if err != nil {
		return Stats{}, fmt.Errorf("counting: %w", err)
	}
	stats.add(counters, q.ByType)
	return stats, nil
}

// maxPoints bounds how many steps are counted at once.
const maxPoints = 3000

// complete fills in what was left out.
func (q *StatsQuery) complete(now time.Time) error {
	if q.To.IsZero() {
		q.To = now
	}
	if q.From.IsZero() {
		q.From = q.To.Add(-24 * time.Hour)
	}
	if q.Step == 0 {
		q.Step = StepHour
		if q.To.Sub(q.From) <= 6*time.Hour {
			q.Step = StepMinute
		}
	}
	step := q.Step.Duration()
	if step == 0 {
		return fmt.Errorf("%w: step: %s is unknown: use minute or hour", ErrStats, q.Step)
	}
	q.From = q.From.UTC().Truncate(step)
	if end := q.To.UTC().Truncate(step); end.Before(q.To) {
		q.To = end.Add(step)
	} else {
		q.To = end
	}
	switch n := q.To.Sub(q.From) / step; {
	case n <= 0:
		return fmt.Errorf("%w: from: it does not lie before to: give an earlier time", ErrStats)
	case n > maxPoints:
		return fmt.Errorf("%w: from: there would be %d points: count fewer than %d, in hours or over a shorter time", ErrStats, n, maxPoints)
	}
	return nil
}

// endpointsOf are those of the IDs that a tenant has, or all of the tenant's.
func (s *Sender) endpointsOf(tenant string, ids []string) []string {
	var own []string
	if len(ids) > 0 {
		for _, id := range ids {
			if t := s.directory.get(id); t != nil && within(tenant, t.tenant) {
				own = append(own, id)
			}
		}
		return own
	}
	if tenant != AnyTenant {
		for _, t := range s.directory.of(tenant) {
			own = append(own, t.id)
		}
		return own
	}
	for id := range s.directory.all() {
		own = append(own, id)
	}
	slices.Sort(own)
	return own
}

// add adds counters up.
func (s *Stats) add(counters []Counter, byType bool) {
	series := make(map[string]*StatsSeries)
	for i := range counters {
		c := &counters[i]
		key := c.EndpointID
		if byType {
			key = c.Type
		}
		line := series[key]
		if line == nil {
			line = &StatsSeries{Endpoint: key}
			if byType {
				line = &StatsSeries{Type: key}
			}
			series[key] = line
		}
		s.Total.Add(&c.Counts)
		line.Total.Add(&c.Counts)
		s.Points = addPoint(s.Points, c)
		line.Points = addPoint(line.Points, c)
	}
	for _, line := range series {
		line.Total.work()
		for i := range line.Points {
			line.Points[i].work()
		}
		s.Series = append(s.Series, *line)
	}
	slices.SortFunc(s.Series, func(a, b StatsSeries) int {
		return cmp.Or(cmp.Compare(a.Endpoint, b.Endpoint), cmp.Compare(a.Type, b.Type))
	})
	s.Total.work()
	for i := range s.Points {
		s.Points[i].work()
	}
}

// addPoint adds a counter to the point of its step. Counters come in the order
// of their steps.
func addPoint(points []StatsPoint, c *Counter) []StatsPoint {
	if n := len(points); n == 0 || !points[n-1].Start.Equal(c.Start) {
		points = append(points, StatsPoint{Start: c.Start})
	}
	points[len(points)-1].Add(&c.Counts)
	return points
}
