package receiver

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// journalEvery is how often committed keys are written to the file. With
	// the time that the disk takes, a crash forgets about a second.
	journalEvery = 500 * time.Millisecond

	// journalRetry is how long after a failure the file is written anew.
	journalRetry = 10 * time.Second

	// maxUnwritten is how many keys may wait to be written, while the disk
	// hangs. Beyond that the file is written anew when it can be.
	maxUnwritten = 1 << 20

	// journalSlack is how many records a file may hold in vain.
	journalSlack = 1 << 14
)

// ErrStateInUse is wrapped by the error of [OpenState] when the file belongs
// to another State, of this process or of another.
var ErrStateInUse = errors.New("the file of seen events is in use")

// journal keeps the committed keys in a file. Keys are noted under the
// history's lock, and written by a goroutine of its own. When that fails, the
// receiver goes on in memory, and the file is written anew later.
type journal struct {
	path   string
	logger *slog.Logger
	lock   *os.File

	// Guarded by the history's lock.
	unwritten []unwritten
	lost      bool // the file lacks something, or holds something broken

	writing sync.Mutex // held while writing, for what follows
	file    *os.File   // nil while there is none that could be appended to
	records int        // in the file
	spare   []unwritten
	text    []byte
	retryAt time.Time

	failures atomic.Int64
	failing  atomic.Bool
	every    time.Duration
	stop     chan struct{}
	done     chan struct{}
}

// unwritten is an entry of the history that is not in the file yet.
type unwritten struct {
	remembered
	ttl int64 // 0: the key was forgotten on request
}

// note notes an entry. The history must be locked.
func (j *journal) note(r remembered, ttl int64) {
	if j == nil || j.lost {
		return // a file that is written anew will have it
	}
	if len(j.unwritten) == maxUnwritten {
		j.lost, j.unwritten = true, nil
		return
	}
	j.unwritten = append(j.unwritten, unwritten{r, ttl})
}

// openJournal locks the file at path and reads it, if there is one.
func openJournal(path string, logger *slog.Logger) (*journal, []byte, error) {
	lock, err := lockFile(path)
	if err != nil {
		return nil, nil, err
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	var content fileContent
	if err == nil {
		content, err = checkFile(data)
	}
	if err != nil {
		_ = lock.Close()
		return nil, nil, fmt.Errorf("the file of seen events %s cannot be used: %w: name another file", path, err)
	}
	j := &journal{
		path: path, logger: logger, lock: lock, lost: content.broken,
		every: journalEvery, stop: make(chan struct{}), done: make(chan struct{}),
	}
	return j, content.records, nil
}

// start makes the file one that can be appended to, and begins to write. A
// full disk is no error: it may have room later.
func (j *journal) start(h *history, records int) error {
	j.records = records
	var err error
	if !j.lost {
		j.file, err = os.OpenFile(j.path, os.O_WRONLY|os.O_APPEND, 0)
	} else {
		err = j.rewrite(h)
	}
	if errors.Is(err, fs.ErrPermission) {
		_ = j.lock.Close()
		return fmt.Errorf("the file of seen events %s cannot be written: %w: give the process access to it and its folder, or name another file", j.path, err)
	}
	j.report(h, err)
	go j.run(h)
	return nil
}

func (j *journal) run(h *history) {
	defer close(j.done)
	tick := time.NewTicker(j.every)
	defer tick.Stop()
	for stopping := false; !stopping; {
		select {
		case <-tick.C:
		case <-j.stop:
			stopping = true
			j.writing.Lock()
			j.retryAt = time.Time{} // there is no later
			j.writing.Unlock()
		}
		j.flush(h)
	}
	if j.file != nil {
		_ = j.file.Close()
	}
	_ = j.lock.Close()
}

// close writes what is left and ends. Nothing may be noted afterwards.
func (j *journal) close() {
	if j == nil {
		return
	}
	close(j.stop)
	<-j.done
}

// flush writes what has been noted, or the whole file anew when it must be or
// when most of it is in vain.
func (j *journal) flush(h *history) {
	j.writing.Lock()
	defer j.writing.Unlock()
	if h.now().Before(j.retryAt) {
		return
	}
	h.mu.Lock()
	anew := j.lost || j.records+len(j.unwritten) > 2*(h.count-h.dead)+journalSlack
	batch := j.unwritten
	if !anew && len(batch) > 0 {
		j.unwritten, j.spare = j.spare, nil
	}
	offset := h.now().UnixNano() - h.clock()
	h.mu.Unlock()
	switch {
	case anew:
		j.report(h, j.rewrite(h))
	case len(batch) > 0:
		j.report(h, j.append(batch, offset))
		if cap(batch) <= 1<<16 {
			j.spare = batch[:0]
		}
	}
}

// report notes how writing went.
func (j *journal) report(h *history, err error) {
	if err == nil {
		if j.failing.Swap(false) {
			j.logger.Info("seen events are written to their file again", slog.String("file", j.path))
		}
		return
	}
	h.mu.Lock()
	j.lost, j.unwritten = true, nil
	h.mu.Unlock()
	j.failures.Add(1)
	j.retryAt = h.now().Add(journalRetry)
	if !j.failing.Swap(true) {
		j.logger.Error("seen events cannot be written to their file: they are remembered in memory alone, and would be forgotten at a restart",
			slog.String("file", j.path), slog.String("error", err.Error()))
	}
}

// append writes records at the end of the file. Offset is the difference
// between the records' time and the history's.
func (j *journal) append(batch []unwritten, offset int64) error {
	j.text = j.text[:0]
	for i := range batch {
		j.text = appendUnwritten(j.text, &batch[i], offset)
	}
	if _, err := j.file.Write(j.text); err != nil {
		return err
	}
	if err := j.file.Sync(); err != nil {
		return err
	}
	j.records += len(batch)
	if cap(j.text) > 1<<20 {
		j.text = nil
	}
	return nil
}

func appendUnwritten(text []byte, u *unwritten, offset int64) []byte {
	r := record{key: u.key, ttl: time.Duration(u.ttl), paired: u.paired()}
	if u.ttl != 0 {
		r.expires = max(1, min(u.expires&^1, math.MaxInt64-max(0, offset))+offset)
	}
	return r.appendTo(text)
}

// rewrite writes all that is remembered to a new file, and puts it in the place
// of the old one.
func (j *journal) rewrite(h *history) error {
	if j.file != nil {
		_ = j.file.Close()
		j.file = nil
	}
	h.mu.Lock()
	entries := h.entries(make([]unwritten, 0, h.count))
	offset := h.now().UnixNano() - h.clock()
	j.lost, j.unwritten = false, nil
	h.mu.Unlock()

	fresh := j.path + ".new"
	if err := writeFile(fresh, entries, offset); err != nil {
		_ = os.Remove(fresh)
		return err
	}
	if err := os.Rename(fresh, j.path); err != nil {
		return err
	}
	if err := syncFolder(filepath.Dir(j.path)); err != nil {
		return err
	}
	file, err := os.OpenFile(j.path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	j.file, j.records = file, len(entries)
	return nil
}

// entries appends all entries that are not dead. The history must be locked.
func (h *history) entries(dst []unwritten) []unwritten {
	for _, f := range h.fifos {
		for r := range f.all {
			if !r.dead() {
				dst = append(dst, unwritten{*r, f.ttl})
			}
		}
	}
	return dst
}

// writeFile makes a file of entries that is on the disk when it returns. What a
// crash may have left under its name goes first, and nothing else is written to:
// it could be a link that somebody has put there.
func writeFile(path string, entries []unwritten, offset int64) (err error) {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if closed := f.Close(); err == nil {
			err = closed
		}
	}()
	const atOnce = 1 << 16
	text := append(make([]byte, 0, atOnce+recordSize), fileHeader...)
	for i := range entries {
		text = appendUnwritten(text, &entries[i], offset)
		if len(text) >= atOnce {
			if _, err := f.Write(text); err != nil {
				return err
			}
			text = text[:0]
		}
	}
	if _, err := f.Write(text); err != nil {
		return err
	}
	return f.Sync()
}
