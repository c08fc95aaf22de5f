package receiver

import (
	"syscall"
	"time"
)

// cpuTime is what the process has used of processors so far.
func cpuTime() time.Duration {
	process, err := syscall.GetCurrentProcess()
	if err != nil {
		return 0
	}
	var created, ended, kernel, user syscall.Filetime
	if err := syscall.GetProcessTimes(process, &created, &ended, &kernel, &user); err != nil {
		return 0
	}
	ticks := func(t syscall.Filetime) time.Duration {
		return time.Duration(int64(t.HighDateTime)<<32 + int64(t.LowDateTime))
	}
	return 100 * time.Nanosecond * (ticks(kernel) + ticks(user))
}
