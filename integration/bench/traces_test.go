package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

const traces = `File: caddy
Type: cpu
Duration: 2s, Total samples = 370000us (18.48%)
-----------+-------------------------------------------------------
   20000us   runtime.futex
             runtime.futexwakeup
             github.com/manysends/caddy-webhooks/sender.(*Sender).enqueue
             net/http.(*conn).serve
-----------+-------------------------------------------------------
      bytes:  1024
   10000us   syscall.Syscall
             internal/poll.(*FD).Write
             net/http.checkConnErrorWriter.Write
             net/http.(*conn).serve
-----------+-------------------------------------------------------
   15000us   syscall.Syscall
             net/http.(*persistConn).writeLoop
-----------+-------------------------------------------------------
   30000us   runtime.scanobject
             runtime.gcDrain
             runtime.gcBgMarkWorker
-----------+-------------------------------------------------------
    5000us   runtime.epollwait
             runtime.findRunnable
             runtime.mcall
-----------+-------------------------------------------------------
    2000us   runtime.memmove
-----------+-------------------------------------------------------
     100us   modernc.org/sqlite/lib._walChecksumBytes
-----------+-------------------------------------------------------
    7000us   modernc.org/sqlite/lib.f
             github.com/manysends/caddy-webhooks/sender/sqlitestore.(*Store).Settle
`

func TestTracesAreGrouped(t *testing.T) {
	got, err := groupTraces(strings.NewReader(traces))
	if err != nil {
		t.Fatal(err)
	}
	want := []Group{
		{groupCollector, 30000}, {"sender", 20000}, {"net/http, sending", 15000}, {"net/http, serving", 10000},
		{"modernc.org/sqlite/lib", 7100}, {groupScheduler, 5000}, {groupOther, 2000},
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateApprox(0, 1e-6)); diff != "" {
		t.Error(diff)
	}
	small := strings.NewReader(traces + "-----------+---\n  10us   example.com/a.f\n-----------+---\n  20us   example.com/b.f\n")
	got, err = groupTraces(small)
	if rest := (Group{"the rest", 30}); err != nil || got[len(got)-1] != rest {
		t.Errorf("small ones are %v, %v", got[len(got)-1], err)
	}
	for _, bad := range []string{"-----\n  twelve   f\n", "-----\n  12ms   f\n", "-----\n  f\n"} {
		if groups, err := groupTraces(strings.NewReader(bad)); err == nil {
			t.Errorf("%q reads as %v", bad, groups)
		}
	}
}

func TestGroupsAddUp(t *testing.T) {
	got := scale([]Group{{"a", 30}, {"b", 10}}, 100)
	if diff := cmp.Diff([]Group{{"a", 75}, {"b", 25}}, got); diff != "" {
		t.Error(diff)
	}
	if got := scale(nil, 100); len(got) != 0 {
		t.Errorf("nothing adds up to %v", got)
	}
}

func TestPackages(t *testing.T) {
	for name, want := range map[string]string{
		"runtime.futex": "runtime", "memeqbody": "runtime", "net/http.(*conn).serve": "net/http",
		"slices.SortFunc[go.shape.[]net/http.keyValues]": "slices", "modernc.org/sqlite/lib._walFrames": "modernc.org/sqlite/lib",
		"github.com/caddyserver/caddy/v2.(*Replacer).replace": "github.com/caddyserver/caddy/v2",
	} {
		if got := packageOf(name); got != want {
			t.Errorf("%s is of %s, want %s", name, got, want)
		}
	}
}
