package sqlitestore

import (
	"context"
	"errors"

	"zombiezen.com/go/sqlite"

	"github.com/manysends/caddy-webhooks/sender/internal/stored"
)

// writer is the one connection that writes, with what the process knows of the
// store in memory. Who has it may use all of it.
type writer struct {
	conn      *sqlite.Conn
	endpoints endpoints
	holds     holds

	// nextSeq is the number of the next event.
	nextSeq int64
	// lowWater is the mark as it is in the file.
	lowWater int64

	// counted is what the Settle under way has counted.
	counted stored.Counted

	// scratch is reused for lists of endpoints, and for the details of attempts.
	scratch      []byte
	scratchNums  []int64
	scratchLanes []*lane

	begin, commit, rollback *sqlite.Stmt
	put                     putStatements
	settle                  settleStatements
	claim                   claimStatements
	purge                   purgeStatements
	unwritten               unwrittenStatements
	unblock                 *sqlite.Stmt
	override                overrideStatements
	counters                counterStatements
	documents               documentStatements
	setMark, setTargets     *sqlite.Stmt
}

// lastSeq is the greatest number that an event ever had.
const lastSeq = `SELECT max((SELECT value FROM marks WHERE name = 'last_seq'), (SELECT coalesce(max(seq), 0) FROM events))`

// sparingDelete has what is deleted zeroed where the page is written anyway, and
// not in pages that become free, which would make purging events dear.
const sparingDelete = "secure_delete=FAST"

// openWriter opens the file, makes or migrates its schema, checks it, and
// reads what is kept in memory.
func openWriter(path string) (_ *writer, err error) {
	conn, err := connect(path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, conn.Close())
		}
	}()
	if err := migrate(conn); err != nil {
		return nil, err
	}
	// journal_size_limit: a log that one long reading has made large is cut
	// back afterwards.
	if err := pragmas(conn, "wal_autocheckpoint=1000", "cache_size=-16384", "journal_size_limit=67108864", sparingDelete); err != nil {
		return nil, err
	}
	if err := check(conn); err != nil {
		return nil, err
	}
	w := &writer{conn: conn, holds: newHolds()}
	if err := w.prepare(); err != nil {
		return nil, err
	}
	if err := w.endpoints.load(conn); err != nil {
		return nil, err
	}
	if w.lowWater, err = number(conn, "SELECT value FROM marks WHERE name = 'low_water'"); err != nil {
		return nil, err
	}
	last, err := number(conn, lastSeq)
	if err != nil {
		return nil, err
	}
	w.nextSeq = last + 1
	return w, nil
}

// prepare prepares all statements of the writer.
func (w *writer) prepare() error {
	all := prepared{
		{&w.begin, "BEGIN IMMEDIATE"},
		{&w.commit, "COMMIT"},
		{&w.rollback, "ROLLBACK"},
		{&w.setMark, "UPDATE marks SET value = ?2 WHERE name = ?1"},
		{&w.unblock, unblockSome},
		{&w.setTargets, setTargets},
	}
	all = append(all, w.put.list()...)
	all = append(all, w.settle.list()...)
	all = append(all, w.claim.list()...)
	all = append(all, w.purge.list()...)
	all = append(all, w.unwritten.list()...)
	all = append(all, w.override.list()...)
	all = append(all, w.counters.list()...)
	all = append(all, w.documents.list()...)
	all = append(all, prepared{{&w.endpoints.insert, "INSERT INTO endpoints (number, id) VALUES (?1, ?2)"}}...)
	return all.prepare(w.conn)
}

// transact runs do in a transaction and commits it. On any error, the context's
// included, the file and the memory are as before.
func (w *writer) transact(ctx context.Context, do func(*writer) error) error {
	if !w.conn.AutocommitEnabled() { // an earlier rollback did not work
		if err := run(w.rollback); err != nil {
			return err
		}
	}
	if err := run(w.begin); err != nil {
		return err
	}
	nextSeq, lowWater := w.nextSeq, w.lowWater
	err := do(w)
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = run(w.commit)
	}
	if err == nil {
		w.holds.commit()
		w.endpoints.commit()
		return nil
	}
	w.nextSeq, w.lowWater = nextSeq, lowWater
	w.holds.undo(nextSeq)
	w.endpoints.undo()
	if w.conn.AutocommitEnabled() { // SQLite has rolled back by itself
		return err
	}
	return errors.Join(err, run(w.rollback))
}

// mark sets one of the marks in the file.
func (w *writer) mark(name string, value int64) error {
	w.setMark.BindText(1, name)
	w.setMark.BindInt64(2, value)
	return run(w.setMark)
}
