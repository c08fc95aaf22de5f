package load

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// asWorker has the test binary be a worker.
const asWorker = "LOAD_TEST_WORKER"

func TestMain(m *testing.M) {
	if os.Getenv(asWorker) == "" {
		os.Exit(m.Run())
	}
	if err := Work(context.Background(), os.Stdin, os.Stdout); err != nil {
		os.Exit(1)
	}
}

func TestWorkers(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(asWorker, "1")
	start := func() *Worker {
		w, err := Start(t.Context(), program)
		if err != nil {
			t.Fatal(err)
		}
		return w
	}
	sink, maker := start(), start()
	if sink.PID() == maker.PID() || sink.PID() == os.Getpid() {
		t.Errorf("the processes are %d and %d", sink.PID(), maker.PID())
	}
	if _, err := sink.End(new(Report)); err == nil || !strings.Contains(err.Error(), "nothing listens yet") {
		t.Errorf("without listening: %v", err)
	}
	address, err := sink.Listen()
	if err != nil {
		t.Fatal(err)
	}
	if again, err := sink.Listen(); err != nil || again != address {
		t.Errorf("listening again: %s, %v; want %s", again, err, address)
	}
	if err := sink.Begin(Plan{Run: 2, Events: 100}); err != nil {
		t.Fatal(err)
	}
	r, err := maker.Do(Job{
		Kind: Signed, Address: address, Path: "/e/0", Run: 2, Connections: 3, Limit: 100,
		Payload: 100, Type: "message.created", Secret: testSecret,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := sink.Await(100, time.Minute); err != nil {
		t.Fatal(err)
	}
	account, err := sink.End(r)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&Account{Arrived: 100, Distinct: 100}, account, numbersOnly); diff != "" {
		t.Error(diff)
	}
	// All processes have the same clock.
	if now := Now(); r.First > account.First || account.Last > r.Last || r.Last > now || now-r.First > int64(time.Minute) {
		t.Errorf("sent at %d, arrived from %d to %d, answered at %d, now %d", r.First, account.First, account.Last, r.Last, now)
	}
	for _, w := range []*Worker{sink, maker} {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := maker.Do(Job{}); err == nil {
		t.Error("a worker that has ended has worked")
	}
}
