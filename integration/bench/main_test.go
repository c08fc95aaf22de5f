package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/integration/bench/load"
)

// TestMain has the test binary be a worker when the command starts itself.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == workerWord {
		main()
	}
	os.Exit(m.Run())
}

// TestCommand measures a little for real: a Caddy is built and started, load is
// made, and all that was published arrives.
func TestCommand(t *testing.T) {
	dir := t.TempDir()
	document := filepath.Join(dir, "performance.md")
	if err := os.WriteFile(document, []byte("<!-- bench:begin publish -->\n<!-- bench:end -->\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	result := filepath.Join(dir, "result.json")
	measured := []string{"publish", "latency", "receive", "duplicates", "backlog", "fanout"}
	var out bytes.Buffer
	status := command(t.Context(), []string{
		"-rows", strings.Join(measured, ","), "-rounds", "1", "-duration", "200ms", "-backlog", "2000", "-dir", dir,
		"-json", result, "-svg", filepath.Join(dir, "pictures"), "-write", document,
	}, nil, &out)
	if status != 0 {
		t.Fatalf("status %d:\n%s", status, &out)
	}
	report := reportIn(t, result)
	var rows []string
	for _, r := range report.Results {
		rows = append(rows, r.Row)
		for _, c := range r.Cases {
			if len(c.Measures) == 0 {
				t.Errorf("%s, %s: nothing was measured", r.Row, c.Name)
			}
		}
	}
	slices.Sort(rows)
	slices.Sort(measured)
	if !slices.Equal(rows, measured) || report.Machine.Cores < 1 || report.Machine.SyncMedian <= 0 {
		t.Errorf("measured %v on %s", rows, report.Machine)
	}
	for _, r := range report.Results {
		name := map[string]string{
			"publish": "delivered/s", "latency": "delivered p50, ms", "receive": "requests/s", "duplicates": "let through",
			"backlog": "resident MiB", "fanout": "deliveries/s",
		}[r.Row]
		for _, c := range r.Cases {
			if m := c.measure(name); m == nil || m.least() <= 0 {
				t.Errorf("%s, %s: %s is %v", r.Row, c.Name, name, m)
			}
		}
	}
	filled, err := os.ReadFile(document)
	if err != nil || !strings.Contains(string(filled), "| delivered/s |") || !strings.Contains(string(filled), "(pictures/publish.svg)") {
		t.Errorf("the document is %s, %v", filled, err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "caddy-webhooks-bench-*")); err != nil || len(left) > 0 {
		t.Errorf("it left behind %v, %v", left, err)
	}

	// What was measured can be shown again.
	var again bytes.Buffer
	if status := command(t.Context(), []string{"-read", result, "-markdown"}, nil, &again); status != 0 || !strings.Contains(again.String(), "## Latency") {
		t.Errorf("status %d, shown again:\n%s", status, &again)
	}
}

// reportIn is the report that the command has kept in a file.
func reportIn(t *testing.T, path string) (report Report) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &report); err != nil {
		t.Fatal(err)
	}
	return report
}

func TestFaultsFailTheCommand(t *testing.T) {
	for faults, want := range map[string]int{"": 0, "3 deliveries came twice": 1} {
		r := Report{Results: []*Result{{Row: "publish", Title: "Speed"}}}
		r.Results[0].of("sender").add("delivered/s", 1)
		if faults != "" {
			r.Results[0].Faults = []string{faults}
		}
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join(t.TempDir(), "result.json")
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if status := command(t.Context(), []string{"-read", file}, nil, &out); status != want || strings.Contains(out.String(), "FAULT") != (want == 1) {
			t.Errorf("with the faults %q the status is %d:\n%s", faults, status, &out)
		}
	}
}

func TestFaults(t *testing.T) {
	good := load.Account{Arrived: 10, Distinct: 10, Verified: 1}
	tests := []struct {
		name    string
		account func(*load.Account)
		failed  []uint32
		want    []string
	}{
		{"none", func(*load.Account) {}, nil, nil},
		{"one twice", func(a *load.Account) { a.Arrived++ }, nil, []string{"1 deliveries came twice"}},
		{"one lost", func(a *load.Account) { a.Missing, a.Arrived, a.Distinct = 1, 9, 9 }, nil, []string{"1 deliveries of accepted events are missing"}},
		{"a stray", func(a *load.Account) { a.Arrived++; a.Strays++ }, nil, []string{"1 requests arrived that belong to no event of the run"}},
		{"a forgery", func(a *load.Account) { a.Forged = 2 }, nil, []string{"2 signatures are wrong"}},
		{"refused", func(*load.Account) {}, []uint32{7}, []string{"1 events were not accepted: status 503"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			account := good
			tt.account(&account)
			o := outcome{report: &load.Report{Failed: tt.failed, Reasons: []string{"status 503"}}, account: &account}
			if got := o.faults(); !slices.Equal(got, tt.want) {
				t.Errorf("the faults are %q, want %q", got, tt.want)
			}
		})
	}
}

func TestWrongFlags(t *testing.T) {
	for _, args := range [][]string{
		{"-rows", "speed"}, {"-rounds", "0"}, {"-duration", "0s"}, {"publish"}, {"-connections", "-1"}, {"-read", "/nowhere.json"},
	} {
		var out bytes.Buffer
		if status := command(t.Context(), args, nil, &out); status != 2 {
			t.Errorf("%v: status %d, want 2", args, status)
		}
	}
}

func TestProcessorTimeAndMemory(t *testing.T) {
	before, err := processorSeconds(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		if now, err := processorSeconds(os.Getpid()); err != nil || now > before {
			break
		}
	}
	after, err := processorSeconds(os.Getpid())
	if err != nil || after <= before {
		t.Errorf("the processor time went from %v to %v, %v", before, after, err)
	}
	m, err := memoryOf(os.Getpid())
	if err != nil || m.Resident < 1 || m.Peak < m.Resident {
		t.Errorf("the memory is %+v, %v", m, err)
	}
	if _, err := processorSeconds(-1); err == nil {
		t.Error("no process has processor time")
	}
}

func TestGrowth(t *testing.T) {
	for to, want := range map[int][]int{1_000_000: {0, 1000, 10_000, 100_000, 1_000_000}, 2000: {0, 1000, 2000}, 500: {0, 500}} {
		if got := growth(1000, to); !slices.Equal(got, want) {
			t.Errorf("up to %d: %v, want %v", to, got, want)
		}
	}
}

func TestBenchmarkLine(t *testing.T) {
	const output = `goos: linux
BenchmarkFiveMillion-2   	       1	12345678901 ns/op	       120.5 B/ID	         0 accepted-twice
PASS
`
	got, found := benchmarkLine(output, "BenchmarkFiveMillion")
	if !found || len(got) != 2 || got[0].Name != "B/ID" || got[0].Values[0] != 120.5 || got[1].Name != "accepted-twice" {
		t.Errorf("found: %v, %+v", found, got)
	}
	if got, found := benchmarkLine("FAIL\n", "BenchmarkFiveMillion"); found {
		t.Errorf("nothing reads as %+v", got)
	}
}
