//go:build !linux

package load

import "time"

// Now is the time in nanoseconds, by a clock that all processes of this machine
// share.
func Now() int64 { return time.Now().UnixNano() }
