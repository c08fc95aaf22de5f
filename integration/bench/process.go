package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// ticksPerSecond is the unit of the times in /proc/<pid>/stat, which Linux
// fixes for programs whatever the kernel uses.
const ticksPerSecond = 100

// Fields of /proc/<pid>/stat, counted from the third: processor time as a user
// and in the system, its own and that of children that have ended.
const utime, stime, cutime, cstime = 11, 12, 13, 14

// processorSeconds is how much processor time a process has used so far.
func processorSeconds(pid int) (float64, error) { return statSeconds(pid, utime, stime) }

// statSeconds adds up fields of /proc/<pid>/stat.
func statSeconds(pid int, which ...int) (float64, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("reading the processor time: %w", err)
	}
	// The second field is the program's name in parentheses and may hold
	// anything.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) <= cstime {
		return 0, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	ticks := 0
	for _, field := range which {
		n, err := strconv.Atoi(string(fields[field]))
		if err != nil {
			return 0, fmt.Errorf("/proc/%d/stat: %w", pid, err)
		}
		ticks += n
	}
	return float64(ticks) / ticksPerSecond, nil
}

// treeSeconds is how much processor time a process and all below it have used,
// those that have ended included.
func treeSeconds(pid int) (seconds float64, err error) {
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return 0, fmt.Errorf("reading the children: %w", err)
	}
	for _, field := range strings.Fields(string(children)) {
		child, err := strconv.Atoi(field)
		if err != nil {
			return 0, fmt.Errorf("/proc/%d/task/%d/children: %w", pid, pid, err)
		}
		if s, err := treeSeconds(child); err == nil { // it may have ended
			seconds += s
		}
	}
	own, err := statSeconds(pid, utime, stime, cutime, cstime)
	return seconds + own, err
}

// memory is how much memory a process has, in MiB.
type memory struct {
	Resident float64 // now
	Peak     float64 // at most so far
}

func memoryOf(pid int) (m memory, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return m, fmt.Errorf("reading the memory: %w", err)
	}
	for line := range strings.Lines(string(status)) {
		name, rest, _ := strings.Cut(line, ":")
		var into *float64
		switch name {
		case "VmRSS":
			into = &m.Resident
		case "VmHWM":
			into = &m.Peak
		default:
			continue
		}
		kilobytes, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(rest), " kB"))
		if err != nil {
			return m, fmt.Errorf("/proc/%d/status: %w", pid, err)
		}
		*into = float64(kilobytes) / 1024
	}
	return m, nil
}
