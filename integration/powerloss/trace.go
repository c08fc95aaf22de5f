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
	"time"
)

// operation is one thing that was done to the disk, or one promise.
type operation struct {
	kind operationKind
	at   time.Duration // since 1970
	file string        // the name in the folder

	// of a write
	offset int64
	data   []byte

	size  int64  // of a truncation
	to    string // of a renaming, the other name
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
	create
	remove
	rename
	syncFolder  // names are sure from then on
	acknowledge // the answer 202 or 200 to a publisher is about to be sent
	receive     // the application's 200 is about to be sent on to the provider
)

// trace is what was done in a folder, in order.
type trace struct {
	folder     string
	operations []operation
	sizes      map[string]int64 // of the files that are written to at their end
}

// What strace writes: "123 1709634600.123456 pwrite64(9<path>, "data", 4096, 32)
// = 4096", where path and data are in hexadecimal; another thread may come in
// between the beginning and the end of a call.
var (
	callLine    = regexp.MustCompile(`^(\d+) +([\d.]+) +(\w+)\((\d+)<([^>]*)>(.*)$`)
	nameLine    = regexp.MustCompile(`^\d+ +([\d.]+) +(unlink|rename|open)\w*\((?:AT_FDCWD[^,]*, )?"((?:\\x[0-9a-f]{2})*)"(?:, (?:AT_FDCWD[^,]*, )?"((?:\\x[0-9a-f]{2})*)")?`)
	resumedLine = regexp.MustCompile(`^(\d+) +([\d.]+) +<\.\.\. (\w+) resumed>(.*)$`)
	quoted      = regexp.MustCompile(`^, "((?:\\x[0-9a-f]{2})*)", (\d+)(?:, (\d+))?`)
	result      = regexp.MustCompile(`= (-?\d+)`)
	published   = regexp.MustCompile(`^HTTP/1\.1 20[02] (?s:.*)\{"id":"([^"]+)"\}`)
	received    = regexp.MustCompile(`^HTTP/1\.1 200 (?s:.*)\r\nWebhook-Id: (\S+)\r\n`)
)

// isWatched tells whether a file is one of the store's or of the receiver's.
func isWatched(name string) bool {
	return strings.HasPrefix(name, storeFile) || strings.HasPrefix(name, seenFile)
}

// begun is a call that has not ended yet.
type begun struct {
	call, path, arguments string
	at                    int
}

// readTrace reads the trace of a process that works in a folder. The files that
// are written to at their end had these sizes before.
func readTrace(path, folder string, sizes map[string]int64) (*trace, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	t := &trace{folder: folder, sizes: sizes}
	underway := make(map[string]begun) // by thread
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<26)
	for lines.Scan() {
		if err := t.take(lines.Text(), underway); err != nil {
			return nil, err
		}
	}
	return t, lines.Err()
}

// take takes in a line.
func (t *trace) take(line string, underway map[string]begun) error {
	if m := resumedLine.FindStringSubmatch(line); m != nil {
		b, ok := underway[m[1]]
		if !ok || b.call != m[3] {
			return nil
		}
		delete(underway, m[1])
		return t.end(b, m[2], m[4])
	}
	if m := nameLine.FindStringSubmatch(line); m != nil {
		if m[2] == "open" && !strings.Contains(line, "O_CREAT") {
			return nil
		}
		return t.name(m[1], m[2], m[3], m[4])
	}
	m := callLine.FindStringSubmatch(line)
	if m == nil {
		return nil
	}
	path, err := unhex(m[5])
	if err != nil {
		return err
	}
	b := begun{call: m[3], path: string(path), arguments: m[6], at: len(t.operations)}
	if err := t.begin(b, m[2]); err != nil {
		return err
	}
	if strings.Contains(line[len(line)-min(len(line), 20):], "<unfinished ...>") {
		underway[m[1]] = b
		return nil
	}
	return t.end(b, m[2], b.arguments)
}

// add adds what was done at a time.
func (t *trace) add(seconds string, op operation) error {
	at, err := time.ParseDuration(seconds + "s")
	op.at = at
	t.operations = append(t.operations, op)
	return err
}

// begin takes in a promise: it counts from when its sending begins.
func (t *trace) begin(b begun, at string) error {
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
	if id := published.FindSubmatch(data); id != nil {
		return t.add(at, operation{kind: acknowledge, event: string(id[1])})
	}
	if id := received.FindSubmatch(data); id != nil {
		return t.add(at, operation{kind: receive, event: string(id[1])})
	}
	return nil
}

// name takes in that a file is opened, and made if there is none, or that it is
// removed or gets another name. It counts from when that begins, so that what the
// name stood for may come back for longest.
func (t *trace) name(at, call, hexFrom, hexTo string) error {
	from, err := unhex(hexFrom)
	if err != nil {
		return err
	}
	to, err := unhex(hexTo)
	if err != nil {
		return err
	}
	name := filepath.Base(string(from))
	if filepath.Dir(string(from)) != t.folder || !isWatched(name) {
		return nil
	}
	if call == "open" {
		return t.add(at, operation{kind: create, file: name})
	}
	size := t.sizes[name]
	delete(t.sizes, name)
	if call == "unlink" {
		return t.add(at, operation{kind: remove, file: name})
	}
	t.sizes[filepath.Base(string(to))] = size
	return t.add(at, operation{kind: rename, file: name, to: filepath.Base(string(to))})
}

// end takes in what was done to the files, if it was.
func (t *trace) end(b begun, at, rest string) error {
	if b.path == t.folder && (b.call == "fsync" || b.call == "fdatasync") {
		return t.add(at, operation{kind: syncFolder})
	}
	name := filepath.Base(b.path)
	if filepath.Dir(b.path) != t.folder || !isWatched(name) {
		return nil
	}
	results := result.FindAllStringSubmatch(rest, -1)
	if results == nil || results[len(results)-1][1] == "-1" {
		return nil // it has failed, or the process has ended
	}
	switch b.call {
	case "fsync", "fdatasync":
		return t.add(at, operation{kind: sync, file: name, began: b.at})
	case "ftruncate":
		var size int64
		if _, err := fmt.Sscanf(b.arguments, ", %d", &size); err != nil {
			return fmt.Errorf("a truncation is not understood: %q", b.arguments)
		}
		return t.add(at, operation{kind: truncate, file: name, size: size})
	case "pwrite64", "write":
		return t.written(b, at, name)
	}
	return fmt.Errorf("%s to %s is not understood", b.call, name)
}

// written takes in a write. One without an offset was made at the end.
func (t *trace) written(b begun, at, name string) error {
	m := quoted.FindStringSubmatch(b.arguments)
	if m == nil {
		return fmt.Errorf("a write to %s is not understood: %.100q", name, b.arguments)
	}
	data, err := unhex(m[1])
	if err != nil {
		return err
	}
	if m[2] != strconv.Itoa(len(data)) {
		return fmt.Errorf("a write of %s bytes to %s has %d bytes of data", m[2], name, len(data))
	}
	offset := t.sizes[name]
	if b.call == "pwrite64" {
		if offset, err = strconv.ParseInt(m[3], 10, 64); err != nil {
			return fmt.Errorf("a write to %s is not understood: %w", name, err)
		}
	} else {
		t.sizes[name] += int64(len(data))
	}
	return t.add(at, operation{kind: write, file: name, offset: offset, data: data})
}

// unhex decodes \x2f\x74….
func unhex(s string) ([]byte, error) { return hex.DecodeString(strings.ReplaceAll(s, `\x`, "")) }

// summary says what was recorded.
func (t *trace) summary() string {
	kinds, syncs := map[operationKind]int{}, map[string]int{}
	for _, op := range t.operations {
		kinds[op.kind]++
		if op.kind == sync {
			syncs[op.file]++
		}
	}
	return fmt.Sprintf("%d events acknowledged and %d received, %d writes, %d truncations, %d syncs, of these %d of the store's file itself (checkpoints) and %d of the receiver's, which was written anew %d times",
		kinds[acknowledge], kinds[receive], kinds[write], kinds[truncate], kinds[sync], syncs[storeFile], syncs[seenFile], kinds[rename])
}
