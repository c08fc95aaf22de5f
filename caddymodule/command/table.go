package command

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// column is one of a table.
type column struct {
	title string

	// least is down to how many columns of the terminal the text may be cut
	// where it is too narrow. 0: it is never cut, because it is copied.
	least int

	// optional columns are left out as long as they hold nothing.
	optional bool
}

// cell is one field of a table.
type cell struct {
	text   string
	colour colour
}

// state is a cell with a word that has a colour.
func state(word string) cell { return cell{word, colourOf(word)} }

// table is written row by row, aligned. A column keeps the greatest width that
// it has had.
type table struct {
	columns  []column
	headless bool // there are no titles
	widths   []int
	shown    []bool
	headed   bool
}

// gap is between columns.
const gap = 2

// rows writes rows that belong together.
func (t *table) rows(s *screen, rows ...[]cell) {
	if len(rows) == 0 {
		return
	}
	if t.widths == nil {
		t.widths, t.shown = make([]int, len(t.columns)), make([]bool, len(t.columns))
	}
	for i, c := range t.columns {
		before := t.shown[i]
		t.shown[i] = before || !c.optional
		for j := range rows {
			rows[j][i].text = printable(rows[j][i].text)
			t.widths[i] = max(t.widths[i], columnsOf(rows[j][i].text))
			t.shown[i] = t.shown[i] || rows[j][i].text != ""
		}
		t.widths[i] = max(t.widths[i], columnsOf(c.title))
		if t.shown[i] != before {
			t.headed = false
		}
	}
	widths := t.fitting(s.width)
	if !t.headed && !t.headless {
		t.headed = true
		head := make([]cell, len(t.columns))
		for i, c := range t.columns {
			head[i] = cell{c.title, bold}
		}
		t.row(s, widths, head)
	}
	for _, row := range rows {
		t.row(s, widths, row)
	}
}

// fitting are the widths that fit into those of the terminal, as far as the
// columns may be cut, the last ones first.
func (t *table) fitting(terminal int) []int {
	widths := append([]int(nil), t.widths...)
	if terminal == 0 {
		return widths
	}
	total := -gap
	for i, w := range widths {
		if t.shown[i] {
			total += w + gap
		}
	}
	for i := len(widths) - 1; i >= 0 && total > terminal; i-- {
		c := t.columns[i]
		if !t.shown[i] || c.least == 0 || widths[i] <= c.least {
			continue
		}
		cut := min(total-terminal, widths[i]-c.least)
		widths[i] -= cut
		total -= cut
	}
	return widths
}

func (t *table) row(s *screen, widths []int, row []cell) {
	var b strings.Builder
	for i, c := range row {
		if !t.shown[i] {
			continue
		}
		text := cutTo(c.text, widths[i])
		b.WriteString(s.paint(text, c.colour))
		b.WriteString(strings.Repeat(" ", widths[i]-columnsOf(text)+gap))
	}
	s.write(strings.TrimRight(b.String(), " ") + "\n")
}

// cutTo cuts printable text to a number of columns.
func cutTo(s string, columns int) string {
	if columnsOf(s) <= columns {
		return s
	}
	used := 0
	for i, r := range s {
		used += columnsOfRune(r)
		if used > columns-1 {
			return s[:i] + "…"
		}
	}
	return s
}

// columnsOf is how many columns of a terminal printable text takes.
func columnsOf(s string) (columns int) {
	for _, r := range s {
		columns += columnsOfRune(r)
	}
	return columns
}

func columnsOfRune(r rune) int {
	switch {
	case r < utf8.RuneSelf:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}
