package sqlitestore

import (
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// lane is what is known of one endpoint.
type lane struct {
	number int64
	id     string

	// seen says, for first tries and for retries, up to where every pending
	// delivery is held, so that looking for others can begin there.
	seen [2]position

	// pending is how many deliveries are pending, held ones included, and
	// change is by how much the transaction under way changes that.
	pending, change int64

	// blocked tells that there may be blocked deliveries. Without it, to unblock
	// those of each of very many endpoints would take a transaction for each.
	blocked bool
}

// position is a place in the order of claims.
type position struct {
	due, seq int64
}

// beginning comes before every delivery.
var beginning = position{due: -1 << 63, seq: -1 << 63}

// before tells whether p comes before q.
func (p position) before(q position) bool {
	return p.due < q.due || p.due == q.due && p.seq < q.seq
}

// look has the next claims of either kind begin at a place, if they would begin
// after it: a delivery there is not held any more.
func (l *lane) look(at position) {
	for kind, seen := range l.seen {
		if at.before(seen) {
			l.seen[kind] = at
		}
	}
}

// endpoints are the numbers of all endpoints that ever had a delivery.
type endpoints struct {
	byID     map[string]*lane
	byNumber map[int64]*lane
	last     int64
	added    []*lane // by the transaction under way
	changed  []*lane // by the transaction under way, in what is pending
	freed    []*lane // by the transaction under way, of all that was blocked
	insert   *sqlite.Stmt

	// pending are those that have pending deliveries, so that others cost
	// nothing when these are counted.
	pending map[*lane]struct{}
}

// load reads the numbers from the file.
func (e *endpoints) load(conn *sqlite.Conn) error {
	e.byID, e.byNumber, e.pending = map[string]*lane{}, map[int64]*lane{}, map[*lane]struct{}{}
	err := sqlitex.Execute(conn, "SELECT number, id FROM endpoints", &sqlitex.ExecOptions{
		ResultFunc: func(stmt *sqlite.Stmt) error {
			e.add(&lane{number: stmt.ColumnInt64(0), id: stmt.ColumnText(1)})
			return nil
		},
	})
	e.added = nil
	return err
}

// add puts an endpoint in memory.
func (e *endpoints) add(l *lane) {
	l.seen = [2]position{beginning, beginning}
	e.byID[l.id], e.byNumber[l.number] = l, l
	e.last = max(e.last, l.number)
	e.added = append(e.added, l)
}

// named is the endpoint of an ID; it gets a number if it has none.
func (e *endpoints) named(id string) (*lane, error) {
	if l := e.byID[id]; l != nil {
		return l, nil
	}
	l := &lane{number: e.last + 1, id: id}
	e.insert.BindInt64(1, l.number)
	e.insert.BindText(2, id)
	if err := run(e.insert); err != nil {
		return nil, err
	}
	e.add(l)
	return l, nil
}

// pend notes that n more deliveries of an endpoint are pending, or fewer.
func (e *endpoints) pend(l *lane, n int) {
	if n != 0 && l.change == 0 {
		e.changed = append(e.changed, l)
	}
	l.change += int64(n)
}

// setPending says how many deliveries of an endpoint are pending.
func (e *endpoints) setPending(l *lane, n int64) {
	switch before := l.pending; {
	case before <= 0 && n > 0:
		e.pending[l] = struct{}{}
	case before > 0 && n <= 0:
		delete(e.pending, l)
	}
	l.pending = n
}

// commit keeps what the transaction has changed.
func (e *endpoints) commit() {
	for _, l := range e.changed {
		e.setPending(l, l.pending+l.change)
		l.change = 0
	}
	for _, l := range e.freed {
		l.blocked = false
	}
	e.added, e.changed, e.freed = e.added[:0], e.changed[:0], e.freed[:0]
}

// undo forgets what the transaction has changed.
func (e *endpoints) undo() {
	for _, l := range e.changed {
		l.change = 0
	}
	for _, l := range e.added {
		delete(e.byID, l.id)
		delete(e.byNumber, l.number)
		e.last = min(e.last, l.number-1)
	}
	e.added, e.changed, e.freed = e.added[:0], e.changed[:0], e.freed[:0]
}
