package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// Report is everything that a run has found.
type Report struct {
	Machine Machine   `json:"machine"`
	Rounds  string    `json:"rounds"`
	Results []*Result `json:"results"`
}

func (r *Report) faults() (list []string) {
	for _, result := range r.Results {
		for _, fault := range result.Faults {
			list = append(list, result.Row+": "+fault)
		}
	}
	return list
}

// report measures, or reads what was measured before.
func (f *flags) report(ctx context.Context, out io.Writer) (*Report, error) {
	if f.markdown {
		out = io.Discard
	}
	if f.read == "" {
		return f.measureAll(ctx, out)
	}
	text, err := os.ReadFile(f.read)
	if err != nil {
		return nil, err
	}
	r := new(Report)
	if err := json.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("%s: %w", f.read, err)
	}
	for _, result := range r.Results {
		result.print(out)
	}
	return r, nil
}

// measureAll measures the rows and prints each when it is done.
func (f *flags) measureAll(ctx context.Context, out io.Writer) (report *Report, err error) {
	rows, err := chosen(f.rows)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // after stop: it ends by force what is left
	b := &bench{options: f.options}
	defer func() { err = errors.Join(err, b.stop()) }()
	if err := b.start(ctx); err != nil {
		return nil, err
	}
	report = &Report{Rounds: fmt.Sprintf("Medians of %d rounds of %v, with their ranges.", f.rounds, f.duration)}
	if report.Machine, err = machine(ctx, b.scratch); err != nil {
		return nil, err
	}
	fmt.Fprintf(out, "%s\n%s\n", report.Machine, report.Rounds)
	for _, w := range rows {
		r, err := b.measure(ctx, w)
		if err != nil {
			return report, err
		}
		report.Results = append(report.Results, r)
		r.print(out)
	}
	return report, nil
}

// print shows a result on a terminal.
func (r *Result) print(out io.Writer) {
	fmt.Fprintf(out, "\n%s (%.0f s)\n%s", r.Title, r.Took.Seconds(), r.plainTable())
	if grid := r.profileGrid(); grid != nil {
		fmt.Fprint(out, "\n"+plain(grid))
	}
	for _, fault := range r.Faults {
		fmt.Fprintf(out, "  FAULT: %s\n", fault)
	}
}

// write writes what was asked for besides the tables.
func (f *flags) write(r *Report, out io.Writer) error {
	if f.markdown {
		fmt.Fprint(out, r.allMarkdown())
	}
	if f.svg != "" {
		if err := r.writePlots(f.svg); err != nil {
			return err
		}
	}
	if f.document != "" {
		if err := r.writeDocument(f.document, f.svg); err != nil {
			return err
		}
	}
	if f.json == "" {
		return nil
	}
	text, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(f.json, append(text, '\n'), 0o600)
}
