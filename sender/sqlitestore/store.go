package sqlitestore

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/manysends/caddy-webhooks/sender"
)

// Options are the settings of [Open]. The zero value is valid.
type Options struct {
	// Logger is told what Open found and did. Default: nothing is logged.
	Logger *slog.Logger
}

// readers is how many connections read beside the writer.
const readers = 2

// busyTimeout is how long a call waits for another program, such as the
// sqlite3 shell, that has locked the file.
const busyTimeout = 5 * time.Second

// Store is a [sender.Store] in one SQLite file. Make it with [Open].
//
// A connection of SQLite must not be used by two goroutines at once, so each
// has one owner at a time: who takes it out of its channel.
type Store struct {
	path    string
	lock    *os.File
	writer  chan *writer
	readers chan *reader

	conns []*sqlite.Conn // in the order they were opened

	purging  sync.Mutex // held by Purge
	progress purgeProgress

	closing   chan struct{} // closed when Close begins
	closeOnce sync.Once
	closeErr  error
}

var _ sender.PutSettler = (*Store)(nil)

// Open opens the store in the file at path and makes it, and its folder, if
// there is none; both can then be read by their owner alone.
//
// Errors name the file. They wrap [sender.ErrStoreInUse] when a process has
// the store open already, this one included. Open refuses a file that is not a
// store, that is damaged, or that a newer version has made; it never replaces
// one.
func Open(path string, o Options) (_ *Store, err error) {
	logger := o.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	path, err = prepareFolder(path)
	if err != nil {
		return nil, err
	}
	s := &Store{
		path:    path,
		writer:  make(chan *writer, 1),
		readers: make(chan *reader, readers),
		closing: make(chan struct{}),

		progress: newPurgeProgress(),
	}
	if s.lock, err = lockFile(path); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = s.disconnect()
		}
	}()
	if err := prepareFile(path); err != nil {
		return nil, err
	}
	if err := removeCopies(path); err != nil {
		return nil, fmt.Errorf("store %s: reading its folder: %w", path, err)
	}
	began := time.Now()
	w, err := openWriter(path)
	if err != nil {
		return nil, s.failed("opening it", err)
	}
	s.conns = append(s.conns, w.conn)
	s.writer <- w
	written, err := w.writeUnwritten()
	if err != nil {
		return nil, s.failed("reading what is pending", err)
	}
	if err := w.loadPending(); err != nil {
		return nil, s.failed("counting what is pending", err)
	}
	if err := w.loadBlocked(); err != nil {
		return nil, s.failed("looking for what is blocked", err)
	}
	for range readers {
		r, err := openReader(path)
		if err != nil {
			return nil, s.failed("opening it", err)
		}
		s.conns = append(s.conns, r.conn)
		s.readers <- r
	}
	logger.Info("store opened", "path", path, "last_event", w.nextSeq-1,
		"deliveries_taken_over", written, "duration", time.Since(began))
	return s, nil
}

// Path is the file of the store, absolute and without symbolic links.
func (s *Store) Path() string { return s.path }

// Close implements [sender.Store]. It leaves one file, with everything in it.
func (s *Store) Close() error {
	s.closeOnce.Do(func() {
		close(s.closing)
		for range readers {
			<-s.readers
		}
		<-s.writer
		if err := s.disconnect(); err != nil {
			s.closeErr = s.failed("closing it", err)
		}
	})
	return s.closeErr
}

// disconnect closes all connections, the writer last, and frees the lock.
func (s *Store) disconnect() error {
	var errs []error
	for _, conn := range slices.Backward(s.conns) {
		errs = append(errs, conn.Close())
	}
	return errors.Join(append(errs, s.lock.Close())...)
}

// read runs do with a reading connection, which sees one state of the store
// throughout. What it does is named by doing, for errors.
func (s *Store) read(ctx context.Context, doing string, do func(*reader) error) error {
	r, err := take(ctx, s, s.readers)
	if err != nil {
		return err
	}
	defer func() { s.readers <- r }()
	if err := run(r.begin); err != nil {
		return s.failed(doing, err)
	}
	err = do(r)
	return s.failed(doing, errors.Join(err, run(r.rollback)))
}

// write runs do in a transaction of the writer and commits it, to disk. On
// any error everything is as before, in the file and in memory.
func (s *Store) write(ctx context.Context, doing string, do func(*writer) error) error {
	w, err := take(ctx, s, s.writer)
	if err != nil {
		return err
	}
	defer func() { s.writer <- w }()
	return s.failed(doing, w.transact(ctx, do))
}

// take takes a connection out of its channel. Errors wrap
// [sender.ErrStoreClosed] or the context's error.
func take[C any](ctx context.Context, s *Store, from <-chan C) (C, error) {
	var none C
	select {
	case <-s.closing:
		return none, s.failed("using it", sender.ErrStoreClosed)
	default:
	}
	if err := ctx.Err(); err != nil {
		return none, s.failed("waiting for it", err)
	}
	select {
	case c := <-from:
		return c, nil
	case <-s.closing:
		return none, s.failed("using it", sender.ErrStoreClosed)
	case <-ctx.Done():
		return none, s.failed("waiting for it", ctx.Err())
	}
}

func (s *Store) failed(doing string, err error) error { return failed(s.path, doing, err) }

// failed names the file in an error of SQLite, says what was being done, and
// wraps [sender.ErrStoreFull] where that is the cause. Nil stays nil.
func failed(path, doing string, err error) error {
	if err == nil {
		return nil
	}
	// Of joined errors, the code is that of the first.
	switch sqlite.ErrCode(err).ToPrimary() {
	case sqlite.ResultFull:
		err = fmt.Errorf("%w: make room on its disk: %w", sender.ErrStoreFull, err)
	case sqlite.ResultCorrupt, sqlite.ResultNotADB:
		err = fmt.Errorf("the file is damaged: restore it from a backup, or move it away to begin a new one: %w", err)
	case sqlite.ResultBusy:
		err = fmt.Errorf("another program has locked it: end that program: %w", err)
	}
	return fmt.Errorf("store %s: %s: %w", path, doing, err)
}
