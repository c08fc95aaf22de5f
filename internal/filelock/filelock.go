// Package filelock locks files against other processes, and against a second
// opening by the same one.
package filelock

import "errors"

// ErrLocked is what [TryLock] returns when somebody else has the lock.
var ErrLocked = errors.New("locked")
