package integration

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/receiver"
	"github.com/manysends/caddy-webhooks/sender/sqlitestore"
)

// TestReloadMatrix reloads a Caddy under load in every way there is. Whatever
// becomes of the configuration: no event that was accepted is lost, none is
// refused, none arrives twice; the receivers forget neither events nor how much
// of their limits is used up; the metrics count on; and no goroutine and no
// file is left over.
func TestReloadMatrix(t *testing.T) {
	onEachHost(t, func(t *testing.T, h host) {
		s := newScene(t, h)
		wrong := newTally(t)
		rows := reloadRows(t, s, wrong.URL)
		s.start()
		m := newMemory(s)
		tr := newTraffic(s)
		tr.start()
		tr.more(10)
		tr.pause()
		tr.check("at first")
		m.check("at first", tr)
		goroutines, files := len(h.goroutines()), len(openFiles(t, h))

		for _, row := range rows {
			p := s.plan
			row.change(&p)
			tr.start()
			for range row.times {
				do := h.load
				if row.validate {
					do = h.validate
				}
				out, err := do(s.caddyfile(p))
				if (err == nil) != (row.refused == "") || !strings.Contains(out, row.refused) {
					t.Fatalf("%s: %v\n%s", row.name, err, out)
				}
			}
			if row.refused == "" && !row.validate {
				s.plan = p
			}
			tr.more(10)
			tr.pause()
			tr.check(row.name)
			m.check(row.name, tr)
			settles(t, row.name+": the goroutines", goroutines, h.goroutines)
			settles(t, row.name+": the open files", files, func() []string { return openFiles(t, h) })
		}
		if n := wrong.size(); n > 0 {
			t.Errorf("%d events went where only configurations that were rejected send them", n)
		}
		t.Logf("%d events published and %d received, %d sent again because their connection was closed", len(tr.accepted), len(tr.received), len(tr.unsure))
	})
}

// settles waits until there are no more of what is listed than there were.
func settles(t *testing.T, what string, before int, list func() []string) {
	t.Helper()
	var now []string
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if now = list(); len(now) <= before {
			return
		}
	}
	t.Fatalf("%s have become %d, and were %d:\n%s", what, len(now), before, strings.Join(now, "\n\n"))
}

// reloadRow is a way to reload.
type reloadRow struct {
	name     string
	times    int // the order in which Caddy starts its apps is random
	validate bool
	change   func(*plan)
	refused  string // the reason; empty: it is accepted
}

func reloadRows(t *testing.T, s *scene, wrong string) []reloadRow {
	t.Helper()
	// What somebody else has open.
	store, file := filepath.Join(t.TempDir(), "locked.db"), filepath.Join(t.TempDir(), "locked.seen")
	locked, err := sqlitestore.Open(store, sqlitestore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = locked.Close() })
	seen, err := receiver.OpenState(receiver.StateOptions{Path: file})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(seen.Close)
	taken := "\nhttp://" + strings.TrimPrefix(s.customer.URL, "http://") + " {\n\tbind 127.0.0.1\n\trespond ok\n}\n"
	return []reloadRow{
		{name: "the same again", times: 3, change: func(*plan) {}},
		{name: "other settings of the sender", times: 1, change: func(p *plan) { p.sender = "timeout 21s" }},
		{name: "other settings of the receiver", times: 1, change: func(p *plan) { p.receive = "max_size 2MiB" }},
		{name: "settings of the sender that it refuses", times: 2, change: func(p *plan) { p.customer, p.sender = wrong, "retry 0s" }, refused: "longer than zero"},
		{name: "settings of a receiver that it refuses", times: 2, change: func(p *plan) { p.customer, p.receive = wrong, "key sha9" }, refused: "key"},
		{name: "a secret that is not there", times: 2, change: func(p *plan) { p.customer, p.secret = wrong, "{env.NO_SUCH_SECRET}" }, refused: "NO_SUCH_SECRET"},
		{name: "a store that somebody else has open", times: 3, change: func(p *plan) { p.customer, p.store = wrong, store }, refused: "in use"},
		{name: "a file of seen events that somebody else has open", times: 4, change: func(p *plan) { p.customer, p.seen = wrong, file }, refused: "in use"},
		{name: "an address that somebody else has", times: 4, change: func(p *plan) {
			p.customer, p.sender, p.receive, p.further = wrong, "timeout 22s", "max_size 3MiB", taken
		}, refused: "address already in use"},
		{name: "another store and an address that somebody else has", times: 4, change: func(p *plan) {
			p.customer, p.store, p.seen, p.further = wrong, filepath.Join(s.folder(), "never.db"), filepath.Join(s.folder(), "never.seen"), taken
		}, refused: "address already in use"},
		{name: "validating what runs", times: 2, validate: true, change: func(*plan) {}},
		{name: "validating something else", times: 1, validate: true, change: func(p *plan) { p.customer, p.sender = wrong, "timeout 24s" }},
		{name: "validating what is refused", times: 1, validate: true, change: func(p *plan) { p.sender = "retry 0s" }, refused: "longer than zero"},
		{name: "other settings after all that", times: 1, change: func(p *plan) { p.sender = "timeout 23s" }},
	}
}
