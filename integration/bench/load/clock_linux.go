package load

import (
	"time"

	"golang.org/x/sys/unix"
)

// origin is a time by Go's clock, and the same one by the system's, which all
// processes of a machine share.
var origin, originShared = func() (time.Time, int64) {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		return time.Unix(0, 0), 0 // the system's time of day will do
	}
	return time.Now(), t.Nano()
}()

// Now is the time in nanoseconds, by a clock that never jumps and that all
// processes of this machine share.
func Now() int64 { return originShared + int64(time.Since(origin)) }
