package sqlitestore

import (
	"errors"
	"time"

	"zombiezen.com/go/sqlite"
)

// prepared is a list of statements to prepare: where each goes, and its SQL.
type prepared []struct {
	stmt **sqlite.Stmt
	sql  string
}

// prepare prepares the statements; they live as long as the connection.
func (p prepared) prepare(conn *sqlite.Conn) error {
	for _, s := range p {
		stmt, err := conn.Prepare(s.sql)
		if err != nil {
			return err
		}
		*s.stmt = stmt
	}
	return nil
}

// run runs a statement that answers nothing. All its parameters were bound:
// they are never cleared.
func run(stmt *sqlite.Stmt) error {
	if _, err := stmt.Step(); err != nil {
		return err
	}
	return stmt.Reset()
}

// row runs a statement that answers with one row at most, and has scan read
// it. It reports whether there was one.
func row(stmt *sqlite.Stmt, scan func()) (bool, error) {
	found, err := stmt.Step()
	if err != nil {
		return false, err
	}
	if found {
		scan()
	}
	return found, stmt.Reset()
}

// rows runs a statement and has scan read each row until it returns false.
func rows(stmt *sqlite.Stmt, scan func() (bool, error)) error {
	for {
		found, err := stmt.Step()
		if err != nil {
			return err
		}
		if found {
			found, err = scan()
		}
		if !found || err != nil {
			return errors.Join(err, stmt.Reset())
		}
	}
}

// bindOptional binds text, or NULL for "", which needs no memory of SQLite.
func bindOptional(stmt *sqlite.Stmt, param int, text string) {
	if text == "" {
		stmt.BindNull(param)
	} else {
		stmt.BindText(param, text)
	}
}

// columnBytes is a copy of a blob; nil when it is empty.
func columnBytes(stmt *sqlite.Stmt, column int) []byte {
	n := stmt.ColumnLen(column)
	if n == 0 {
		return nil
	}
	b := make([]byte, n)
	stmt.ColumnBytes(column, b)
	return b
}

// scratchBytes reads a blob into the memory given, if it has room.
func scratchBytes(stmt *sqlite.Stmt, column int, scratch []byte) []byte {
	n := stmt.ColumnLen(column)
	if cap(scratch) < n {
		scratch = make([]byte, n)
	}
	scratch = scratch[:n]
	stmt.ColumnBytes(column, scratch)
	return scratch
}

// columnTime is a time kept in milliseconds; NULL is the zero time.
func columnTime(stmt *sqlite.Stmt, column int) time.Time {
	if stmt.ColumnIsNull(column) {
		return time.Time{}
	}
	return time.UnixMilli(stmt.ColumnInt64(column)).UTC()
}
