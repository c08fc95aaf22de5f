package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestLookIntoSeen guards what is looked for in a receiver's file: it must be
// seen when an event is missing, and when there is one that nobody has sent.
func TestLookIntoSeen(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, seenFile)
	ids := []string{"a", "b", "c"}
	state, rc, err := openSeen(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		if err := process(rc, id, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	state.Close()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		content        []byte
		promised, sent []string
		want           found
	}{
		"all there":         {whole, ids, ids, found{cuts: 1, promised: 3}},
		"sent, not there":   {whole, ids[:1], append([]string{"d"}, ids...), found{cuts: 1, promised: 1}},
		"one cut off":       {whole[:len(whole)-1], ids, ids, found{cuts: 1, promised: 3, lost: 1}},
		"one torn":          {bytes.Replace(whole, whole[40:44], []byte("torn"), 1), ids, ids, found{cuts: 1, promised: 3, lost: 1}},
		"one nobody sent":   {whole, ids[:2], ids[:2], found{cuts: 1, promised: 2, misread: 1, unusable: 1}},
		"nothing":           {nil, ids, ids, found{cuts: 1, promised: 3, lost: 3}},
		"not such a file":   {[]byte("notes of mine"), ids, ids, found{cuts: 1, promised: 3, lost: 3, unusable: 1}},
		"nothing, for none": {nil, nil, ids, found{cuts: 1}},
	} {
		if err := os.WriteFile(path, tt.content, 0o600); err != nil {
			t.Fatal(err)
		}
		var got found
		got.lookIntoSeen(folder, tt.promised, tt.sent)
		if (got.first == nil) != (got.wrong() == nil) {
			t.Errorf("%s: %v is noted, and what is wrong is %v", name, got.first, got.wrong())
		}
		got.first = nil
		if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(found{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// TestDurability: an event must be on the disk at the end of the second sync
// after its answer: what the first one syncs may have been taken before.
func TestDurability(t *testing.T) {
	answer := func(id string) operation { return operation{kind: receive, event: id} }
	synced := operation{kind: sync, file: seenFile}
	fresh := operation{kind: sync, file: seenFile + ".new"}
	renamed := operation{kind: rename, file: seenFile + ".new", to: seenFile}
	folder := operation{kind: syncFolder}
	for name, tt := range map[string]struct {
		operations []operation
		want       []string
	}{
		"no sync":              {[]operation{answer("a")}, nil},
		"one sync":             {[]operation{answer("a"), synced}, nil},
		"two syncs":            {[]operation{answer("a"), synced, answer("b"), synced}, []string{"a"}},
		"another file's sync":  {[]operation{answer("a"), synced, {kind: sync, file: storeFile}, folder}, nil},
		"written anew":         {[]operation{answer("a"), synced, fresh, renamed, folder}, []string{"a"}},
		"before it has a name": {[]operation{answer("a"), synced, fresh, renamed}, nil},
		"folder synced before": {[]operation{answer("a"), synced, fresh, folder, renamed}, nil},
		"events of the sender": {[]operation{{kind: acknowledge, event: "a"}, synced, synced}, nil},
	} {
		var d durability
		for _, op := range tt.operations {
			d.take(op)
		}
		if diff := cmp.Diff(tt.want, d.durable); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
