package integration

import (
	"path/filepath"
	"testing"
)

// TestReloadMovesTheStore moves to another store and back, several times, under
// load. What was accepted into either is delivered, once, at the latest when
// it is open again, and the stores are closed when nobody uses them.
func TestReloadMovesTheStore(t *testing.T) {
	onEachHost(t, func(t *testing.T, h host) {
		s := newScene(t, h)
		first, second := s.plan, s.plan
		second.store = filepath.Join(s.folder(), "second.db")
		s.start()
		tr := newTraffic(s)
		tr.wobbly = true // a request that comes just as its store is closed has to come again
		tr.start()
		tr.more(10)
		files := len(openFiles(t, h))
		for range 3 {
			for _, p := range []plan{second, first} {
				mustLoad(t, h, s.caddyfile(p))
				tr.more(10)
			}
		}
		tr.pause()
		// What came in while one was being closed may be left in it.
		for _, p := range []plan{second, first} {
			mustLoad(t, h, s.caddyfile(p))
			waitFor(t, "the store to be empty", func() bool {
				n, ok := h.metric(`caddy_webhooks_backlog_deliveries{endpoint="crm"}`)
				return ok && n == 0
			})
		}
		tr.check("at the end")
		settles(t, "the open files", files, func() []string { return openFiles(t, h) })
	})
}
