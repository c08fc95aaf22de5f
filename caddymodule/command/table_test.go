package command

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestTable lays out rows, for a terminal of several widths and for a file.
func TestTable(t *testing.T) {
	for _, tt := range []struct {
		name    string
		width   int
		colours bool
		want    string
	}{
		{"file", 0, false, `
ID      STATE   WHY
dlv_1   failed  the endpoint answered 500
dlv_12  ok      日本 \x1b[2J
`},
		{"wide", 80, false, `
ID      STATE   WHY
dlv_1   failed  the endpoint answered 500
dlv_12  ok      日本 \x1b[2J
`},
		{"narrow", 26, false, `
ID      STATE   WHY
dlv_1   failed  the endpo…
dlv_12  ok      日本 \x1b…
`},
		{"too narrow for anything", 5, false, `
ID      STATE   WHY
dlv_1   failed  the e…
dlv_12  ok      日本 …
`},
		{"colours", 80, true, `
` + "\x1b[1mID\x1b[0m      \x1b[1mSTATE\x1b[0m   \x1b[1mWHY\x1b[0m" + `
dlv_1   ` + "\x1b[31mfailed\x1b[0m" + `  the endpoint answered 500
dlv_12  ` + "\x1b[32mok\x1b[0m" + `      日本 \x1b[2J
`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var b bytes.Buffer
			table := &table{columns: []column{{title: "ID"}, {title: "TENANT", optional: true}, {title: "STATE"}, {title: "WHY", least: 6}}}
			s := &screen{w: &b, width: tt.width, colours: tt.colours}
			table.rows(s,
				[]cell{{text: "dlv_1"}, {}, state("failed"), {text: "the endpoint answered 500"}},
				[]cell{{text: "dlv_12"}, {}, state("ok"), {text: "日本 \x1b[2J"}},
			)
			if diff := cmp.Diff(tt.want, "\n"+b.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestTableGrows adds rows to a table that is on the screen already: columns
// get wider, and one that was left out comes with a new head.
func TestTableGrows(t *testing.T) {
	var b bytes.Buffer
	table := &table{columns: []column{{title: "ID"}, {title: "TENANT", optional: true}, {title: "N"}}}
	s := &screen{w: &b}
	table.rows(s)
	table.rows(s, []cell{{text: "a"}, {}, {text: "1"}})
	table.rows(s, []cell{{text: "long"}, {}, {text: "2"}})
	table.rows(s, []cell{{text: "b"}, {text: "acme"}, {text: "3"}})
	table.rows(s, []cell{{text: "c"}, {}, {text: "4"}})
	want := `
ID  N
a   1
long  2
ID    TENANT  N
b     acme    3
c             4
`
	if diff := cmp.Diff(want, "\n"+b.String()); diff != "" {
		t.Error(diff)
	}
}

func TestColumnsOf(t *testing.T) {
	for s, want := range map[string]int{"": 0, "abc": 3, "ü": 1, "日本": 4, "e\u0301": 1, "ｗ": 2, "…": 1} {
		if got := columnsOf(s); got != want {
			t.Errorf("%q takes %d columns, want %d", s, got, want)
		}
	}
}
