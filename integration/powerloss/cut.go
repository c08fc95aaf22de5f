package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/sender/sqlitestore"
)

// found is what was found after the power has failed at some moments.
type found struct {
	cuts     int
	unusable int // stores that do not open
	promised int // events that had been acknowledged, over all cuts
	lost     int // of them
	first    error
}

func (f found) String() string {
	return fmt.Sprintf("%d cuts, %d stores do not open, %d of %d acknowledged events lost", f.cuts, f.unusable, f.lost, f.promised)
}

// cutAll has the power fail at so many moments of a trace, in a folder that is
// made anew each time.
func cutAll(t *trace, m mode, syncing bool, cuts int, random *rand.Rand, folder string) (f found, err error) {
	at := make([]int, cuts)
	for i := range at {
		at[i] = t.begins + 1 + random.IntN(len(t.operations)-t.begins)
	}
	slices.Sort(at)
	d := newDisk()
	var promised []string
	next := 0
	for number := 0; number <= len(t.operations) && next < cuts; number++ {
		for ; next < cuts && at[next] == number; next++ {
			if err := os.RemoveAll(folder); err != nil {
				return f, err
			}
			if err := os.MkdirAll(folder, 0o700); err != nil {
				return f, err
			}
			if err := d.fail(folder, m, random); err != nil {
				return f, err
			}
			f.look(folder, promised)
		}
		if number < len(t.operations) {
			op := t.operations[number]
			if op.kind == acknowledge {
				promised = append(promised, op.event)
			}
			d.do(number, op, syncing)
		}
	}
	return f, nil
}

// look opens the store and looks for what was promised.
func (f *found) look(folder string, promised []string) {
	f.cuts++
	f.promised += len(promised)
	s, err := sqlitestore.Open(filepath.Join(folder, "webhooks.db"), sqlitestore.Options{})
	if err != nil {
		f.unusable++
		f.lost += len(promised)
		f.note(err)
		return
	}
	for _, id := range promised {
		if err := kept(s, id); err != nil {
			f.lost++
			f.note(fmt.Errorf("event %s of %d: %w", id, len(promised), err))
		}
	}
	if err := s.Close(); err != nil {
		f.unusable++
		f.note(err)
	}
}

// kept says what is wrong with an event that was promised.
func kept(s *sqlitestore.Store, id string) error {
	record, err := s.Event(context.Background(), "", id)
	if err != nil {
		return err
	}
	if len(record.Deliveries) != 2 || len(record.Event.Data) < 2000 {
		return fmt.Errorf("it has %d deliveries and %d bytes of data", len(record.Deliveries), len(record.Event.Data))
	}
	for _, d := range record.Deliveries {
		if d.Status != sender.Pending && (d.Status != sender.Succeeded || len(d.History) == 0) {
			return fmt.Errorf("its delivery to %s is %s with %d attempts", d.EndpointID, d.Status, len(d.History))
		}
	}
	return nil
}

// note keeps the first thing that was wrong.
func (f *found) note(err error) {
	if f.first == nil {
		f.first = err
	}
}
