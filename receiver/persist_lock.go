package receiver

import (
	"errors"
	"fmt"
	"os"

	"github.com/manysends/caddy-webhooks/internal/filelock"
)

// lockFile takes the lock of the file of seen events at path: a file beside
// it, since that one is replaced now and then. The lock ends with the process,
// however that ends; the file stays, because removing it would let two
// processes lock two files of the same name.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the file of seen events %s cannot be used: its folder is not writable: %w", path, err)
	}
	if err := filelock.TryLock(f); err != nil {
		_ = f.Close()
		if errors.Is(err, filelock.ErrLocked) {
			return nil, fmt.Errorf("%w: %s belongs to another process, to another receiver of this one, or to one that has been closed and is still serving its last requests: end it, wait for them, or name another file", ErrStateInUse, path)
		}
		return nil, fmt.Errorf("the file of seen events %s cannot be locked: %w", path, err)
	}
	return f, nil
}
