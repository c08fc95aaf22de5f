package main

import (
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
)

// sector is what a disk writes as a whole, in bytes, if it keeps to that, and
// crumb what it is at the worst.
const (
	sector = 512
	crumb  = 8
)

// mode is what a disk keeps of the writes that were not synced.
type mode struct {
	name string

	// keeps changes the list of unsynced operations to what has reached the
	// disk.
	keeps func(*rand.Rand, []operation) []operation
}

// modes are all of them: whatever a disk does is a mixture.
var modes = []mode{
	{"nothing unsynced is kept", func(*rand.Rand, []operation) []operation { return nil }},
	{"some writes are kept, whatever their order", someOf},
	{"some sectors of some writes are kept", func(r *rand.Rand, list []operation) []operation {
		return torn(r, someOf(r, list), sector)
	}},
	{"some crumbs of some writes are kept", func(r *rand.Rand, list []operation) []operation {
		return torn(r, someOf(r, list), crumb)
	}},
	{"all but a torn last write is kept", func(r *rand.Rand, list []operation) []operation {
		if n := len(list); n > 0 {
			return append(slices.Clone(list[:n-1]), torn(r, list[n-1:], sector)...)
		}
		return nil
	}},
}

// someOf keeps each operation or not.
func someOf(r *rand.Rand, list []operation) (kept []operation) {
	for _, op := range list {
		if r.IntN(2) == 0 {
			kept = append(kept, op)
		}
	}
	return kept
}

// torn keeps some of the pieces of each write.
func torn(r *rand.Rand, list []operation, piece int) (kept []operation) {
	for _, op := range list {
		if op.kind != write {
			kept = append(kept, op)
			continue
		}
		for start := 0; start < len(op.data); {
			end := min(start+piece-int((op.offset+int64(start))%int64(piece)), len(op.data))
			if r.IntN(2) == 0 {
				kept = append(kept, operation{kind: write, file: op.file, offset: op.offset + int64(start), data: op.data[start:end]})
			}
			start = end
		}
	}
	return kept
}

// disk is what is surely on a disk, and what may be, while a trace goes on.
type disk struct {
	files  map[string]*file
	before map[string]*file // what a name stood for, and perhaps still does
}

// file is one file of a disk.
type file struct {
	named    bool // its name is surely in the folder
	synced   []byte
	unsynced []operation
	numbers  []int // of the unsynced operations in the trace
}

// newDisk is a disk that surely has some files.
func newDisk(files map[string][]byte) *disk {
	d := &disk{files: map[string]*file{}, before: map[string]*file{}}
	for name, content := range files {
		d.files[name] = &file{named: true, synced: slices.Clone(content)}
	}
	return d
}

// of is a file, which is made if there is none.
func (d *disk) of(name string) *file {
	f := d.files[name]
	if f == nil {
		f = new(file)
		d.files[name] = f
	}
	return f
}

// do takes in the next operation of the trace. Without syncing, nothing is ever
// sure.
func (d *disk) do(number int, op operation, syncing bool) {
	switch op.kind {
	case create:
		d.of(op.file)
	case write, truncate:
		f := d.of(op.file)
		f.unsynced = append(f.unsynced, op)
		f.numbers = append(f.numbers, number)
	case sync:
		if !syncing {
			return
		}
		f := d.of(op.file)
		n, _ := slices.BinarySearch(f.numbers, op.began)
		f.synced = apply(f.synced, f.unsynced[:n])
		f.unsynced = slices.Clone(f.unsynced[n:])
		f.numbers = slices.Clone(f.numbers[n:])
	case remove:
		if f := d.files[op.file]; f != nil {
			d.before[op.file] = f
			delete(d.files, op.file)
		}
	case rename:
		if f := d.files[op.file]; f != nil {
			d.before[op.file], d.before[op.to] = f, d.files[op.to]
			f.named = false
			d.files[op.to] = f
			delete(d.files, op.file)
		}
	case syncFolder:
		if !syncing {
			return
		}
		clear(d.before)
		for _, f := range d.files {
			f.named = true
		}
	case acknowledge, receive:
	}
}

// apply does operations to the content of a file.
func apply(content []byte, list []operation) []byte {
	for _, op := range list {
		if op.kind == truncate {
			content = resize(content, op.size)
			continue
		}
		if end := op.offset + int64(len(op.data)); end > int64(len(content)) {
			content = resize(content, end)
		}
		copy(content[op.offset:], op.data)
	}
	return content
}

func resize(content []byte, size int64) []byte {
	if size <= int64(len(content)) {
		return content[:size]
	}
	return append(content, make([]byte, size-int64(len(content)))...)
}

// fail writes to a folder what the disk holds when the power fails now.
func (d *disk) fail(folder string, m mode, random *rand.Rand) error {
	for _, name := range d.names() {
		f := d.files[name]
		if f == nil || !f.named { // that it was made, or removed, is no surer than a write
			if kept := len(m.keeps(random, []operation{{kind: remove}})) > 0; !kept {
				f = d.before[name]
			}
		}
		if f == nil {
			continue
		}
		content := apply(slices.Clone(f.synced), m.keeps(random, f.unsynced))
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// names are those of all files, sorted: chance is to be the same each time.
func (d *disk) names() []string {
	names := slices.AppendSeq(slices.Collect(maps.Keys(d.files)), maps.Keys(d.before))
	slices.Sort(names)
	return slices.Compact(names)
}
