package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/manysends/caddy-webhooks/integration/bench/load"
)

// options are the flags.
type options struct {
	rows        []string
	rounds      int
	duration    time.Duration // of a burst
	payload     int
	connections int
	backlog     int
	dir         string
	profile     string
	caddy       string // a program that is there already
	against     string // one to compare it with
}

// bench measures.
type bench struct {
	options options
	scratch string // a folder on the disk that is measured

	load, sink, bare *load.Worker
	sinkAddress      string
	runs             uint16
	profilers        []*profiler // that have not finished
}

// row is something that can be measured.
type row struct {
	name    string
	title   string
	says    string
	axis    string   // what grows, if the row is about growth
	bars    []string // measures that are drawn as bars: one, and one of cost
	asked   bool     // only when it is named
	measure func(*bench, context.Context, *Result) error
}

// start starts the processes that make load and take it in. Call stop.
func (b *bench) start(ctx context.Context) (err error) {
	if b.scratch, err = os.MkdirTemp(b.options.dir, "caddy-webhooks-bench-"); err != nil {
		return err
	}
	if b.scratch, err = filepath.Abs(b.scratch); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	for _, w := range []**load.Worker{&b.load, &b.sink, &b.bare} {
		if *w, err = load.Start(ctx, self, workerWord); err != nil {
			return err
		}
	}
	b.sinkAddress, err = b.sink.Listen()
	return err
}

// stop ends what start has started, and deletes the folder.
func (b *bench) stop() error {
	var all []error
	for _, w := range []*load.Worker{b.load, b.sink, b.bare} {
		if w != nil {
			all = append(all, w.Close())
		}
	}
	if b.scratch != "" {
		all = append(all, os.RemoveAll(b.scratch))
	}
	return errors.Join(all...)
}

// measure measures a row.
func (b *bench) measure(ctx context.Context, w row) (*Result, error) {
	r := &Result{Row: w.name, Title: w.title, Says: w.says, Axis: w.axis}
	b.say("%s: %s", w.name, w.title)
	began := time.Now()
	err := w.measure(b, ctx, r)
	r.Took = time.Since(began)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", w.name, err)
	}
	return r, nil
}

// chosen are the rows that are asked for.
func chosen(names []string) (list []row, err error) {
	for _, w := range allRows() {
		if slices.Contains(names, w.name) || len(names) == 0 && !w.asked {
			list = append(list, w)
		}
	}
	for _, name := range names {
		if !slices.ContainsFunc(list, func(w row) bool { return w.name == name }) {
			return nil, fmt.Errorf("the row %q is unknown: use some of %s", name, strings.Join(rowNames(), ", "))
		}
	}
	return list, nil
}

// rowOf is the row of a name; one that was measured by another version of this
// program may be unknown, and has nothing but its name.
func rowOf(name string) row {
	for _, w := range allRows() {
		if w.name == name {
			return w
		}
	}
	return row{name: name}
}

func rowNames() (names []string) {
	for _, w := range allRows() {
		names = append(names, w.name)
	}
	return names
}

// say tells whoever waits what is being done.
func (b *bench) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, time.Now().Format("15:04:05 ")+format+"\n", args...)
}
