package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/manysends/caddy-webhooks/integration/internal/loadtest"
	"github.com/manysends/caddy-webhooks/receiver"
	"github.com/manysends/caddy-webhooks/webhook"
)

// seenFile is the name of the receiver's file of seen events; the one that is
// to take its place begins with it.
const seenFile = "hooks.seen"

// openSeen opens the receiver of the scene with its file. Now is nil for the
// time that it is.
func openSeen(path string, now func() time.Time) (*receiver.State, *receiver.Receiver, error) {
	const name = "hooks"
	state, err := receiver.OpenState(receiver.StateOptions{Name: name, Path: path, Now: now})
	if err != nil {
		return nil, nil, err
	}
	rc, err := receiver.New(receiver.Config{
		Name: name, Provider: "standard", Secrets: []string{loadtest.Secret},
		Dedupe: receiver.Dedupe{Persist: path},
	}, receiver.Options{State: state, Now: now})
	if err != nil {
		state.Close()
		return nil, nil, err
	}
	return state, rc, nil
}

// What the receiver's file holds before Caddy starts: events that are to be
// remembered, and so many that expire under load that the file is then written
// anew, since it is mostly in vain.
const (
	seedsKept    = 200
	seedsExpired = 1<<14 + 5000
)

// sow makes the receiver's file, as one would that has processed events until
// now, and returns the IDs of those that it must remember. The others expire
// after a time.
func sow(path string, after time.Duration) (kept []string, err error) {
	var behind atomic.Int64 // the clock, by this much
	behind.Store(int64(receiver.DefaultTTL - after))
	clock := func() time.Time { return time.Now().Add(-time.Duration(behind.Load())) }
	state, rc, err := openSeen(path, clock)
	if err != nil {
		return nil, err
	}
	defer state.Close()
	for i := range seedsExpired {
		if err := process(rc, fmt.Sprintf("old_%d", i), clock()); err != nil {
			return nil, err
		}
	}
	behind.Store(0)
	for i := range seedsKept {
		id := fmt.Sprintf("seed_%d", i)
		kept = append(kept, id)
		if err := process(rc, id, clock()); err != nil {
			return nil, err
		}
	}
	return kept, nil
}

// process has a receiver process an event with success.
func process(rc *receiver.Receiver, id string, now time.Time) error {
	secret, err := webhook.ParseSecret(loadtest.Secret)
	if err != nil {
		return err
	}
	body := `{"type":"message.created","timestamp":"2024-03-05T10:30:00Z","data":{}}`
	r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/hooks", strings.NewReader(body))
	webhook.SetHeaders(r.Header, []webhook.Signer{secret}, id, now, []byte(body))
	return rc.Handle(httptest.NewRecorder(), r, func(w http.ResponseWriter, _ *http.Request) error {
		w.WriteHeader(http.StatusOK)
		return nil
	})
}

// durability follows what of the receiver's events must be on the disk. The file
// is written by one goroutine: it takes what has been processed, writes it,
// syncs it, and then takes what has been processed since. So an event is in what
// is written after the first sync that ends after its answer, and it is on the
// disk when that is synced. Where the file is written anew, it is the sync of the
// folder that counts.
type durability struct {
	durable  []string
	answered []pledge // since the last sync
	taken    []pledge // before that
	renamed  bool     // and the folder is not synced yet
	waits    []time.Duration
}

// pledge is an event and when it was answered.
type pledge struct {
	event string
	at    time.Duration
}

// take takes in the next operation.
func (d *durability) take(op operation) {
	switch {
	case op.kind == receive:
		d.answered = append(d.answered, pledge{op.event, op.at})
	case op.kind == rename && op.to == seenFile:
		d.renamed = true
	case op.kind == sync && op.file == seenFile, op.kind == syncFolder && d.renamed:
		d.renamed = false
		for _, p := range d.taken {
			d.durable = append(d.durable, p.event)
			d.waits = append(d.waits, op.at-p.at)
		}
		d.taken, d.answered = d.answered, nil
	}
}

// waited says how long answered events took to be surely on the disk.
func (r *recording) waited() string {
	var d durability
	for _, op := range r.operations {
		d.take(op)
	}
	if len(d.waits) == 0 {
		return "no received event was surely on the disk"
	}
	slices.Sort(d.waits)
	return fmt.Sprintf("%d received events were on the disk within %s (median) and %s (longest) of their answers",
		len(d.waits), d.waits[len(d.waits)/2].Round(time.Millisecond), d.waits[len(d.waits)-1].Round(time.Millisecond))
}

// lookIntoSeen opens the receiver's file, and looks for what must be remembered,
// and that nothing else is but what was sent. It has everything forgotten again
// and opens the file once more.
func (f *found) lookIntoSeen(folder string, promised, sent []string) {
	f.cut(promised)
	path := filepath.Join(folder, seenFile)
	known, remembered, err := recall(path, sent)
	if err != nil {
		f.unopened(promised, err)
		return
	}
	for _, id := range promised {
		if !known[id] {
			f.lost++
			f.note(fmt.Errorf("event %s, one of %d, is not remembered", id, len(promised)))
		}
	}
	if remembered != len(known) {
		f.misread++
		f.note(fmt.Errorf("%d events are remembered, and only %d of those that were sent", remembered, len(known)))
	}
	if _, remembered, err := recall(path, nil); err != nil || remembered > 0 {
		f.unusable++
		f.note(errors.Join(err, fmt.Errorf("after all was forgotten, %d events are remembered", remembered)))
	}
}

// recall opens a receiver's file, and has it forget events. It returns which of
// them it knew, and how many it remembered before.
func recall(path string, ids []string) (known map[string]bool, remembered int, err error) {
	state, rc, err := openSeen(path, nil)
	if err != nil {
		return nil, 0, err
	}
	defer state.Close()
	stats := state.Stats()
	known = make(map[string]bool)
	for _, id := range ids {
		forgotten, err := rc.Forget(id)
		if err != nil {
			return nil, 0, err
		}
		if forgotten {
			known[id] = true
		}
	}
	return known, stats.Exact + stats.Settled, nil
}
