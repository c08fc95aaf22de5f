package main

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestProfileGrid(t *testing.T) {
	r := measured()
	if grid := r.profileGrid(); grid != nil {
		t.Errorf("without profiles there is %v", grid)
	}
	r.of("sender").Profile = []Group{{"net/http, serving", 20}, {groupRest, 30}, {"modernc.org/sqlite/lib", 10}}
	r.of("other").Profile = []Group{{"modernc.org/sqlite/lib", 15.5}, {groupRest, 1}}
	want := [][]string{
		{"µs per event", "sender", "other"},
		{"modernc.org/sqlite/lib", "10", "15.5"},
		{"net/http, serving", "20", ""},
		{groupRest, "30", "1"},
	}
	if diff := cmp.Diff(want, r.profileGrid()); diff != "" {
		t.Error(diff)
	}
	if got := r.profileMarkdown(); got != markdown(want) {
		t.Errorf("in a document it is\n%s", got)
	}
	report := &Report{Results: []*Result{r}}
	filled, err := report.fill("<!-- bench:begin publish-profile -->\nold\n<!-- bench:end -->\n", "")
	if err != nil || filled != "<!-- bench:begin publish-profile -->\n"+markdown(want)+"<!-- bench:end -->\n" {
		t.Errorf("filled in: %s, %v", filled, err)
	}
}

// TestProfiles takes profiles of real Caddys, in rows that take turns and in one
// that does not.
func TestProfiles(t *testing.T) {
	dir := t.TempDir()
	result, profiles := filepath.Join(dir, "result.json"), filepath.Join(dir, "profiles")
	var out bytes.Buffer
	status := command(t.Context(), []string{
		"-rows", "publish,fanout", "-rounds", "1", "-duration", "1s", "-dir", dir, "-json", result, "-profile", profiles,
	}, nil, &out)
	if status != 0 {
		t.Fatalf("status %d:\n%s", status, &out)
	}
	report := reportIn(t, result)
	for _, r := range report.Results {
		for _, c := range r.Cases {
			if c.Name == caseBare { // which is no Caddy
				continue
			}
			sum := 0.0
			for _, g := range c.Profile {
				sum += g.Microseconds
			}
			if want := c.measure(cost).median() * 1000; sum == 0 || math.Abs(sum-want) > want/100 {
				t.Errorf("%s, %s: the parts take %.1f µs together, want %.1f", r.Row, c.Name, sum, want)
			}
			for _, kind := range []string{"cpu-1", "allocs", "heap", "mutex", "block"} {
				file := filepath.Join(profiles, fmt.Sprintf("%s-%s-%s.pprof", r.Row, fileName(c.Name), kind))
				if info, err := os.Stat(file); err != nil || info.Size() == 0 {
					t.Errorf("%s: %v", file, err)
				}
			}
		}
	}
}
