package settings

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// timeline are counts in slots of equal length.
type timeline struct {
	from  time.Time
	slot  time.Duration
	slots []sender.Counts
}

// timelineOf sorts points into slots. Those outside are passed over.
func timelineOf(points []sender.StatsPoint, from time.Time, slot time.Duration, n int) timeline {
	t := timeline{from, slot, make([]sender.Counts, n)}
	t.add(points)
	return t
}

func (t timeline) add(points []sender.StatsPoint) {
	for i := range points {
		at := int(points[i].Start.Sub(t.from) / t.slot)
		if at >= 0 && at < len(t.slots) && !points[i].Start.Before(t.from) {
			t.slots[at].Add(&points[i].Counts)
		}
	}
}

// most is the largest number of attempts in a slot.
func (t timeline) most() (most int64) {
	for i := range t.slots {
		most = max(most, t.slots[i].Attempts)
	}
	return most
}

// The sizes that charts are drawn in. They are stretched to the room there is.
const (
	chartWidth  = 1000.0
	chartHeight = 200.0
	sparkHeight = 24.0
)

// stacked draws bars: at the bottom what was delivered, above it what was not.
func (t timeline) stacked(width, height, most float64) (good, bad string) {
	var g, b strings.Builder
	each := width / float64(len(t.slots))
	gap := min(each*0.2, width/300)
	for i := range t.slots {
		c := &t.slots[i]
		if c.Attempts == 0 {
			continue
		}
		x, w := float64(i)*each+gap/2, each-gap
		top := height
		bar := func(to *strings.Builder, n int64) {
			if n <= 0 {
				return
			}
			h := max(float64(n)/most*height, height/100) // so that one among many is seen
			top -= h
			fmt.Fprintf(to, "M%s %sh%sv%sh-%sz", coordinate(x), coordinate(max(top, 0)), coordinate(w), coordinate(h), coordinate(w))
		}
		bar(&g, c.Succeeded)
		bar(&b, c.Attempts-c.Succeeded)
	}
	return g.String(), b.String()
}

// coordinate writes a number with as many digits as can be seen.
func coordinate(f float64) string {
	s := fmt.Sprintf("%.1f", f)
	return strings.TrimSuffix(s, ".0")
}

// spark is a chart of a few pixels.
type spark struct {
	Good, Bad, Label string
}

func (t timeline) spark() *spark {
	most := t.most()
	if most == 0 {
		return nil
	}
	s := new(spark)
	s.Good, s.Bad = t.stacked(chartWidth/10, sparkHeight, float64(most))
	s.Label = fmt.Sprintf("attempts in each of the last %d hours, at most %s in one", len(t.slots), countText(most))
	return s
}

// chart is a chart with its axes.
type chart struct {
	Lines  []chartLine
	Marks  []chartMark // of the vertical axis, from the top
	Labels []string    // of the horizontal axis, from the left
	Hits   []chartHit
}

// chartLine is one path of a chart.
type chartLine struct {
	Kind, Path string
}

// chartMark is a value of the vertical axis, with its height.
type chartMark struct {
	Y, Text string
}

// chartHit is what is told of a slot that is pointed at.
type chartHit struct {
	X, Width, Text string
}

// volume charts how many attempts there were and what became of them.
func (t timeline) volume() *chart {
	top := niceTop(t.most())
	good, bad := t.stacked(chartWidth, chartHeight, float64(top))
	c := &chart{Lines: []chartLine{{"good", good}, {"bad", bad}}, Labels: t.labels()}
	for _, part := range []int64{2, 1, 0} {
		if n := top * part / 2; part != 1 || top%2 == 0 {
			c.Marks = append(c.Marks, chartMark{coordinate(chartHeight - float64(part)*chartHeight/2), countText(n)})
		}
	}
	c.Hits = t.hits(func(s *sender.Counts) string {
		return fmt.Sprintf("%s attempts, %s succeeded", countText(s.Attempts), countText(s.Succeeded))
	})
	return c
}

// niceTop is a round number that is not below n.
func niceTop(n int64) int64 {
	for step := int64(1); ; step *= 10 {
		for _, m := range []int64{2, 4, 6, 10} {
			if m*step >= n || step > math.MaxInt64/100 {
				return max(m*step, n)
			}
		}
	}
}

// The bounds of durations in charts, whose axis is logarithmic.
const (
	fastest = time.Millisecond
	slowest = 100 * time.Second
)

// latency charts percentiles of how long attempts took.
func (t timeline) latency() *chart {
	y := func(d time.Duration) float64 {
		d = min(max(d, fastest), slowest)
		return chartHeight - chartHeight*math.Log(float64(d)/float64(fastest))/math.Log(float64(slowest)/float64(fastest))
	}
	c := &chart{Labels: t.labels()}
	for _, line := range percentiles {
		c.Lines = append(c.Lines, chartLine{line.name, t.steps(func(s *sender.Counts) float64 { return y(time.Duration(s.Percentile(line.share))) })})
	}
	for _, d := range []time.Duration{slowest, 10 * time.Second, time.Second, 100 * time.Millisecond, 10 * time.Millisecond, time.Millisecond} {
		text := webhook.Duration(d).String()
		if d == slowest {
			text = "100s" // which is not a minute and something on this axis
		}
		c.Marks = append(c.Marks, chartMark{coordinate(y(d)), text})
	}
	c.Hits = t.hits(func(s *sender.Counts) string {
		return fmt.Sprintf("half within %s, 95 %% within %s, 99 %% within %s", took(s.Percentile(0.5)), took(s.Percentile(0.95)), took(s.Percentile(0.99)))
	})
	return c
}

var percentiles = []struct {
	name  string
	share float64
}{{"p50", 0.50}, {"p95", 0.95}, {"p99", 0.99}}

// steps draws a line that is level within a slot and broken where there were no
// attempts.
func (t timeline) steps(y func(*sender.Counts) float64) string {
	var b strings.Builder
	each := chartWidth / float64(len(t.slots))
	drawing := false
	for i := range t.slots {
		if t.slots[i].Attempts == 0 {
			drawing = false
			continue
		}
		if at := coordinate(y(&t.slots[i])); drawing {
			b.WriteString("V" + at)
		} else {
			b.WriteString("M" + coordinate(float64(i)*each) + " " + at)
		}
		b.WriteString("H" + coordinate(float64(i+1)*each))
		drawing = true
	}
	return b.String()
}

// hits say what each slot holds.
func (t timeline) hits(text func(*sender.Counts) string) (list []chartHit) {
	each := chartWidth / float64(len(t.slots))
	for i := range t.slots {
		if t.slots[i].Attempts == 0 {
			continue
		}
		list = append(list, chartHit{coordinate(float64(i) * each), coordinate(each), t.name(i) + ": " + text(&t.slots[i])})
	}
	return list
}

// name is when a slot is.
func (t timeline) name(i int) string {
	start := t.from.Add(time.Duration(i) * t.slot)
	if t.slot >= 24*time.Hour {
		return start.Format("2 Jan")
	}
	if t.slot*time.Duration(len(t.slots)) <= 24*time.Hour {
		return start.Format("15:04")
	}
	return start.Format("2 Jan 15:04")
}

// labels are those of a few slots at equal distances.
func (t timeline) labels() (list []string) {
	const parts = 4
	for i := range parts {
		list = append(list, t.name(i*len(t.slots)/parts))
	}
	return append(list, "now")
}

// tableRow is a slot as those read it who do not see the chart.
type tableRow struct {
	Name                      string
	Attempts, Succeeded, Lost string
	P50, P95, P99             string
}

// table is the timeline without slots in which nothing was.
func (t timeline) table() (rows []tableRow) {
	for i := range t.slots {
		if c := &t.slots[i]; c.Attempts > 0 {
			rows = append(rows, tableRow{
				t.name(i), countText(c.Attempts), countText(c.Succeeded), countText(c.Attempts - c.Succeeded),
				took(c.Percentile(0.5)), took(c.Percentile(0.95)), took(c.Percentile(0.99)),
			})
		}
	}
	return rows
}
