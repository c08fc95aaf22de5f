package main

import (
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/manysends/caddy-webhooks/integration/bench/chart"
	"github.com/manysends/caddy-webhooks/integration/bench/load"
)

// plotted are the percentiles that are shown as a line.
var plotted = []struct {
	name string
	at   float64
}{{"50 %", 0.5}, {"75 %", 0.75}, {"90 %", 0.9}, {"95 %", 0.95}, {"99 %", 0.99}, {"99.9 %", 0.999}, {"all", 1}}

// percentilesOf are the plotted percentiles in milliseconds.
func percentilesOf(h *load.Histogram) (list []float64) {
	for _, p := range plotted {
		list = append(list, milliseconds(h.Quantile(p.at)))
	}
	return list
}

// plot is a picture of a result.
type plot struct {
	name string // of its file
	alt  string
	svg  []byte
}

// plots are the pictures of a result.
func (r *Result) plots() (list []plot) {
	if r.Axis != "" {
		return append(list, plot{r.Row + ".svg", r.Title, r.growthPlot()})
	}
	for i, name := range rowOf(r.Row).bars {
		file := r.Row + ".svg"
		if i > 0 {
			file = r.Row + "-cost.svg"
		}
		list = append(list, plot{file, r.Title + ": " + name, r.barPlot(name)})
	}
	if svg := r.percentilePlot(); svg != nil {
		list = append(list, plot{r.Row + "-percentiles.svg", r.Title + ": percentiles", svg})
	}
	return list
}

func (r *Result) barPlot(name string) []byte {
	var bars []chart.Bar
	for _, c := range r.Cases {
		if m := c.measure(name); m != nil {
			bars = append(bars, chart.Bar{Name: c.Name, Value: m.median(), Low: m.least(), High: m.greatest(), Other: c.Name == r.Baseline})
		}
	}
	if r.Row == "publish" {
		bars = append(bars, peersOf(name)...)
	}
	return chart.Bars(r.Title, name, bars)
}

// percentilePlot shows how latencies are spread, or is nil if there are none.
func (r *Result) percentilePlot() []byte {
	p := chart.Panel{Title: "ms that so many took at most", Axis: "of all", Log: true}
	for _, step := range plotted {
		p.Steps = append(p.Steps, step.name)
	}
	for _, c := range r.Cases {
		if len(c.Percentiles) == len(plotted) && c.Percentiles[0] > 0 {
			p.Series = append(p.Series, chart.Series{Name: c.Name, Values: c.Percentiles})
		}
	}
	if len(p.Series) == 0 {
		return nil
	}
	return chart.Panels(r.Title, p)
}

// shorten has the names of steps fit below their axis.
var shorten = strings.NewReplacer(",000,000", "M", ",000", "k")

// growthPlot shows the measures of a growth row over its axis.
func (r *Result) growthPlot() []byte {
	var steps []string
	for _, c := range r.Cases {
		steps = append(steps, shorten.Replace(c.Name))
	}
	var panels []chart.Panel
	for _, names := range [][]string{
		{"deliveries/s", "delivered/s beside"}, {cost}, {"resident MiB", "resident MiB after a start"}, {"delivered p50, ms", "delivered p99, ms"}, {"start to first delivery, ms"},
	} {
		p := chart.Panel{Steps: steps, Axis: r.Axis, Log: len(names) == 2 && names[0] == "delivered p50, ms"}
		for _, name := range names {
			if values, found := r.medians(name); found {
				p.Series = append(p.Series, chart.Series{Name: name, Values: values})
			}
		}
		if len(p.Series) == 0 {
			continue
		}
		p.Title = p.Series[0].Name
		if len(p.Series) > 1 {
			p.Title = ""
		}
		panels = append(panels, p)
	}
	return chart.Panels(r.Title, panels...)
}

// medians are those of a measure for each case; found tells that there is any.
func (r *Result) medians(name string) (values []float64, found bool) {
	for _, c := range r.Cases {
		m := c.measure(name)
		if m == nil {
			values = append(values, math.NaN())
			continue
		}
		values, found = append(values, m.median()), true
	}
	return values, found
}

// writePlots writes all pictures of a report into a folder.
func (r *Report) writePlots(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // pictures are for everybody
		return err
	}
	for _, result := range r.Results {
		for _, p := range result.plots() {
			if err := os.WriteFile(filepath.Join(dir, p.name), p.svg, 0o644); err != nil { //nolint:gosec // pictures are for everybody
				return err
			}
		}
	}
	return nil
}
