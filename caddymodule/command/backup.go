package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"
)

// backup is `caddy webhooks backup`.
func (set *commands) backup() *cobra.Command {
	return &cobra.Command{
		Use:   "backup <file>",
		Short: "Copies the store of a running Caddy to a file",
		Long: help(`
Copies the SQLite store of a running Caddy to a file, while it goes on taking
events in and delivering them. The file has everything that was accepted before
the command began; it must not exist yet. It holds secrets, and can be read by
its owner alone. While it is made there must be room for one more copy beside
the store.

To restore it, stop Caddy, remove the store with the -wal and -shm files beside
it, and put the copy in its place.`),
		Example: `  $ caddy webhooks backup webhooks-$(date +%F).db`,
		RunE: set.does(needs("file"), func(ctx context.Context, c *call) error {
			if c.args[0] == "-" {
				return newMisuse("a copy is made in a file, and not on stdout: name a new file, or write ./- for one of this name")
			}
			size, err := c.client.save(ctx, c.args[0])
			if err != nil {
				return err
			}
			c.notes.say("%s has the store as it was: %s.", c.args[0], humanize.IBytes(uint64(size)))
			return nil
		}),
	}
}

// save puts a copy of the store into a new file, whole and on the disk, or
// leaves none.
func (c *client) save(ctx context.Context, path string) (size int64, err error) {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		if err == nil {
			err = errors.New("it exists: name a new file, or remove it first")
		}
		return 0, fmt.Errorf("the file %s: %w", path, err)
	}
	resp, err := c.send(ctx, request{method: http.MethodGet, path: "backup", slow: true})
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if resp.Header.Get("Content-Type") != "application/vnd.sqlite3" {
		return 0, c.stranger()
	}
	// Under another name until it is whole.
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".part-")
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	if size, err = io.Copy(f, resp.Body); err != nil { // one that breaks off is an error
		_ = f.Close()
		return 0, fmt.Errorf("the copy broke off after %s: %w", humanize.IBytes(uint64(size)), err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return 0, err
	}
	return size, os.Rename(f.Name(), path)
}
