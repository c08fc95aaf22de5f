package sqlitestore

import (
	"errors"
	"fmt"
	"os"

	"github.com/manysends/caddy-webhooks/internal/filelock"
	"github.com/manysends/caddy-webhooks/sender"
)

// lockFile takes the lock of the store at path, a file beside it. The lock
// ends with the process, however that ends; the file stays, because removing
// it would let two processes lock two files of the same name. SQLite's own
// exclusive mode would do without the file, but then nothing could be read
// beside the writer, and the reason for a refusal would be lost.
//
// The error wraps [sender.ErrStoreInUse] when the lock is taken, also by this
// process.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("store %s: its folder is not writable: %w", path, err)
	}
	if err := filelock.TryLock(f); err != nil {
		_ = f.Close()
		if errors.Is(err, filelock.ErrLocked) {
			return nil, fmt.Errorf("store %s: %w by another process, or twice in this one: end it, or give this one another path", path, sender.ErrStoreInUse)
		}
		return nil, fmt.Errorf("store %s: locking it: %w", path, err)
	}
	return f, nil
}
