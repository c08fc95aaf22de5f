package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Machine is what the figures depend on.
type Machine struct {
	Cores     int     `json:"cores"`
	Processor string  `json:"processor"`
	MemoryGiB float64 `json:"memory_gib"`
	Kernel    string  `json:"kernel"`
	Go        string  `json:"go"`

	// Commit is that of the checkout, which need not be what was measured: a
	// program may have been given.
	Commit string `json:"commit,omitempty"`

	// Load is how many processes wanted a processor in the minute before.
	Load float64 `json:"load"`

	// InMemory tells that the files are in memory, where an fsync costs nothing.
	InMemory bool `json:"in_memory,omitempty"`

	// SyncMedian and SyncWorst are the median and the longest of some writes of
	// 8 KiB to the disk, each with an fsync.
	SyncMedian time.Duration `json:"sync_median_ns"`
	SyncWorst  time.Duration `json:"sync_worst_ns"`

	Date time.Time `json:"date"`
}

// machine looks at this machine, its disk and the checkout.
func machine(ctx context.Context, dir string) (Machine, error) {
	m := Machine{Cores: runtime.NumCPU(), Go: runtime.Version(), Date: time.Now().UTC().Truncate(time.Second)}
	m.Processor = fieldOf("/proc/cpuinfo", "model name")
	m.Kernel = firstLine("/proc/sys/kernel/osrelease")
	var kilobytes float64
	if _, err := fmt.Sscanf(fieldOf("/proc/meminfo", "MemTotal"), "%g kB", &kilobytes); err == nil {
		m.MemoryGiB = kilobytes / (1 << 20)
	}
	if _, err := fmt.Sscan(firstLine("/proc/loadavg"), &m.Load); err != nil {
		return m, fmt.Errorf("/proc/loadavg: %w", err)
	}
	if out, err := exec.CommandContext(ctx, "git", "rev-parse", "--short", "HEAD").Output(); err == nil {
		m.Commit = strings.TrimSpace(string(out))
	}
	var disk unix.Statfs_t
	if err := unix.Statfs(dir, &disk); err != nil {
		return m, err
	}
	m.InMemory = disk.Type == unix.TMPFS_MAGIC || disk.Type == unix.RAMFS_MAGIC
	var err error
	m.SyncMedian, m.SyncWorst, err = measureSync(dir)
	return m, err
}

// measureSync writes and syncs, as a store does.
func measureSync(dir string) (median, worst time.Duration, err error) {
	const times = 300
	file, err := os.Create(filepath.Join(dir, "sync"))
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, file.Close(), os.Remove(file.Name())) }()
	block := make([]byte, 8<<10)
	var took []time.Duration
	for range times {
		began := time.Now()
		if _, err := file.Write(block); err != nil {
			return 0, 0, err
		}
		if err := file.Sync(); err != nil {
			return 0, 0, err
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	return took[times/2], took[times-1], nil
}

func (m Machine) String() string {
	text := fmt.Sprintf("%d cores (%s), %.0f GiB, Linux %s, %s, fsync of 8 KiB %d µs (median; worst %d µs), %s",
		m.Cores, m.Processor, m.MemoryGiB, m.Kernel, m.Go, m.SyncMedian.Microseconds(), m.SyncWorst.Microseconds(), m.Date.Format(time.RFC3339))
	if m.Commit != "" {
		text += ", commit " + m.Commit
	}
	// With as much as one other process the figures are its, too.
	if m.Load > 1 {
		text += fmt.Sprintf("; **%.0f other processes wanted the processors before, so that figures are worse than the machine's**", m.Load)
	}
	if m.InMemory {
		text += "; **the files are in memory, so that nothing is durable: name a folder on a disk with -dir**"
	}
	return text
}

// fieldOf is the value of the first line of a file of /proc that has a name.
func fieldOf(file, name string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if key, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func firstLine(file string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(string(text), "\n")
	return line
}
