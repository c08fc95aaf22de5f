package chart

// Bar is one value with its range.
type Bar struct {
	Name      string
	Value     float64
	Low, High float64 // both 0: no range is drawn

	// Other has it drawn in the second colour, for what it is compared with.
	Other bool
}

// Bars draws values as bars below each other, longest where the value is the
// greatest.
func Bars(title, unit string, bars []Bar) []byte {
	const barHeight, pitch, width = 20, 34, 720
	left, top := 0.0, 1e-300
	for _, b := range bars {
		left = max(left, widthOf(b.Name))
		top = max(top, b.Value, b.High)
	}
	left = min(left, 320) + 2*margin
	right := width - margin - widthOf("9,999,999") - 8
	y := float64(margin + titleSize)
	d := newDrawing(title, width, y+margin+float64(len(bars))*pitch+textSize+margin)
	d.write(margin, y, "start", "title", title)
	y += margin
	scale := (right - left) / top
	for _, b := range bars {
		middle := y + barHeight/2
		d.write(left-10, middle+textSize*0.35, "end", "", b.Name)
		colour := colours[0]
		if b.Other {
			colour = "#8c959f"
		}
		d.bar(left, y, b.Value*scale, barHeight, colour)
		end := b.Value
		if b.High > b.Low {
			end = max(end, b.High)
			d.line(left+b.Low*scale, middle, left+b.High*scale, middle, "line")
			for _, edge := range []float64{b.Low, b.High} {
				d.line(left+edge*scale, middle-4, left+edge*scale, middle+4, "line")
			}
		}
		d.write(left+end*scale+8, middle+textSize*0.35, "start", "", short(b.Value))
		y += pitch
	}
	d.write(left, y+4, "start", "faint", unit)
	return d.end()
}
