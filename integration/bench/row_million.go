package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// rowMillion runs the receiver's benchmark of five million events in a process
// of its own.
func (b *bench) rowMillion(ctx context.Context, r *Result) error {
	root, err := moduleRoot(ctx)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "go", "test", "./receiver", "-run", "^$", "-bench", "^BenchmarkFiveMillion$", "-benchtime", "1x", "-timeout", "30m")
	cmd.Dir = root
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	measures, found := benchmarkLine(string(out), "BenchmarkFiveMillion")
	if !found {
		return fmt.Errorf("the benchmark has shown nothing: %w\n%s", err, out)
	}
	if err != nil {
		r.Faults = append(r.Faults, "the benchmark has failed: "+strings.TrimSpace(string(out)))
	}
	of := r.of("5,000,000 events, each three times, 64 goroutines")
	for _, m := range measures {
		of.add(m.Name, m.Values[0])
	}
	return nil
}

// benchmarkLine reads what go test prints of a benchmark, but for its time per
// operation.
func benchmarkLine(output, name string) (measures []Measure, found bool) {
	for line := range strings.Lines(output) {
		fields := strings.Fields(line)
		if len(fields) < 2 || !strings.HasPrefix(fields[0], name) {
			continue
		}
		for i := 2; i+1 < len(fields); i += 2 {
			v, err := strconv.ParseFloat(fields[i], 64)
			if err == nil && fields[i+1] != "ns/op" {
				measures = append(measures, Measure{Name: fields[i+1], Values: []float64{v}})
			}
		}
		return measures, len(measures) > 0
	}
	return nil, false
}
