package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/manysends/caddy-webhooks/integration/bench/load"
)

// workerWord is the argument with which this program starts itself as a process
// that makes load or takes it in.
const workerWord = "worker"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := command(ctx, os.Args[1:], os.Stdin, os.Stdout)
	stop()
	os.Exit(status)
}

// command runs the program and returns its exit status: 0, 1 when events were
// lost or came twice, 2 when it could not measure.
func command(ctx context.Context, args []string, in io.Reader, out io.Writer) int {
	if len(args) == 1 && args[0] == workerWord {
		if err := load.Work(ctx, in, out); err != nil {
			fmt.Fprintln(os.Stderr, "worker:", err)
			return 2
		}
		return 0
	}
	f, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	report, err := f.report(ctx, out)
	if report != nil {
		err = errors.Join(err, f.write(report, out))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 2
	}
	if faults := report.faults(); len(faults) > 0 {
		fmt.Fprintln(os.Stderr, strings.Join(faults, "\n"))
		return 1
	}
	return 0
}

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

// flags are the command line.
type flags struct {
	options
	read     string
	json     string
	svg      string
	document string
	markdown bool
}

func parse(args []string) (*flags, error) {
	f := new(flags)
	set := flag.NewFlagSet("bench", flag.ContinueOnError)
	rows := set.String("rows", "", "the rows to measure, separated by commas: "+strings.Join(rowNames(), ", "))
	set.IntVar(&f.rounds, "rounds", 5, "how often each case is measured")
	set.DurationVar(&f.duration, "duration", 2*time.Second, "how long load is made in each round")
	set.IntVar(&f.payload, "payload", 1024, "the size of an event's data in bytes")
	set.IntVar(&f.connections, "connections", 64, "how many connections make load")
	set.IntVar(&f.backlog, "backlog", 1_000_000, "how many deliveries wait at most in the row backlog")
	set.StringVar(&f.dir, "dir", "", "a folder on the disk that is to be measured (default: that for temporary files)")
	set.StringVar(&f.caddy, "caddy", "", "a Caddy that is built already, to be measured instead of this checkout's")
	set.StringVar(&f.against, "against", "", "another Caddy that takes turns with it in the rows publish and receive")
	set.StringVar(&f.json, "json", "", "a file for all values as JSON")
	set.StringVar(&f.read, "read", "", "a file that -json has written, to be shown instead of measuring")
	set.StringVar(&f.svg, "svg", "", "a folder for pictures")
	set.StringVar(&f.document, "write", "", "a document whose tables and pictures (with -svg) are replaced by what was measured, such as docs/performance.md")
	set.BoolVar(&f.markdown, "markdown", false, "print Markdown at the end, and nothing else")
	set.StringVar(&f.profile, "profile", "", "a folder for profiles of Caddy in the rows publish and receive; figures are slower then")
	if err := set.Parse(args); err != nil {
		return nil, err
	}
	if set.NArg() > 0 {
		return nil, fmt.Errorf("the argument %q is not understood: there are only flags", set.Arg(0))
	}
	if f.rounds < 1 || f.duration <= 0 || f.payload < 2 || f.connections < 1 || f.backlog < 1 {
		return nil, errors.New("rounds, duration, payload, connections and backlog must be greater than 0")
	}
	if *rows != "" {
		f.rows = strings.Split(*rows, ",")
	}
	for _, path := range []*string{&f.caddy, &f.against} {
		if *path == "" {
			continue
		}
		var err error
		if *path, err = filepath.Abs(*path); err != nil {
			return nil, err
		}
	}
	_, err := chosen(f.rows)
	return f, err
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
	if report.Machine, err = machine(b.scratch); err != nil {
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
	for _, g := range r.Profile {
		fmt.Fprintf(out, "  %8.2f µs  %s\n", g.Microseconds, g.Name)
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
