package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// measured is a result to be shown.
func measured() *Result {
	r := &Result{Row: "publish", Title: "Speed", Says: "As fast as it can.", Baseline: "bare"}
	for i, v := range []float64{1000, 3000, 2000} {
		r.of("bare").add("delivered/s", v)
		r.of("sender").add("delivered/s", v/float64(2+2*(i%2)))
		r.of("sender").add("resident MiB", 90)
	}
	r.compare("delivered/s", "resident MiB")
	return r
}

func TestTables(t *testing.T) {
	want := [][]string{
		{"", "delivered/s", "resident MiB", "delivered/s ×"},
		{"bare", "2,000 (1,000–3,000)", "", ""},
		{"sender", "750 (500–1,000)", "90", "0.5 (0.25–0.5)"},
	}
	r := measured()
	if diff := cmp.Diff(want, r.grid()); diff != "" {
		t.Error(diff)
	}
	const plain = `                 bare                 sender
  delivered/s    2,000 (1,000–3,000)  750 (500–1,000)
  resident MiB                        90
  delivered/s ×                       0.5 (0.25–0.5)
`
	if diff := cmp.Diff(plain, r.plainTable()); diff != "" {
		t.Error(diff)
	}
	const document = `|  | bare | sender |
|---|---|---|
| delivered/s | 2,000 (1,000–3,000) | 750 (500–1,000) |
| resident MiB |  | 90 |
| delivered/s × |  | 0.5 (0.25–0.5) |
`
	if diff := cmp.Diff(document, r.markdownTable()); diff != "" {
		t.Error(diff)
	}
	r.Axis = "endpoints"
	if first, _, _ := strings.Cut(r.markdownTable(), "\n"); first != "| endpoints | delivered/s | resident MiB | delivered/s × |" {
		t.Errorf("with an axis the table begins with %s", first)
	}
}

func TestNumbers(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 1: "1", 1.2345: "1.23", 12.3: "12.3", 123.4: "123", 1234.5: "1,234", 1_000_000: "1,000,000",
		0.001234: "0.00123", 0.5: "0.5", -1234567: "-1,234,567", 99.96: "100",
	} {
		if got := number(v); got != want {
			t.Errorf("%v is written %s, want %s", v, got, want)
		}
	}
}

func TestMedian(t *testing.T) {
	for _, tt := range []struct {
		values []float64
		want   float64
	}{{nil, 0}, {[]float64{7}, 7}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 2, 9}, 3}} {
		if got := (&Measure{Values: tt.values}).median(); got != tt.want {
			t.Errorf("the median of %v is %v, want %v", tt.values, got, tt.want)
		}
	}
}
