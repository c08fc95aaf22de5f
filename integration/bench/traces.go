package main

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Group is a part of a program with the processor time that it used.
type Group struct {
	Name         string  `json:"name"`
	Microseconds float64 `json:"us"`
}

const (
	groupCollector = "runtime: collecting garbage"
	groupScheduler = "runtime: scheduling"
	groupOther     = "runtime: other"
	groupRest      = "the rest"
	// groupSmallest is the share of the time below which groups are put
	// together.
	groupSmallest = 0.005
)

// groupTraces reads what `go tool pprof -traces -unit us` prints, and adds up
// the time by whose work it was: that of the innermost function which is not the
// runtime's. The largest group comes first.
func groupTraces(in io.Reader) ([]Group, error) {
	times := make(map[string]float64)
	var total, value float64
	var stack []string
	flush := func() {
		if len(stack) > 0 {
			times[groupOf(stack)] += value
			total += value
		}
		stack, value = stack[:0], 0
	}
	started := false
	for lines := bufio.NewScanner(in); ; {
		if !lines.Scan() {
			flush()
			if err := lines.Err(); err != nil {
				return nil, err
			}
			return sortGroups(times, total), nil
		}
		line := lines.Text()
		if strings.HasPrefix(line, "-----") {
			flush()
			started = true
			continue
		}
		fields := strings.Fields(line)
		if !started || len(fields) == 0 {
			continue
		}
		if strings.HasSuffix(fields[0], ":") { // a label
			continue
		}
		name := fields[0]
		if len(stack) == 0 {
			if len(fields) < 2 {
				return nil, fmt.Errorf("a trace begins with %q", line)
			}
			number, found := strings.CutSuffix(fields[0], "us")
			v, err := strconv.ParseFloat(number, 64)
			if !found || err != nil {
				return nil, fmt.Errorf("a trace begins with %q", line)
			}
			value, name = v, fields[1]
		}
		stack = append(stack, name)
	}
}

// groupOf is the group of a stack, the innermost function first.
func groupOf(stack []string) string {
	for _, name := range stack {
		switch name {
		case "runtime.gcBgMarkWorker", "runtime.gcAssistAlloc", "runtime.bgsweep", "runtime.bgscavenge", "runtime.gcStart", "runtime.deductSweepCredit":
			return groupCollector
		case "runtime.schedule", "runtime.findRunnable", "runtime.mcall", "runtime.sysmon", "runtime.mstart":
			return groupScheduler
		}
	}
	for _, name := range stack {
		switch path := packageOf(name); {
		case path == "net/http" || path == "net/textproto":
			return sideOf(stack)
		case !ofRuntime(path):
			return strings.TrimPrefix(path, module+"/")
		}
	}
	return groupOther
}

// sideOf tells whether net/http takes a request in or sends one.
func sideOf(stack []string) string {
	for _, name := range stack {
		switch name {
		case "net/http.(*persistConn).readLoop", "net/http.(*persistConn).writeLoop", "net/http.(*Transport).roundTrip":
			return "net/http, sending"
		}
	}
	return "net/http, serving"
}

// packageOf is the path of a function's package. Those that have none in their
// names are the runtime's, written in assembler.
func packageOf(name string) string {
	name, _, _ = strings.Cut(name, "[") // types that it is made for
	if !strings.Contains(name, ".") {
		return "runtime"
	}
	slash := strings.LastIndexByte(name, '/') + 1
	path, _, _ := strings.Cut(name[slash:], ".")
	return name[:slash] + path
}

// ofRuntime tells whether a package does what others ask it to.
func ofRuntime(path string) bool {
	switch path {
	case "runtime", "sync", "syscall", "time", "sync/atomic", "internal/poll", "os", "net", "io", "bufio", "bytes", "strings", "slices", "maps", "context", "strconv", "unicode/utf8", "reflect", "golang.org/x/sys/unix", "errors", "fmt", "sort":
		return true
	}
	return strings.HasPrefix(path, "runtime/") || strings.HasPrefix(path, "internal/")
}

func sortGroups(times map[string]float64, total float64) (groups []Group) {
	rest := 0.0
	for name, us := range times {
		if us < total*groupSmallest {
			rest += us
			continue
		}
		groups = append(groups, Group{name, us})
	}
	slices.SortFunc(groups, func(a, b Group) int {
		if a.Microseconds != b.Microseconds {
			return int(b.Microseconds - a.Microseconds)
		}
		return strings.Compare(a.Name, b.Name)
	})
	if rest > 0 {
		groups = append(groups, Group{groupRest, rest})
	}
	return groups
}

// scale has the groups add up to a time.
func scale(groups []Group, total float64) []Group {
	sum := 0.0
	for _, g := range groups {
		sum += g.Microseconds
	}
	for i := range groups {
		groups[i].Microseconds *= total / sum
	}
	return groups
}
