package main

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// operation is one thing that was done to the disk, or one promise.
type operation struct {
	kind operationKind
	file string // the name in the folder of the store

	// of a write
	offset int64
	data   []byte

	size  int64 // of a truncation
	event string

	// began is, of a sync, how many operations came before it was begun: it
	// covers those.
	began int
}

type operationKind int

const (
	write operationKind = iota
	truncate
	sync
	remove
	syncFolder  // names are sure from then on
	acknowledge // the answer 202 or 200 is about to be sent
)

// trace is what was done, in order.
type trace struct {
	operations []operation
	begins     int // of the first operation after which something is promised
}

// What strace writes: "123 pwrite64(9<path>, "data", 4096, 32) = 4096", where
// path and data are in hexadecimal; another thread may come in between the
// beginning and the end of a call.
var (
	callLine    = regexp.MustCompile(`^(\d+) +(\w+)\((\d+)<([^>]*)>(.*)$`)
	removeLine  = regexp.MustCompile(`^\d+ +unlink(?:at)?\((?:AT_FDCWD[^,]*, )?"((?:\\x[0-9a-f]{2})*)"`)
	resumedLine = regexp.MustCompile(`^(\d+) +<\.\.\. (\w+) resumed>(.*)$`)
	quoted      = regexp.MustCompile(`^, "((?:\\x[0-9a-f]{2})*)", (\d+)(?:, (\d+))?`)
	result      = regexp.MustCompile(`= (-?\d+)`)
	acknowledgd = regexp.MustCompile(`^HTTP/1\.1 20[02] (?s:.*)\{"id":"([^"]+)"\}`)
)

// begun is a call that has not ended yet.
type begun struct {
	call, path, arguments string
	at                    int
}

// readTrace reads the trace of a process with a store.
func readTrace(path, store string) (*trace, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	t := new(trace)
	underway := make(map[string]begun) // by thread
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<26)
	for lines.Scan() {
		line := lines.Text()
		if m := resumedLine.FindStringSubmatch(line); m != nil {
			if b, ok := underway[m[1]]; ok && b.call == m[2] {
				delete(underway, m[1])
				if err := t.end(b, m[3], store); err != nil {
					return nil, err
				}
			}
			continue
		}
		if m := removeLine.FindStringSubmatch(line); m != nil {
			if err := t.remove(m[1], store); err != nil {
				return nil, err
			}
			continue
		}
		m := callLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		path, err := unhex(m[4])
		if err != nil {
			return nil, err
		}
		b := begun{call: m[2], path: string(path), arguments: m[5], at: len(t.operations)}
		if err := t.begin(b); err != nil {
			return nil, err
		}
		if strings.Contains(line[len(line)-min(len(line), 20):], "<unfinished ...>") {
			underway[m[1]] = b
			continue
		}
		if err := t.end(b, b.arguments, store); err != nil {
			return nil, err
		}
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if t.begins == 0 {
		return nil, fmt.Errorf("in %s no event is acknowledged", path)
	}
	return t, nil
}

// begin takes in a promise: it counts from when its sending begins.
func (t *trace) begin(b begun) error {
	if b.call != "write" || !strings.HasPrefix(b.path, "socket:") {
		return nil
	}
	m := quoted.FindStringSubmatch(b.arguments)
	if m == nil {
		return nil
	}
	data, err := unhex(m[1])
	if err != nil {
		return err
	}
	if id := acknowledgd.FindSubmatch(data); id != nil {
		if t.begins == 0 {
			t.begins = len(t.operations)
		}
		t.operations = append(t.operations, operation{kind: acknowledge, event: string(id[1])})
	}
	return nil
}

// remove takes in that a file of the store is removed. It counts from when that
// begins, so that what the file was may come back for longest.
func (t *trace) remove(hexPath, store string) error {
	path, err := unhex(hexPath)
	if err == nil && strings.HasPrefix(string(path), store) {
		t.operations = append(t.operations, operation{kind: remove, file: filepath.Base(string(path))})
	}
	return err
}

// end takes in what was done to the store's files, if it was.
func (t *trace) end(b begun, rest, store string) error {
	if b.path == filepath.Dir(store) && (b.call == "fsync" || b.call == "fdatasync") {
		t.operations = append(t.operations, operation{kind: syncFolder})
		return nil
	}
	name := filepath.Base(b.path)
	if filepath.Dir(b.path) != filepath.Dir(store) || !strings.HasPrefix(name, filepath.Base(store)) {
		return nil
	}
	results := result.FindAllStringSubmatch(rest, -1)
	if results == nil || results[len(results)-1][1] == "-1" {
		return nil // it has failed, or the process has ended
	}
	switch b.call {
	case "fsync", "fdatasync":
		t.operations = append(t.operations, operation{kind: sync, file: name, began: b.at})
	case "ftruncate":
		var size int64
		if _, err := fmt.Sscanf(b.arguments, ", %d", &size); err != nil {
			return fmt.Errorf("a truncation is not understood: %q", b.arguments)
		}
		t.operations = append(t.operations, operation{kind: truncate, file: name, size: size})
	case "pwrite64":
		m := quoted.FindStringSubmatch(b.arguments)
		if m == nil {
			return fmt.Errorf("a write to %s is not understood: %.100q", name, b.arguments)
		}
		data, err := unhex(m[1])
		if err != nil {
			return err
		}
		offset, err := strconv.ParseInt(m[3], 10, 64)
		if err != nil || m[2] != strconv.Itoa(len(data)) {
			return fmt.Errorf("a write to %s of %s bytes at %s has %d bytes of data", name, m[2], m[3], len(data))
		}
		t.operations = append(t.operations, operation{kind: write, file: name, offset: offset, data: data})
	default:
		return fmt.Errorf("%s to %s is not understood", b.call, name)
	}
	return nil
}

// unhex decodes \x2f\x74….
func unhex(s string) ([]byte, error) { return hex.DecodeString(strings.ReplaceAll(s, `\x`, "")) }

// summary says what was recorded.
func (t *trace) summary() string {
	counts := map[string]int{}
	for _, op := range t.operations {
		switch op.kind {
		case acknowledge:
			counts["acknowledged"]++
		case sync:
			counts["syncs"]++
			counts["syncs "+strings.TrimPrefix(filepath.Ext(op.file), ".")]++
		case write:
			counts["writes"]++
		case truncate:
			counts["truncations"]++
		}
	}
	return fmt.Sprintf("%d events acknowledged, %d writes, %d truncations, %d syncs, of these %d of the file itself (checkpoints)",
		counts["acknowledged"], counts["writes"], counts["truncations"], counts["syncs"], counts["syncs db"])
}
