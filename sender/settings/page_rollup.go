package settings

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/manysends/caddy-webhooks/sender"
)

// counted are counts of a span, as a chart and a table show them.
type counted struct {
	timeline timeline
	total    sender.Counts
	series   []countedSeries
	pending  int64

	// partly tells that it took too long to count all: the earliest days are
	// missing, and fewer of them are the next time.
	partly bool
}

// countedSeries are the counts of one endpoint or one event type.
type countedSeries struct {
	key      string
	total    sender.Counts
	timeline timeline
}

// countPatience is how long a page counts.
const countPatience = 60 * time.Millisecond

// count counts what a page charts. Days that are over do not change any more,
// so that each is read once and remembered: a month of many endpoints is much
// to read.
func (c *call) count(q sender.StatsQuery, scope rollupScope, span overviewSpan) (counted, error) {
	now := c.Now()
	all := counted{timeline: timeline{q.From, span.slot, make([]sender.Counts, span.slots)}}
	series := make(map[string]*countedSeries)
	add := func(s *sender.Stats) {
		all.add(series, s, scope.byType)
	}
	if span.step == sender.StepMinute || span.slot*time.Duration(span.slots) <= 24*time.Hour {
		stats, err := c.Stats(c.context(), c.listed(), q)
		if err != nil {
			return all, err
		}
		all.pending = stats.Pending
		add(&stats)
		return all.done(series), nil
	}
	const day = 24 * time.Hour
	for end := q.To; end.After(q.From); {
		begin := end.Add(-time.Nanosecond).Truncate(day)
		if begin.Before(q.From) {
			begin = q.From
		}
		key := rollupKey{scope, begin.Unix(), end.Unix(), span.slot}
		stats := c.handler.rollups.get(key)
		if stats == nil {
			if !end.Equal(q.To) && c.Now().Sub(now) > countPatience {
				all.partly = true
				break
			}
			part := q
			part.From, part.To = begin, end
			read, err := c.Stats(c.context(), c.listed(), part)
			if err != nil {
				return all, err
			}
			if end.Equal(q.To) {
				all.pending = read.Pending
			}
			if stats = merged(&read, span.slot); now.Sub(end) > settledAfter {
				c.handler.rollups.put(key, stats)
			}
		}
		add(stats)
		end = begin
	}
	return all.done(series), nil
}

// add adds the counts of a part of the span.
func (a *counted) add(series map[string]*countedSeries, s *sender.Stats, byType bool) {
	a.total.Add(&s.Total.Counts)
	a.timeline.add(s.Points)
	for i := range s.Series {
		part := &s.Series[i]
		key := part.Endpoint
		if byType {
			key = part.Type
		}
		line := series[key]
		if line == nil {
			line = &countedSeries{key: key, timeline: timeline{a.timeline.from, a.timeline.slot, make([]sender.Counts, len(a.timeline.slots))}}
			series[key] = line
		}
		line.total.Add(&part.Total.Counts)
		line.timeline.add(part.Points)
	}
}

// done sorts the series, those with most attempts first.
func (a *counted) done(series map[string]*countedSeries) counted {
	for _, line := range series {
		a.series = append(a.series, *line)
	}
	slices.SortFunc(a.series, func(x, y countedSeries) int {
		return cmp.Or(cmp.Compare(y.total.Attempts, x.total.Attempts), cmp.Compare(x.key, y.key))
	})
	return *a
}

// merged are stats whose points are those of whole slots, so that they take less
// room.
func merged(s *sender.Stats, slot time.Duration) *sender.Stats {
	merge := func(points []sender.StatsPoint) (list []sender.StatsPoint) {
		for i := range points {
			start := points[i].Start.Truncate(slot)
			if n := len(list); n == 0 || !list[n-1].Start.Equal(start) {
				list = append(list, sender.StatsPoint{Start: start})
			}
			list[len(list)-1].Add(&points[i].Counts)
		}
		return list
	}
	m := &sender.Stats{Total: s.Total, Points: merge(s.Points), Series: make([]sender.StatsSeries, len(s.Series))}
	for i := range s.Series {
		m.Series[i] = s.Series[i]
		m.Series[i].Points = merge(s.Series[i].Points)
	}
	return m
}

// settledAfter is how long after a time nothing is counted for it any more: an
// attempt is counted when it has ended, for the time at which it began.
const settledAfter = time.Hour

// rollupScope is what is counted.
type rollupScope struct {
	tenant, endpoint string
	byType           bool
	endpoints        int // how many there are: one that is deleted is not counted
}

// rollupKey is what is counted, and when.
type rollupKey struct {
	rollupScope
	begin, end int64
	slot       time.Duration
}

// maxRollup bounds how many series are remembered.
const maxRollup = 20_000

// rollups are counts of days that are over.
type rollups struct {
	mu     sync.Mutex
	days   map[rollupKey]*sender.Stats
	series int
}

func (r *rollups) get(key rollupKey) *sender.Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.days[key]
}

// put remembers counts. When there are too many, all are forgotten first: they
// can be had again.
func (r *rollups) put(key rollupKey, s *sender.Stats) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.series += len(s.Series) + 1; r.series > maxRollup || r.days == nil {
		r.days, r.series = make(map[rollupKey]*sender.Stats), len(s.Series)+1
	}
	r.days[key] = s
}
