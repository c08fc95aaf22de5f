package sqlitestore

import (
	"fmt"
	"strings"

	"zombiezen.com/go/sqlite"
)

// smallFile is up to how many bytes the whole file is checked on opening; it
// takes about a tenth of a second.
const smallFile = 16 << 20

// edges read the first and the last entry of every table and index, and so
// all the pages on the way there.
var edges = []string{
	"SELECT min(number) FROM endpoints", "SELECT max(number) FROM endpoints",
	"SELECT min(id) FROM endpoints", "SELECT max(id) FROM endpoints",
	"SELECT min(seq) FROM events", "SELECT max(seq) FROM events",
	"SELECT min(id) FROM events", "SELECT max(id) FROM events",
	"SELECT min(stored_at) FROM events", "SELECT max(stored_at) FROM events",
	"SELECT min(endpoint) FROM deliveries", "SELECT max(endpoint) FROM deliveries",
	"SELECT min(endpoint) FROM deliveries INDEXED BY deliveries_pending WHERE status = 1",
	"SELECT max(endpoint) FROM deliveries INDEXED BY deliveries_pending WHERE status = 1",
	"SELECT min(event_seq) FROM attempts", "SELECT max(event_seq) FROM attempts",
	"SELECT min(endpoint) FROM deliveries INDEXED BY deliveries_ended_of WHERE status <> 1 AND status <> 3",
	"SELECT max(endpoint) FROM deliveries INDEXED BY deliveries_ended_of WHERE status <> 1 AND status <> 3",
	"SELECT min(event_seq) FROM deliveries INDEXED BY deliveries_ended WHERE status <> 1 AND status <> 3 AND status = 2",
	"SELECT max(event_seq) FROM deliveries INDEXED BY deliveries_ended WHERE status <> 1 AND status <> 3 AND status = 5",
	"SELECT min(tenant) FROM events INDEXED BY events_tenant WHERE tenant <> ''",
	"SELECT max(tenant) FROM events INDEXED BY events_tenant WHERE tenant <> ''",
	"SELECT min(step) FROM counters", "SELECT max(step) FROM counters",
	"SELECT min(rowid) FROM documents", "SELECT max(rowid) FROM documents",
	"SELECT min(kind) FROM documents", "SELECT max(kind) FROM documents",
}

// check looks for damage in an open file: in a small one everywhere, in a
// large one where reading begins, because it must not take long. SQLite itself
// compares the size of the file with the one in its header.
func check(conn *sqlite.Conn) error {
	pages, err := number(conn, "PRAGMA page_count")
	if err != nil {
		return err
	}
	size, err := number(conn, "PRAGMA page_size")
	if err != nil {
		return err
	}
	if pages*size <= smallFile {
		answer, err := text(conn, "PRAGMA quick_check(1)")
		if err != nil {
			return err
		}
		if answer != "ok" {
			return fmt.Errorf("%w: %s", sqlite.ResultCorrupt.ToError(), strings.ReplaceAll(answer, "\n", " "))
		}
		return nil
	}
	for _, query := range edges {
		if _, err := number(conn, query); err != nil {
			return err
		}
	}
	return nil
}
