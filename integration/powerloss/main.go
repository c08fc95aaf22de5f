// Command powerloss records what a real Caddy writes to its disk, and when, and
// works out what a disk may hold after the power fails: what was synced, and of
// the rest any part of any write. From each such disk it opens the store and
// looks for every event that had been acknowledged.
//
//	go run ./integration/powerloss -cuts 500
//
// It needs Linux and strace. It exits with 1 when an event is lost or a store
// does not open, and when a control, in which no sync counts, finds nothing
// wrong.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/manysends/caddy-webhooks/integration/internal/caddyproc"
)

func main() {
	var o options
	flag.IntVar(&o.cuts, "cuts", 500, "at how many moments the power fails")
	flag.DurationVar(&o.load, "for", 10*time.Second, "how long events are published")
	flag.Uint64Var(&o.seed, "seed", uint64(time.Now().UnixNano()), "of the moments and of what the disk keeps")
	flag.StringVar(&o.binary, "binary", "", "the program; default: it is built")
	flag.Parse()
	if err := run(context.Background(), os.Stdout, o); err != nil {
		fmt.Fprintln(os.Stderr, "FAIL:", err)
		os.Exit(1)
	}
}

// options are what is asked for.
type options struct {
	cuts   int
	load   time.Duration
	seed   uint64
	binary string
}

// run records a trace and has the power fail in it.
func run(ctx context.Context, w io.Writer, o options) error {
	return caddyproc.InFolder(ctx, o.binary, false, func(program, folder string) error {
		o.binary = program
		store, traceFile, err := record(o, folder)
		if err != nil {
			return err
		}
		t, err := readTrace(traceFile, store)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "seed %d\nrecorded: %s\n", o.seed, t.summary())
		return fail(w, t, o, filepath.Join(folder, "disk"))
	})
}

// fail has the power fail in each mode, and in the control.
func fail(w io.Writer, t *trace, o options, disk string) error {
	random := rand.New(rand.NewPCG(o.seed, 0))
	var errs []error
	for _, m := range modes {
		found, err := cutAll(t, m, true, o.cuts/len(modes), random, disk)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "%-42s %s\n", m.name+":", found)
		if found.lost > 0 || found.unusable > 0 {
			errs = append(errs, fmt.Errorf("%s: %s: %w", m.name, found, found.first))
		}
	}
	control, err := cutAll(t, modes[0], false, max(o.cuts/10, 10), random, disk)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%-42s %s\n", "control, as if nothing were ever synced:", control)
	if control.lost == 0 {
		errs = append(errs, errors.New("the control has lost nothing: this proves nothing"))
	}
	return errors.Join(errs...)
}
