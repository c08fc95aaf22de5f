package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDocumentIsFilled(t *testing.T) {
	const document = `# Speed
<!-- bench:begin machine -->
old
<!-- bench:end -->
between
<!-- bench:begin publish -->
old
old
<!-- bench:end -->
<!-- bench:begin latency -->
not measured this time
<!-- bench:end -->
`
	r := &Report{Machine: Machine{Cores: 2, Processor: "a processor"}, Rounds: "Medians.", Results: []*Result{measured()}}
	got, err := r.fill(document, "pictures")
	if err != nil {
		t.Fatal(err)
	}
	want := `# Speed
<!-- bench:begin machine -->
` + r.Machine.String() + `. Medians.
<!-- bench:end -->
between
<!-- bench:begin publish -->
As fast as it can.

` + measured().markdownTable() + `
![Speed: delivered/s](pictures/publish.svg)

![Speed: CPU s per 1,000](pictures/publish-cost.svg)
<!-- bench:end -->
<!-- bench:begin latency -->
not measured this time
<!-- bench:end -->
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	again, err := r.fill(got, "pictures")
	if err != nil || again != got {
		t.Errorf("filled again it has changed, %v:\n%s", err, cmp.Diff(got, again))
	}
	if _, err := r.fill("# Nothing\n", ""); err == nil || !strings.Contains(err.Error(), "bench:begin") {
		t.Errorf("a document without a place for results: %v", err)
	}
}

// TestEveryRowHasItsPlace compares the rows with the document that they are
// written into.
func TestEveryRowHasItsPlace(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "performance.md"))
	if err != nil {
		t.Fatal(err)
	}
	var places []string
	for _, m := range markers.FindAllStringSubmatch(string(text), -1) {
		places = append(places, m[2])
	}
	for _, name := range append(rowNames(), "machine", "peers") {
		if !slices.Contains(places, name) {
			t.Errorf("docs/performance.md has no place for %s", name)
		}
	}
	for _, name := range places {
		if !slices.Contains(append(rowNames(), "machine", "peers"), name) {
			t.Errorf("docs/performance.md has a place for %s, which is nothing that is measured", name)
		}
	}
}

// TestPlots checks that every picture that the document shows is drawn.
func TestPlots(t *testing.T) {
	r := measured()
	r.of("sender").Percentiles = []float64{1, 2, 3, 4, 5, 6, 7}
	r.of("sender").add(cost, 0.1)
	dir := filepath.Join(t.TempDir(), "pictures")
	if err := (&Report{Results: []*Result{r}}).writePlots(dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"publish.svg", "publish-cost.svg", "publish-percentiles.svg"} {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Error(err)
			continue
		}
		if !strings.Contains(r.markdown("pictures"), "(pictures/"+name+")") {
			t.Errorf("the document does not show %s", name)
		}
		if !strings.Contains(string(text), "Speed") {
			t.Errorf("%s has no title", name)
		}
		if wanted := name != "publish-percentiles.svg"; strings.Contains(string(text), peers[0].name) != wanted {
			t.Errorf("%s has peers: %v", name, !wanted)
		}
	}
	r.Axis = "endpoints"
	r.of("100,000").add("deliveries/s", 1)
	if list := r.plots(); len(list) != 1 || list[0].name != "publish.svg" || !strings.Contains(string(list[0].svg), "endpoints") || !strings.Contains(string(list[0].svg), ">100k<") {
		t.Errorf("a growth row has %d pictures", len(list))
	}
}

// TestMachineSaysWhatSpoilsFigures checks the warnings.
func TestMachineSaysWhatSpoilsFigures(t *testing.T) {
	for _, tt := range []struct {
		machine Machine
		want    string
	}{{Machine{Load: 7}, "7 other processes"}, {Machine{InMemory: true}, "in memory"}} {
		if got := tt.machine.String(); !strings.Contains(got, tt.want) {
			t.Errorf("%+v is %s, want %q in it", tt.machine, got, tt.want)
		}
	}
	if got := (Machine{Load: 0.5}).String(); strings.Contains(got, "**") {
		t.Errorf("a quiet machine warns: %s", got)
	}
	m, err := machine(t.Context(), t.TempDir())
	if err != nil || m.Cores < 1 || m.Kernel == "" || m.MemoryGiB <= 0 || m.SyncWorst < m.SyncMedian || m.SyncMedian <= 0 {
		t.Errorf("this machine is %+v, %v", m, err)
	}
}
