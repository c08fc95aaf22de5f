package main

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// header names the columns of a result's table: the case, and every measure
// that any case has, in the order in which they came up.
func (r *Result) header() (names []string) {
	seen := make(map[string]bool)
	for _, c := range r.Cases {
		for _, m := range c.Measures {
			if !seen[m.Name] {
				seen[m.Name] = true
				names = append(names, m.Name)
			}
		}
	}
	return names
}

// grid is the table of a result as text, with its header.
func (r *Result) grid() [][]string {
	names := r.header()
	first := ""
	if r.Axis != "" {
		first = r.Axis
	}
	grid := [][]string{append([]string{first}, names...)}
	for _, c := range r.Cases {
		line := []string{c.Name}
		for _, name := range names {
			line = append(line, c.measure(name).String())
		}
		grid = append(grid, line)
	}
	return grid
}

// String is the median with the range of the rounds.
func (m *Measure) String() string {
	if m == nil || len(m.Values) == 0 {
		return ""
	}
	middle := number(m.median())
	low, high := number(m.least()), number(m.greatest())
	if low == high {
		return middle
	}
	return fmt.Sprintf("%s (%s–%s)", middle, low, high)
}

// number writes a value with three figures, or all that are before the point.
func number(v float64) string {
	if v == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return fmt.Sprint(v)
	}
	digits := 2 - int(math.Floor(math.Log10(math.Abs(v))))
	text := fmt.Sprintf("%.*f", max(digits, 0), v)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return thousands(text)
}

// thousands puts commas between the digits before the point.
func thousands(text string) string {
	sign := ""
	if strings.HasPrefix(text, "-") {
		sign, text = "-", text[1:]
	}
	whole, rest, found := strings.Cut(text, ".")
	if found {
		rest = "." + rest
	}
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	return sign + whole + rest
}

// plainTable is the table for a terminal, turned on its side.
func (r *Result) plainTable() string { return plain(transpose(r.grid())) }

// plain is a table with spaces between its columns.
func plain(grid [][]string) string {
	widths := make([]int, len(grid[0]))
	for _, line := range grid {
		for i, cell := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var text strings.Builder
	for _, line := range grid {
		for i, cell := range line {
			text.WriteString("  " + cell)
			if i < len(line)-1 {
				text.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)))
			}
		}
		text.WriteByte('\n')
	}
	return text.String()
}

// markdownTable is the table for a document.
func (r *Result) markdownTable() string {
	if r.Axis == "" {
		return markdown(transpose(r.grid()))
	}
	return markdown(r.grid())
}

// markdown is a table whose first line is its header.
func markdown(grid [][]string) string {
	var text strings.Builder
	for i, line := range grid {
		text.WriteString("| " + strings.Join(line, " | ") + " |\n")
		if i == 0 {
			text.WriteString(strings.Repeat("|---", len(line)) + "|\n")
		}
	}
	return text.String()
}

func transpose(grid [][]string) [][]string {
	turned := make([][]string, len(grid[0]))
	for i := range turned {
		for _, line := range grid {
			turned[i] = append(turned[i], line[i])
		}
	}
	return turned
}
