package command

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// replayAnswer is a replay as it is answered.
func replayAnswer(state string, replayed string) string {
	return `{"id":"rpl_1","request":{"statuses":["failed"]},"state":"` + state + `","matched":4,"replayed":` + replayed + `,"skipped":1,"total":4,"created_at":"2024-03-05T10:39:00Z"}`
}

const (
	askAll    = `POST replays {}`
	countAll  = `POST replays {"dry_run":true}`
	progress1 = "\r1 of 4 replayed (50%), 1 under way anyway\x1b[K"
)

func TestReplay(t *testing.T) {
	r := newRig(t)
	r.answer("POST replays", reply{status: 201, body: replayAnswer("running", "0")})
	r.answer("GET replays/rpl_1",
		reply{status: 200, body: replayAnswer("running", "1")},
		reply{status: 503, body: `{"detail":"the webhook settings cannot be reached just now"}`},
		reply{status: 200, body: `{"id":"rpl_1"`, then: func() { panic(http.ErrAbortHandler) }}, // as at a reload
		reply{status: 200, body: replayAnswer("done", "3")})
	r.wants(r.run("replay", "--endpoint", "crm", "--status", "failed,blocked", "--type", "message.*", "--since", "1h", "--until", "30m",
		"--tenant", "acme", "--rate", "20/s", "--fresh-id"),
		result{Out: "rpl_1 is done: 3 of 4 replayed, 1 under way anyway\n"})
	poll := "GET replays/rpl_1"
	r.wasAsked(`POST replays {"tenant":"acme","endpoints":["crm"],"statuses":["failed","blocked"],"types":["message.*"],`+
		`"from":"2024-03-05T09:40:00Z","to":"2024-03-05T10:10:00Z","fresh_id":true,"rate":"20/s"}`, poll, poll, poll, poll)
}

// TestReplayOnATerminal asks first, and shows the progress.
func TestReplayOnATerminal(t *testing.T) {
	t.Setenv("NO_COLOR", "1")
	setUp := func(stdin string) *rig {
		r := newRig(t)
		r.width = 80
		r.stdin = strings.NewReader(stdin)
		r.answer("POST replays", reply{status: 200, body: replayAnswer("done", "0")}, reply{status: 201, body: replayAnswer("running", "1")})
		r.ok("GET replays/rpl_1", replayAnswer("done", "3"))
		return r
	}
	const question = "4 deliveries will be delivered again. Go on? [y/N] "
	done := result{Out: "rpl_1 is done: 3 of 4 replayed, 1 under way anyway\n", Notes: question + progress1 + "\r\x1b[K"}
	for _, yes := range []string{"y\n", "YES\r\n"} {
		r := setUp(yes)
		r.wants(r.run("replay"), done)
		r.wasAsked(countAll, askAll, "GET replays/rpl_1")
	}
	for _, no := range []string{"", "\n", "n\n", "y", "yes please\n"} {
		r := setUp(no)
		r.wants(r.run("replay"), result{Notes: question + "Nothing is replayed.\n", Code: 3})
		r.wasAsked(countAll)
	}
	r := setUp("")
	r.answer("POST replays", reply{status: 200, body: `{"state":"done","total":0}`})
	r.wants(r.run("replay"), result{Notes: "There are no such deliveries: nothing is replayed.\n"})
	r = setUp("")
	r.answer("POST replays", reply{status: 201, body: replayAnswer("running", "1")})
	done.Notes = strings.TrimPrefix(done.Notes, question)
	r.wants(r.run("replay", "--yes"), done)
	r.wasAsked(askAll, "GET replays/rpl_1")
}

// TestReplayMissing says what is missing in its own words.
func TestReplayMissing(t *testing.T) {
	t.Setenv("NO_COLOR", "1")
	const (
		ask  = `POST replays {"endpoints":["crm"],"missing":true}`
		only = `POST replays {"endpoints":["crm"],"missing":true,"dry_run":true}`
	)
	setUp := func(stdin string, counted string) *rig {
		r := newRig(t)
		r.width = 80
		r.stdin = strings.NewReader(stdin)
		r.answer("POST replays", reply{status: 200, body: `{"state":"done","total":` + counted + `}`}, reply{status: 201, body: replayAnswer("running", "1")})
		r.ok("GET replays/rpl_1", replayAnswer("done", "3"))
		return r
	}
	const question = "4 events will be delivered for the first time. Go on? [y/N] "
	r := setUp("y\n", "4")
	r.wants(r.run("replay", "--endpoint", "crm", "--missing"),
		result{Out: "rpl_1 is done: 3 of 4 replayed, 1 under way anyway\n", Notes: question + progress1 + "\r\x1b[K"})
	r.wasAsked(only, ask, "GET replays/rpl_1")
	r = setUp("n\n", "4")
	r.wants(r.run("replay", "--endpoint", "crm", "--missing"), result{Notes: question + "Nothing is replayed.\n", Code: 3})
	r.wasAsked(only)
	r = setUp("", "0")
	r.wants(r.run("replay", "--endpoint", "crm", "--missing"), result{Notes: "No such events are missing: nothing is replayed.\n"})
	r = setUp("", "1")
	r.wants(r.run("replay", "--endpoint", "crm", "--missing", "--dry-run"), result{Out: "1\n", Notes: "1 event would be delivered for the first time.\n"})
	r.wasAsked(only)
}

// TestReplayOfEverythingIsNotUnasked: a script says that it means all of them.
func TestReplayOfEverythingIsNotUnasked(t *testing.T) {
	for _, args := range [][]string{{}, {"--rate", "20/s"}, {"--detach"}, {"--fresh-id"}} {
		r := newRig(t)
		if got := r.run(append([]string{"replay"}, args...)...); got.Code != exitMisuse || !strings.Contains(got.Notes, "or add --yes") {
			t.Errorf("replay %v printed %+v", args, got)
		}
		r.wasAsked()
	}
	for _, args := range [][]string{{"--yes"}, {"--endpoint", "crm"}, {"--tenant", ""}, {"--status", "failed"}, {"--type", "message.*"}, {"--since", "1h"}, {"--until", "1h"}} {
		r := newRig(t)
		r.answer("POST replays", reply{status: 201, body: replayAnswer("running", "1")})
		if got := r.run(append([]string{"replay", "--detach"}, args...)...); got.Code != 0 || got.Out != "rpl_1\n" {
			t.Errorf("replay %v printed %+v", args, got)
		}
	}
}

// TestReplayIsInterrupted says how to go on with a replay that is left running.
func TestReplayIsInterrupted(t *testing.T) {
	t.Setenv("NO_COLOR", "1")
	const left = "The replay goes on. To look at it or to stop it: caddy webhooks replay show|cancel rpl_1\n"
	ctx, interrupt := context.WithCancel(t.Context())
	r := newRig(t)
	r.answer("POST replays", reply{status: 201, body: replayAnswer("running", "1")})
	r.pause = func(ctx context.Context, _ time.Duration) error {
		interrupt()
		<-ctx.Done()
		return ctx.Err()
	}
	r.wants(r.runWith(ctx, "replay", "--yes"), result{Notes: left, Code: 130})
	r.wasAsked(askAll)

	// It is not waited for a user who says nothing.
	ctx, interrupt = context.WithCancel(t.Context())
	r = newRig(t)
	r.width = 80
	silent, open := io.Pipe()
	t.Cleanup(func() { open.Close() })
	r.stdin = silent
	r.answer("POST replays", reply{status: 200, body: replayAnswer("done", "0"), then: interrupt})
	if got := r.runWith(ctx, "replay"); got.Code != 130 || got.Out != "" || strings.Contains(got.Notes, "Error") {
		t.Errorf("printed %+v", got)
	}
	r.wasAsked(countAll)
}

func TestReplayEndsBadly(t *testing.T) {
	r := newRig(t)
	r.answer("POST replays", reply{status: 201, body: replayAnswer("running", "1")})
	r.ok("GET replays/rpl_1", `{"id":"rpl_1","state":"failed","replayed":1,"error":"the store is full"}`)
	r.wants(r.run("replay", "--yes"), result{Out: "rpl_1 is failed: 1 replayed\n", Notes: "Error: the store is full\n", Code: 3})
	r.ok("GET replays/rpl_1", `{"id":"rpl_1","state":"cancelled"}`)
	r.wants(r.run("replay", "--yes", "--json"), result{Out: "{\n  \"id\": \"rpl_1\",\n  \"state\": \"cancelled\"\n}\n", Code: 3})
	r.answer("GET replays/rpl_1", reply{status: 404, body: `{"detail":"there is no replay of this ID"}`})
	r.wants(r.run("replay", "--yes"), result{
		Notes: "The replay goes on. To look at it or to stop it: caddy webhooks replay show|cancel rpl_1\nError: there is no replay of this ID\n", Code: 1,
	})

	// A Caddy that stays away is not waited for without end.
	r = newRig(t)
	r.answer("POST replays", reply{status: 201, body: replayAnswer("running", "1")})
	r.answer("GET replays/rpl_1", reply{status: 503, body: `{"detail":"not now"}`})
	if got := r.run("replay", "--yes"); got.Code != 1 || !strings.HasSuffix(got.Notes, "\nError: not now\n") {
		t.Errorf("printed %+v", got)
	}
	if len(r.asked) != 1+pollPatience {
		t.Errorf("Caddy was asked %d times", len(r.asked))
	}
}

func TestReplayByItself(t *testing.T) {
	r := newRig(t)
	r.answer("POST replays", reply{status: 201, body: replayAnswer("running", "1")})
	r.wants(r.run("replay", "--yes", "--detach"), result{Out: "rpl_1\n", Notes: "It goes on by itself. To look at it or to stop it: caddy webhooks replay show|cancel rpl_1\n"})
	r.wasAsked(askAll)
	r.answer("POST replays", reply{status: 200, body: `{"id":"","state":"done","total":7}`})
	r.wants(r.run("replay", "--dry-run"), result{Out: "7\n", Notes: "7 deliveries would be delivered again.\n"})
	r.wants(r.run("replay", "--dry-run", "--json"), result{Out: "{\n  \"id\": \"\",\n  \"state\": \"done\",\n  \"total\": 7\n}\n"})

	r = newRig(t)
	r.ok("GET replays/rpl_1", replayAnswer("running", "1"))
	r.wants(r.run("replay", "show", "rpl_1"), result{Out: `
Replay    rpl_1
State     running
Progress  1 of 4 replayed (50%), 1 under way anyway
Statuses  failed
Begun     2024-03-05 10:39:00 UTC (1m ago)
`[1:]})
	r.ok("GET replays/rpl_2", `{"id":"rpl_2","request":{"endpoints":["crm"],"missing":true},"state":"done","replayed":1,"total":1,"created_at":"2024-03-05T10:39:00Z"}`)
	r.wants(r.run("replay", "show", "rpl_2"), result{Out: `
Replay     rpl_2
State      done
Progress   1 of 1 replayed
Endpoints  crm
Of         missing events
Begun      2024-03-05 10:39:00 UTC (1m ago)
`[1:]})
	r.answer("GET replays/rpl_1", reply{status: 200, body: replayAnswer("running", "1")}, reply{status: 200, body: replayAnswer("done", "3")})
	r.wants(r.run("replay", "show", "rpl_1", "--follow"), result{Out: "rpl_1 is done: 3 of 4 replayed, 1 under way anyway\n"})
	r.ok("DELETE replays/rpl_1", replayAnswer("cancelled", "2"))
	r.wants(r.run("replay", "cancel", "rpl_1"), result{Out: "rpl_1 is cancelled: 2 of 4 replayed, 1 under way anyway\n"})
	r.ok("GET replays?limit=100", `{"replays":[`+replayAnswer("done", "3")+`]}`)
	r.wants(r.run("replay", "list"), result{Out: `
REPLAY  BEGUN                 STATE  PROGRESS
rpl_1   2024-03-05T10:39:00Z  done   3 of 4 replayed, 1 under way anyway
`[1:]})
}
