package chart

import (
	"math"
)

// Series is a line: one value for each step. NaN leaves one out.
type Series struct {
	Name   string
	Values []float64
}

// Panel is one set of axes with its lines.
type Panel struct {
	Title  string
	Steps  []string // along the axis, evenly spaced
	Axis   string   // what the steps are
	Series []Series

	// Log has the values on a scale of powers of ten. All must be above 0.
	Log bool
}

const (
	chartWidth  = 720
	panelHeight = 270
	legendPitch = 18
)

// Panels draws panels, two beside each other, or a single one over the whole
// width.
func Panels(title string, panels ...Panel) []byte {
	columns := max(min(len(panels), 2), 1)
	rows := (len(panels) + columns - 1) / columns
	width := float64(chartWidth-margin) / float64(columns)
	head := float64(margin + titleSize + 8)
	d := newDrawing(title, chartWidth, head+float64(rows*panelHeight)+margin)
	d.write(margin, margin+titleSize, "start", "title", title)
	for i := range panels {
		panels[i].draw(d, float64(i%columns)*width, head+float64(i/columns*panelHeight), width)
	}
	return d.end()
}

// draw draws the panel with its upper left corner at a place.
func (p *Panel) draw(d *drawing, x, y, width float64) {
	top := y + 24
	if p.Title != "" {
		d.write(x+margin, top, "start", "", p.Title)
		top += legendPitch + 4
	}
	if len(p.Series) > 1 {
		for i, s := range p.Series {
			d.bar(x+margin, top-10, 10, 10, colours[i%len(colours)])
			d.write(x+margin+16, top, "start", "faint", s.Name)
			top += legendPitch
		}
	}
	bottom, left, right := y+panelHeight-48, x+margin+46, x+width-margin
	marks, place := p.scale(bottom, top)
	for _, m := range marks {
		d.line(left, place(m), right, place(m), "grid")
		d.write(left-6, place(m)+textSize*0.35, "end", "faint", short(m))
	}
	along := func(i int) float64 {
		if len(p.Steps) < 2 {
			return (left + right) / 2
		}
		return left + 12 + float64(i)*(right-left-24)/float64(len(p.Steps)-1)
	}
	for i, s := range p.Steps {
		d.write(along(i), bottom+18, "middle", "faint", s)
	}
	d.write((left+right)/2, bottom+36, "middle", "faint", p.Axis)
	for i, s := range p.Series {
		p.curve(d, s, colours[i%len(colours)], along, place)
	}
}

// curve draws a line with a point at each value.
func (p *Panel) curve(d *drawing, s Series, colour string, along func(int) float64, place func(float64) float64) {
	path, pen := "", "M"
	for i, v := range s.Values {
		if math.IsNaN(v) {
			pen = "M"
			continue
		}
		path += pen + figure(along(i)) + " " + figure(place(v))
		pen = "L"
		d.text.WriteString(`<circle cx="` + figure(along(i)) + `" cy="` + figure(place(v)) + `" r="3.5" fill="` + colour + `"/>` + "\n")
	}
	d.text.WriteString(`<path d="` + path + `" fill="none" stroke="` + colour + `" stroke-width="2"/>` + "\n")
}

// scale is where values stand, from bottom to top, and which are marked.
func (p *Panel) scale(bottom, top float64) (marks []float64, place func(float64) float64) {
	low, high := math.Inf(1), 0.0
	for _, s := range p.Series {
		for _, v := range s.Values {
			if !math.IsNaN(v) {
				low, high = min(low, v), max(high, v)
			}
		}
	}
	if p.Log && low > 0 && !math.IsInf(low, 1) {
		marks = decades(low, high)
		first, last := math.Log10(marks[0]), math.Log10(marks[len(marks)-1])
		return marks, func(v float64) float64 { return bottom - (math.Log10(v)-first)/(last-first)*(bottom-top) }
	}
	marks = ticks(high)
	last := marks[len(marks)-1]
	return marks, func(v float64) float64 { return bottom - v/last*(bottom-top) }
}
