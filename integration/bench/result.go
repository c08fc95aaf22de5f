package main

import (
	"slices"
	"time"

	"github.com/manysends/caddy-webhooks/integration/bench/load"
)

// Measure is one quantity of a case, with a value for each round.
type Measure struct {
	Name   string    `json:"name"`
	Values []float64 `json:"values"`
}

// Case is one thing that was measured.
type Case struct {
	Name string `json:"name"`

	// X is where the case stands on the axis of a growth row.
	X float64 `json:"x,omitempty"`

	Measures []*Measure `json:"measures"`

	// Percentiles are those of the latencies of all rounds that are plotted, in
	// milliseconds, if there are any.
	Percentiles []float64 `json:"percentiles_ms,omitempty"`

	// Profile is where the processor time of each event went, if profiles were
	// taken.
	Profile []Group `json:"profile,omitempty"`

	latencies *load.Histogram
}

// Result is a row: what was measured, and what was wrong.
type Result struct {
	Row   string `json:"row"`
	Title string `json:"title"`

	// Says is how it was measured, in a sentence or two.
	Says string `json:"says"`

	// Axis names what grows, in a growth row.
	Axis string `json:"axis,omitempty"`

	// Baseline names the case that others are compared with.
	Baseline string `json:"baseline,omitempty"`

	Cases []*Case `json:"cases"`

	// Faults are events lost or delivered twice, and whatever else must not be.
	Faults []string `json:"faults,omitempty"`

	Took time.Duration `json:"took_ns"`
}

// of is the case of a name, which is made if need be.
func (r *Result) of(name string) *Case {
	for _, c := range r.Cases {
		if c.Name == name {
			return c
		}
	}
	c := &Case{Name: name}
	r.Cases = append(r.Cases, c)
	return c
}

// add adds a round's value of a measure.
func (c *Case) add(name string, value float64) {
	if m := c.measure(name); m != nil {
		m.Values = append(m.Values, value)
		return
	}
	c.Measures = append(c.Measures, &Measure{Name: name, Values: []float64{value}})
}

func (c *Case) measure(name string) *Measure {
	for _, m := range c.Measures {
		if m.Name == name {
			return m
		}
	}
	return nil
}

// addLatency adds a round's latencies.
func (c *Case) addLatency(h *load.Histogram) {
	if c.latencies == nil {
		c.latencies = new(load.Histogram)
	}
	c.latencies.Merge(h)
	c.Percentiles = percentilesOf(c.latencies)
}

// compare adds, to all cases but the baseline, a measure in multiples of the
// baseline's of the same round.
func (r *Result) compare(names ...string) {
	base := r.of(r.Baseline)
	for _, c := range r.Cases {
		if c == base {
			continue
		}
		for _, name := range names {
			over, under := c.measure(name), base.measure(name)
			if over == nil || under == nil {
				continue
			}
			for i := range min(len(over.Values), len(under.Values)) {
				if under.Values[i] != 0 {
					c.add(name+" ×", over.Values[i]/under.Values[i])
				}
			}
		}
	}
}

// median is the middle value, or the mean of the two in the middle.
func (m *Measure) median() float64 {
	sorted := slices.Sorted(slices.Values(m.Values))
	n := len(sorted)
	if n == 0 {
		return 0
	}
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

func (m *Measure) least() float64    { return slices.Min(m.Values) }
func (m *Measure) greatest() float64 { return slices.Max(m.Values) }
