// Command powerloss records what a real Caddy writes to its disk, and when, and
// works out what a disk may hold after the power fails: what was synced, and of
// the rest any part of any write. From each such disk it opens the store and
// looks for every event that had been acknowledged, and the receiver's file, and
// looks for every event that had been written to it since it was answered.
//
//	go run ./integration/powerloss -cuts 500
//
// It needs Linux and strace. It exits with 1 when an event is lost, when a file
// does not open or holds what nobody wrote, and when a control, in which no sync
// counts, finds nothing wrong.
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
		r, err := record(o, folder)
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "seed %d\nrecorded: %s\n%s\n", o.seed, r.summary(), r.waited())
		return fail(w, r, o, filepath.Join(folder, "disk"))
	})
}

// fail has the power fail in each mode, and in the control.
func fail(w io.Writer, r *recording, o options, disk string) error {
	random := rand.New(rand.NewPCG(o.seed, 0))
	var errs []error
	tell := func(name string, f *findings) {
		fmt.Fprintf(w, "%s:\n\tstore:    %s\n\treceiver: %s\n", name, &f.store, &f.seen)
	}
	for _, m := range modes {
		f, err := cutAll(r, m, true, o.cuts/len(modes), random, disk)
		if err != nil {
			return err
		}
		tell(m.name, &f)
		if err := f.wrong(); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", m.name, err))
		}
	}
	control, err := cutAll(r, modes[0], false, max(o.cuts/10, 10), random, disk)
	if err != nil {
		return err
	}
	tell("control, as if nothing were ever synced", &control)
	if control.store.lost == 0 || control.seen.lost == 0 {
		errs = append(errs, errors.New("the control has lost nothing: this proves nothing"))
	}
	return errors.Join(errs...)
}
