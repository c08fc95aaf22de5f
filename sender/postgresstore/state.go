package postgresstore

import (
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/manysends/caddy-webhooks/sender"
)

// delivery is the state of one delivery while a transaction changes it.
type delivery struct {
	deliveryKey
	before, after place // where its row is, and where it is to be
	reopened      bool  // it has left the row of one that has ended, though it may have ended again

	status        sender.Status
	attempts      int32
	scheduleStart int32
	due           int64
	size          int32
	retry         bool
	holder        int32 // 0: nobody

	attempt, body []byte           // that ended it
	own           int32            // the greatest number of an attempt that this transaction settles
	settled       map[int32]bool   // numbers of attempts that are known to be settled, or not
	add           []settledAttempt // to be recorded beside it
}

// settledAttempt is an attempt as it is recorded.
type settledAttempt struct {
	number        int32
	attempt, body []byte
}

// place is where a delivery's row is.
type place uint8

const (
	unwritten place = iota // there is none, and it is pending
	waiting
	ended
)

// deliveries are the states of some deliveries.
type deliveries map[deliveryKey]*delivery

// sorted are the deliveries in the order of their keys.
func (d deliveries) sorted() []*delivery {
	list := make([]*delivery, 0, len(d))
	for _, one := range d {
		list = append(list, one)
	}
	slices.SortFunc(list, func(a, b *delivery) int { return a.compare(b.deliveryKey) })
	return list
}

// keyColumns are keys, column by column.
func keyColumns(keys []deliveryKey) (seqs []int64, endpoints []int32) {
	for _, key := range keys {
		seqs, endpoints = append(seqs, key.seq), append(endpoints, key.endpoint)
	}
	return seqs, endpoints
}

// lockEvents reads to which endpoints the events $1 go, and keeps others from
// adding deliveries to them, from making such pending again that have come to an
// end, and from deleting the events, until the transaction has ended. Who does one
// of these locks the events first, so that what is read afterwards stays true; and
// all lock them in the same order, so that none waits for one that waits for it.
const lockEvents = `SELECT seq, size, targets FROM {s}.events WHERE seq = ANY($1::bigint[]) ORDER BY seq FOR UPDATE`

// lockWaiting reads the rows of waiting deliveries, and keeps others from
// changing them until the transaction has ended.
const lockWaiting = `SELECT w.event_seq, w.endpoint, w.status, w.attempts, w.schedule_start, coalesce(w.due, 0), w.size, w.retry, coalesce(w.holder, 0)
	FROM unnest($1::bigint[], $2::integer[]) AS k(event_seq, endpoint) JOIN {s}.waiting w USING (event_seq, endpoint)
	ORDER BY w.event_seq, w.endpoint FOR UPDATE OF w`

// readWaiting has lockWaiting read keys into deliveries. The keys are in order
// and each there once.
func (d deliveries) readWaiting(c *change, keys []deliveryKey) {
	seqs, endpoints := keyColumns(keys)
	c.query(lockWaiting, func(rows pgx.Rows) error {
		one := &delivery{before: waiting, after: waiting}
		var status int16
		err := rows.Scan(&one.seq, &one.endpoint, &status, &one.attempts, &one.scheduleStart, &one.due, &one.size, &one.retry, &one.holder)
		one.status = sender.Status(status)
		d[one.deliveryKey] = one
		return err
	}, seqs, endpoints)
}

// lockEnded is for deliveries that have ended what lockWaiting is for those that
// wait.
const lockEnded = `SELECT d.event_seq, d.endpoint, d.status, d.attempts, d.schedule_start, e.size, d.attempt, d.body
	FROM unnest($1::bigint[], $2::integer[]) AS k(event_seq, endpoint) JOIN {s}.deliveries d USING (event_seq, endpoint)
	JOIN {s}.events e ON e.seq = k.event_seq ORDER BY d.endpoint, d.event_seq FOR UPDATE OF d`

// readEnded has lockEnded read keys into deliveries.
func (d deliveries) readEnded(c *change, keys []deliveryKey) {
	seqs, endpoints := keyColumns(keys)
	c.query(lockEnded, func(rows pgx.Rows) error {
		one := &delivery{before: ended, after: ended}
		var status int16
		err := rows.Scan(&one.seq, &one.endpoint, &status, &one.attempts, &one.scheduleStart, &one.size, &one.attempt, &one.body)
		one.status = sender.Status(status)
		d[one.deliveryKey] = one
		return err
	}, seqs, endpoints)
}

// readAttempts reads which attempts of waiting deliveries are settled.
func (d deliveries) readAttempts(c *change, keys []deliveryKey, numbers []int32) {
	seqs, endpoints := keyColumns(keys)
	c.query(`SELECT a.event_seq, a.endpoint, a.number FROM unnest($1::bigint[], $2::integer[], $3::integer[]) AS k(event_seq, endpoint, number)
		JOIN {s}.attempts a USING (event_seq, endpoint, number)`, func(rows pgx.Rows) error {
		var key deliveryKey
		var number int32
		err := rows.Scan(&key.seq, &key.endpoint, &number)
		if one := d[key]; one != nil {
			one.note(number)
		}
		return err
	}, seqs, endpoints, numbers)
}

// note notes that an attempt is settled.
func (d *delivery) note(number int32) {
	if d.settled == nil {
		d.settled = map[int32]bool{}
	}
	d.settled[number] = true
}

// end gives a delivery that is pending or blocked its last status.
func (d *delivery) end(status sender.Status, attempt, body []byte) {
	d.status, d.after, d.holder, d.due = status, ended, 0, 0
	d.attempt, d.body = attempt, body
}

// write adds to a change what makes the rows of deliveries what they are to be.
func (d deliveries) write(c *change) {
	var removed, reopened []deliveryKey
	var wait waitingColumns
	var end endedColumns
	var attempts attemptColumns
	for _, one := range d.sorted() {
		switch {
		case one.after == waiting:
			wait.add(one)
		case one.after == ended && (one.before != ended || one.reopened):
			end.add(one)
		}
		if one.before == waiting && one.after == ended {
			removed = append(removed, one.deliveryKey)
		}
		if one.before == ended && one.reopened {
			reopened = append(reopened, one.deliveryKey)
		}
		for _, a := range one.add {
			attempts.add(one.deliveryKey, a)
		}
	}
	if len(removed) > 0 {
		seqs, endpoints := keyColumns(removed)
		c.exec(`DELETE FROM {s}.waiting w USING unnest($1::bigint[], $2::integer[]) AS k(event_seq, endpoint)
			WHERE w.event_seq = k.event_seq AND w.endpoint = k.endpoint`, seqs, endpoints)
	}
	if len(reopened) > 0 {
		seqs, endpoints := keyColumns(reopened)
		c.exec(`DELETE FROM {s}.deliveries d USING unnest($1::bigint[], $2::integer[]) AS k(event_seq, endpoint)
			WHERE d.event_seq = k.event_seq AND d.endpoint = k.endpoint`, seqs, endpoints)
	}
	wait.write(c)
	end.write(c)
	attempts.write(c)
}

// waitingColumns are rows of waiting deliveries, column by column.
type waitingColumns struct {
	seqs, dues                                  []int64
	endpoints, attempts, starts, sizes, holders []int32
	statuses                                    []int16
	retries                                     []bool
}

func (w *waitingColumns) add(d *delivery) {
	w.seqs, w.dues = append(w.seqs, d.seq), append(w.dues, d.due)
	w.endpoints, w.attempts, w.starts = append(w.endpoints, d.endpoint), append(w.attempts, d.attempts), append(w.starts, d.scheduleStart)
	w.sizes, w.holders = append(w.sizes, d.size), append(w.holders, d.holder)
	w.statuses, w.retries = append(w.statuses, int16(d.status)), append(w.retries, d.retry)
}

// putWaiting inserts rows, or replaces those that are there.
const putWaiting = `INSERT INTO {s}.waiting (event_seq, due, endpoint, attempts, schedule_start, size, holder, status, retry)
	SELECT event_seq, CASE WHEN status = 1 THEN due END, endpoint, attempts, schedule_start, size, nullif(holder, 0), status, retry
	FROM unnest($1::bigint[], $2::bigint[], $3::integer[], $4::integer[], $5::integer[], $6::integer[], $7::integer[], $8::smallint[], $9::boolean[])
		AS u(event_seq, due, endpoint, attempts, schedule_start, size, holder, status, retry)
	ON CONFLICT (event_seq, endpoint) DO UPDATE SET due = excluded.due, attempts = excluded.attempts,
		schedule_start = excluded.schedule_start, holder = excluded.holder, status = excluded.status, retry = excluded.retry`

func (w *waitingColumns) write(c *change) {
	if len(w.seqs) > 0 {
		c.exec(putWaiting, w.seqs, w.dues, w.endpoints, w.attempts, w.starts, w.sizes, w.holders, w.statuses, w.retries)
	}
}

// endedColumns are rows of deliveries that have ended, column by column.
type endedColumns struct {
	seqs                        []int64
	endpoints, attempts, starts []int32
	statuses                    []int16
	attempt, bodies             [][]byte
}

func (e *endedColumns) add(d *delivery) {
	e.seqs, e.endpoints = append(e.seqs, d.seq), append(e.endpoints, d.endpoint)
	e.attempts, e.starts, e.statuses = append(e.attempts, d.attempts), append(e.starts, d.scheduleStart), append(e.statuses, int16(d.status))
	e.attempt, e.bodies = append(e.attempt, d.attempt), append(e.bodies, d.body)
}

// putEnded inserts rows.
const putEnded = `INSERT INTO {s}.deliveries (event_seq, endpoint, attempts, schedule_start, status, attempt, body)
	SELECT * FROM unnest($1::bigint[], $2::integer[], $3::integer[], $4::integer[], $5::smallint[], $6::bytea[], $7::bytea[])`

func (e *endedColumns) write(c *change) {
	if len(e.seqs) > 0 {
		c.exec(putEnded, e.seqs, e.endpoints, e.attempts, e.starts, e.statuses, e.attempt, e.bodies)
	}
}

// attemptColumns are rows of attempts, column by column.
type attemptColumns struct {
	seqs               []int64
	endpoints, numbers []int32
	attempts, bodies   [][]byte
}

func (a *attemptColumns) add(key deliveryKey, one settledAttempt) {
	a.seqs, a.endpoints, a.numbers = append(a.seqs, key.seq), append(a.endpoints, key.endpoint), append(a.numbers, one.number)
	a.attempts, a.bodies = append(a.attempts, one.attempt), append(a.bodies, one.body)
}

// putAttempts inserts rows.
const putAttempts = `INSERT INTO {s}.attempts (event_seq, endpoint, number, attempt, body)
	SELECT * FROM unnest($1::bigint[], $2::integer[], $3::integer[], $4::bytea[], $5::bytea[])`

func (a *attemptColumns) write(c *change) {
	if len(a.seqs) > 0 {
		c.exec(putAttempts, a.seqs, a.endpoints, a.numbers, a.attempts, a.bodies)
	}
}
