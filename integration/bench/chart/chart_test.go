package chart

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// element is one of a drawing.
type element struct {
	name  string
	attrs map[string]string
	text  string
}

// elements reads a drawing, which must be well-formed XML.
func elements(t *testing.T, svg []byte) (list []*element) {
	t.Helper()
	decoder := xml.NewDecoder(bytes.NewReader(svg))
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return list
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, svg)
		}
		switch token := token.(type) {
		case xml.StartElement:
			e := &element{name: token.Name.Local, attrs: make(map[string]string)}
			for _, a := range token.Attr {
				e.attrs[a.Name.Local] = a.Value
			}
			list = append(list, e)
		case xml.CharData:
			if len(list) > 0 {
				list[len(list)-1].text += string(token)
			}
		}
	}
}

// number is an attribute's.
func (e *element) number(t *testing.T, name string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(e.attrs[name], 64)
	if err != nil {
		t.Fatalf("%s has %s=%q", e.name, name, e.attrs[name])
	}
	return v
}

// texts are the texts that are shown.
func texts(list []*element) (shown []string) {
	for _, e := range list {
		if e.name == "text" {
			shown = append(shown, strings.TrimSpace(e.text))
		}
	}
	return shown
}

// inside checks that nothing begins or ends outside of the drawing.
func inside(t *testing.T, list []*element) {
	t.Helper()
	width, height := list[0].number(t, "width"), list[0].number(t, "height")
	for _, e := range list[1:] {
		for _, x := range []string{"x", "x1", "x2", "cx"} {
			if e.attrs[x] != "" && (e.number(t, x) < 0 || e.number(t, x) > width) {
				t.Errorf("%s %q begins at %s of %v", e.name, e.text, e.attrs[x], width)
			}
		}
		for _, y := range []string{"y", "y1", "y2", "cy"} {
			if e.attrs[y] != "" && (e.number(t, y) < 0 || e.number(t, y) > height) {
				t.Errorf("%s %q begins at %s of %v", e.name, e.text, e.attrs[y], height)
			}
		}
	}
}

func TestBars(t *testing.T) {
	svg := Bars("Speed & <cost>", "events/s", []Bar{
		{Name: "one", Value: 1000, Low: 900, High: 1200},
		{Name: "half", Value: 500, Low: 500, High: 500, Other: true},
		{Name: "none"},
	})
	list := elements(t, svg)
	inside(t, list)
	want := []string{"Speed & <cost>", "one", "1000", "half", "500", "none", "0", "events/s"}
	if diff := cmp.Diff(want, texts(list)); diff != "" {
		t.Error(diff)
	}
	var widths []float64
	for _, e := range list {
		if e.name == "rect" && e.attrs["class"] == "" {
			widths = append(widths, e.number(t, "width"))
		}
	}
	if len(widths) != 3 || math.Abs(widths[0]/widths[1]-2) > 0.01 || widths[2] > 1 {
		t.Errorf("the bars are %v wide", widths)
	}
}

// TestReadableOnDarkPages checks that the colours of text and ground change
// together.
func TestReadableOnDarkPages(t *testing.T) {
	light, dark, found := strings.Cut(style, "prefers-color-scheme: dark")
	if !found {
		t.Fatal("dark pages are not thought of")
	}
	for _, class := range []string{"text {", ".ground {", ".line {", ".grid {", ".faint {"} {
		if !strings.Contains(light, class) || !strings.Contains(dark, class) {
			t.Errorf("%s does not have a colour of its own on light and on dark pages", class)
		}
	}
	for _, svg := range [][]byte{Bars("", "", nil), Panels("")} {
		if !bytes.Contains(svg, []byte(style)) {
			t.Error("a drawing does without the style")
		}
	}
}

func TestPanels(t *testing.T) {
	steps := []string{"1", "10", "100"}
	list := elements(t, Panels("Growth",
		Panel{Title: "speed", Steps: steps, Axis: "endpoints", Series: []Series{{"speed", []float64{10, 5, 0}}}},
		Panel{Steps: steps, Axis: "endpoints", Log: true, Series: []Series{{"p50", []float64{1, math.NaN(), 100}}, {"p99", []float64{10, 100, 1000}}}},
		Panel{Title: "one", Steps: steps[:1], Series: []Series{{"one", []float64{1}}}},
	))
	inside(t, list)
	var points [][2]float64
	for _, e := range list {
		if e.name == "circle" {
			points = append(points, [2]float64{e.number(t, "cx"), e.number(t, "cy")})
		}
		if e.name == "path" && strings.Contains(e.attrs["d"], "NaN") {
			t.Errorf("the path %s", e.attrs["d"])
		}
	}
	if len(points) != 3+2+3+1 {
		t.Fatalf("there are %d points", len(points))
	}
	// On an even scale the middle of the values is in the middle.
	if p := points[:3]; math.Abs(p[1][1]-(p[0][1]+p[2][1])/2) > 0.2 || p[0][1] > p[2][1] || math.Abs(p[1][0]-(p[0][0]+p[2][0])/2) > 0.2 {
		t.Errorf("the points of an even scale are %v", p)
	}
	// On a scale of powers of ten each is as far from the next.
	if p := points[5:8]; math.Abs(p[1][1]-(p[0][1]+p[2][1])/2) > 0.2 || p[0][1] < p[2][1] {
		t.Errorf("the points of a scale of powers of ten are %v", p)
	}
	// Both lines of a panel have the same scale.
	if points[4][1] != points[6][1] {
		t.Errorf("100 is at %v and at %v", points[4][1], points[6][1])
	}
	for _, want := range []string{"Growth", "speed", "p50", "p99", "endpoints", "100"} {
		if !strings.Contains(strings.Join(texts(list), "\n"), want) {
			t.Errorf("%q is not shown", want)
		}
	}
}

func TestScales(t *testing.T) {
	approx := cmpopts.EquateApprox(1e-9, 0)
	for _, tt := range []struct {
		top  float64
		want []float64
	}{
		{10, []float64{0, 2, 4, 6, 8, 10}},
		{0.3, []float64{0, 0.1, 0.2, 0.3}},
		{1001, []float64{0, 250, 500, 750, 1000, 1250}},
		{42, []float64{0, 10, 20, 30, 40, 50}},
		{0, []float64{0, 0.2, 0.4, 0.6, 0.8, 1}},
	} {
		if diff := cmp.Diff(tt.want, ticks(tt.top), approx); diff != "" {
			t.Errorf("up to %v: %s", tt.top, diff)
		}
	}
	for _, tt := range []struct {
		low, high float64
		want      []float64
	}{
		{1, 1000, []float64{1, 10, 100, 1000}},
		{0.5, 20, []float64{0.1, 1, 10, 100}},
		{10, 10, []float64{10, 100}},
		{0, 5, []float64{1, 10}},
	} {
		if diff := cmp.Diff(tt.want, decades(tt.low, tt.high), approx); diff != "" {
			t.Errorf("from %v to %v: %s", tt.low, tt.high, diff)
		}
	}
}

func TestShort(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 0.02: "0.02", 1.5: "1.5", 12: "12", 999.6: "1000", 2500: "2500", 20_000: "20k", 12_345: "12.3k", 1_500_000: "1.5M"} {
		if got := short(v); got != want {
			t.Errorf("%v is written %s, want %s", v, got, want)
		}
	}
}
