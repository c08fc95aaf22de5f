// Package chart draws charts as SVG: bars beside each other, and lines over
// steps. They are readable on light and on dark pages.
package chart

import (
	"fmt"
	"html"
	"math"
	"strconv"
	"strings"
)

// colours are for series, chosen to be told apart on light and dark ground and
// by people who do not see all colours alike.
var colours = []string{"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b58900"}

const (
	textSize  = 13
	titleSize = 15
	margin    = 16
)

// style gives a drawing its colours, by what the reader's system prefers.
const style = `<style>
text { font: 13px system-ui, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328; }
.title { font-size: 15px; font-weight: 600; }
.ground { fill: #ffffff; }
.line { stroke: #1f2328; stroke-width: 1; }
.grid { stroke: #d1d9e0; stroke-width: 1; }
.faint { fill: #59636e; }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc; }
.line { stroke: #f0f6fc; }
.ground { fill: #0d1117; }
.grid { stroke: #3d444d; }
.faint { fill: #9198a1; }
}
</style>
`

// drawing is an SVG that is being written.
type drawing struct {
	text          strings.Builder
	width, height float64
}

func newDrawing(title string, width, height float64) *drawing {
	d := &drawing{width: width, height: height}
	fmt.Fprintf(&d.text, `<svg xmlns="http://www.w3.org/2000/svg" width="%s" height="%s" viewBox="0 0 %s %s" role="img" aria-label="%s">`+"\n",
		figure(width), figure(height), figure(width), figure(height), html.EscapeString(title))
	fmt.Fprintf(&d.text, "<title>%s</title>\n%s", html.EscapeString(title), style)
	fmt.Fprintf(&d.text, `<rect class="ground" width="%s" height="%s" rx="6"/>`+"\n", figure(width), figure(height))
	return d
}

func (d *drawing) end() []byte {
	d.text.WriteString("</svg>\n")
	return []byte(d.text.String())
}

// write puts text at a place. anchor is start, middle or end.
func (d *drawing) write(x, y float64, anchor, class, text string) {
	fmt.Fprintf(&d.text, `<text x="%s" y="%s" text-anchor="%s" class="%s">%s</text>`+"\n", figure(x), figure(y), anchor, class, html.EscapeString(text))
}

func (d *drawing) line(x1, y1, x2, y2 float64, class string) {
	fmt.Fprintf(&d.text, `<line x1="%s" y1="%s" x2="%s" y2="%s" class="%s"/>`+"\n", figure(x1), figure(y1), figure(x2), figure(y2), class)
}

func (d *drawing) bar(x, y, width, height float64, colour string) {
	fmt.Fprintf(&d.text, `<rect x="%s" y="%s" width="%s" height="%s" rx="2" fill="%s"/>`+"\n", figure(x), figure(y), figure(max(width, 0.5)), figure(height), colour)
}

// figure writes a coordinate.
func figure(v float64) string {
	return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64)
}

// widthOf is about how wide text is.
func widthOf(text string) float64 { return float64(len([]rune(text))) * textSize * 0.56 }

// ticks are round values from 0 to at least top, few of them.
func ticks(top float64) []float64 {
	if top <= 0 || math.IsInf(top, 0) || math.IsNaN(top) {
		top = 1
	}
	const most = 5
	raw := top / most
	power := math.Pow(10, math.Floor(math.Log10(raw)))
	step := 10 * power
	for _, m := range []float64{1, 2, 2.5, 5} {
		if m*power >= raw*0.999999 {
			step = m * power
			break
		}
	}
	list := []float64{0}
	for i := 1; list[len(list)-1] < top*0.999999; i++ {
		list = append(list, float64(i)*step)
	}
	return list
}

// decades are powers of ten around values, for a scale on which each is as far
// from the next.
func decades(low, high float64) []float64 {
	if low <= 0 || high < low {
		return []float64{1, 10}
	}
	first, last := math.Floor(math.Log10(low)+1e-9), math.Ceil(math.Log10(high)-1e-9)
	if last == first {
		last++
	}
	var list []float64
	for e := first; e <= last; e++ {
		list = append(list, math.Pow(10, e))
	}
	return list
}

// short writes a value with few characters: 1.5M, 20k, 0.02.
func short(v float64) string {
	switch a := math.Abs(v); {
	case a >= 1e6:
		return trim(v/1e6, 2) + "M"
	case a >= 1e4:
		return trim(v/1e3, 1) + "k"
	case a >= 100:
		return trim(v, 0)
	case a >= 1 || a == 0:
		return trim(v, 2)
	}
	return strconv.FormatFloat(v, 'g', 2, 64)
}

func trim(v float64, digits int) string {
	text := strconv.FormatFloat(v, 'f', digits, 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text
}
