package sqlitestore

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// fileMagic begins every SQLite file (SQLite, "Database File Format", 1.3).
const fileMagic = "SQLite format 3\x00"

// prepareFolder makes the folder of the file, readable by its owner alone,
// and returns the file's path, absolute and with symbolic links resolved, so
// that one file has one name and one lock.
func prepareFolder(path string) (string, error) {
	if path == "" {
		return "", errors.New("store: the path is empty: name a file, such as /var/lib/caddy/webhooks.db")
	}
	absolute, err := filepath.Abs(path)
	if err == nil {
		absolute, err = followLinks(absolute)
	}
	if err != nil {
		return "", fmt.Errorf("store %s: finding its folder: %w", path, err)
	}
	folder := filepath.Dir(absolute)
	if err := makeFolder(folder); err != nil {
		return "", fmt.Errorf("store %s: its folder cannot be made: %w", absolute, err)
	}
	if resolved, err := filepath.EvalSymlinks(absolute); err == nil {
		return resolved, nil
	}
	if folder, err = filepath.EvalSymlinks(folder); err != nil {
		return "", fmt.Errorf("store %s: its folder cannot be used: %w", absolute, err)
	}
	return filepath.Join(folder, filepath.Base(absolute)), nil
}

// followLinks is where a file lies that a path names by symbolic links, also when
// it is still to be made there, which [filepath.EvalSymlinks] does not tell. The
// folder may be named by links.
func followLinks(path string) (string, error) {
	const most = 40 // as many as Linux follows
	for range most {
		to, err := os.Readlink(path)
		if err != nil {
			return path, nil //nolint:nilerr // it is no link
		}
		if !filepath.IsAbs(to) {
			folder, err := filepath.EvalSymlinks(filepath.Dir(path))
			if err != nil {
				return "", err
			}
			to = filepath.Join(folder, to)
		}
		path = to
	}
	return "", errors.New("the path leads through too many symbolic links: name the file")
}

// makeFolder is [os.MkdirAll] that survives a loss of power: a new folder is
// an entry of its parent, which is synced too.
func makeFolder(folder string) error {
	var missing []string
	for dir := folder; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) || dir == filepath.Dir(dir) {
			break
		}
		missing = append(missing, dir)
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	for _, dir := range slices.Backward(missing) {
		// Not every system can sync a folder: there is nothing to be done.
		if parent, err := os.Open(filepath.Dir(dir)); err == nil {
			_ = parent.Sync()
			_ = parent.Close()
		}
	}
	return nil
}

// prepareFile makes the file if there is none and otherwise says whether it
// can be a store at all. SQLite gives the mode of the file to the two files
// that it keeps beside it. The caller holds the lock: closing a file that
// this process has open in SQLite would free SQLite's own locks.
func prepareFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("store %s: it cannot be opened for writing: %w", path, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("store %s: reading its size: %w", path, err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("store %s: it is not a regular file: name another path", path)
	}
	if info.Size() == 0 {
		// SQLite would drop the log of an empty file, and what is in it.
		if log, err := os.Stat(path + "-wal"); err == nil && log.Size() > 0 {
			return fmt.Errorf("store %s: the file is missing or empty, but its log %s-wal is not: restore the file, or move the log away to begin a new store", path, path)
		}
		return nil
	}
	magic := make([]byte, len(fileMagic))
	if _, err := io.ReadFull(f, magic); err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("store %s: reading it: %w", path, err)
	}
	if !bytes.Equal(magic, []byte(fileMagic)) {
		return fmt.Errorf("store %s: the file is not a SQLite database: name another path", path)
	}
	return nil
}
