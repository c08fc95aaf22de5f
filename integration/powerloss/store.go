package main

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/sender/sqlitestore"
)

// storeFile is the name of the store's file; those beside it begin with it.
const storeFile = "webhooks.db"

// lookIntoStore opens the store and looks for what was acknowledged.
func (f *found) lookIntoStore(folder string, promised []string) {
	f.cut(promised)
	s, err := sqlitestore.Open(filepath.Join(folder, storeFile), sqlitestore.Options{})
	if err != nil {
		f.unopened(promised, err)
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
