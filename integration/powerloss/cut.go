package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
)

// found is what was found of one file after the power has failed at some
// moments.
type found struct {
	cuts     int
	unusable int // files that do not open
	promised int // events that must be there, over all cuts
	lost     int // of them
	misread  int // files that hold what nobody has written
	first    error
}

func (f *found) String() string {
	return fmt.Sprintf("%d of %d do not open, %d of %d events lost, %d hold what nobody wrote", f.unusable, f.cuts, f.lost, f.promised, f.misread)
}

// wrong is an error when anything was found that must not be.
func (f *found) wrong() error {
	if f.lost+f.unusable+f.misread == 0 {
		return nil
	}
	return fmt.Errorf("%s: %w", f, f.first)
}

// cut counts a cut and what must be there after it.
func (f *found) cut(promised []string) {
	f.cuts++
	f.promised += len(promised)
}

// unopened counts a file that does not open: all that must be in it is lost.
func (f *found) unopened(promised []string, err error) {
	f.unusable++
	f.lost += len(promised)
	f.note(err)
}

// note keeps the first thing that was wrong.
func (f *found) note(err error) {
	if f.first == nil {
		f.first = err
	}
}

// findings are what was found of both files.
type findings struct{ store, seen found }

// wrong is an error when anything was found that must not be.
func (f *findings) wrong() error {
	var errs []error
	if err := f.store.wrong(); err != nil {
		errs = append(errs, fmt.Errorf("the store: %w", err))
	}
	if err := f.seen.wrong(); err != nil {
		errs = append(errs, fmt.Errorf("the receiver's file: %w", err))
	}
	return errors.Join(errs...)
}

// cutAll has the power fail at so many moments of a trace, in a folder that is
// made anew each time.
func cutAll(r *recording, m mode, syncing bool, cuts int, random *rand.Rand, folder string) (f findings, err error) {
	at := r.moments(cuts, random)
	d := newDisk(map[string][]byte{seenFile: r.seed})
	var acknowledged []string
	durable := durability{durable: slices.Clone(r.seeds)}
	next := 0
	for number := 0; number <= len(r.operations) && next < cuts; number++ {
		for ; next < cuts && at[next] == number; next++ {
			if err := errors.Join(os.RemoveAll(folder), os.MkdirAll(folder, 0o700)); err != nil {
				return f, err
			}
			if err := d.fail(folder, m, random); err != nil {
				return f, err
			}
			f.store.lookIntoStore(folder, acknowledged)
			f.seen.lookIntoSeen(folder, durable.durable, r.sent)
		}
		if number < len(r.operations) {
			op := r.operations[number]
			if op.kind == acknowledge {
				acknowledged = append(acknowledged, op.event)
			}
			durable.take(op)
			d.do(number, op, syncing)
		}
	}
	return f, nil
}

// moments are numbers of operations before which the power fails, sorted. One
// half are taken from those on the receiver's file, which are few.
func (r *recording) moments(n int, random *rand.Rand) []int {
	var few []int
	for number, op := range r.operations {
		if op.file == seenFile || op.to == seenFile || op.kind == syncFolder {
			few = append(few, number, number+1)
		}
	}
	at := make([]int, n)
	for i := range at {
		if at[i] = 1 + random.IntN(len(r.operations)); i%2 == 0 && len(few) > 0 {
			at[i] = few[random.IntN(len(few))]
		}
	}
	slices.Sort(at)
	return at
}
