package storetest

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

func testSettleRecords(f *fixture) {
	seq := f.put(event("e", at(1), "a", "b", "c", "d", "e"))[0]
	f.settle(
		succeeded(seq, "a"),
		sender.Outcome{Seq: seq, EndpointID: "b", Status: sender.Failed, Attempt: attempt(1, sender.VerdictRetry)},
		sender.Outcome{Seq: seq, EndpointID: "c", Status: sender.Blocked, Attempt: attempt(1, sender.VerdictBlocked)},
		sender.Outcome{Seq: seq, EndpointID: "d", Status: sender.Cancelled},
		retry(seq, "e", 1, at(30)),
	)
	want := []string{"a succeeded 1/1", "b failed 1/1", "c blocked 1/1", "d cancelled 0/0", "e pending 1/1 30"}
	f.wantStates("e", want...)
	for _, d := range f.record("e").Deliveries {
		if d.Status != sender.Pending && !d.Due.IsZero() {
			f.t.Errorf("delivery to %s is %s and due at %v", d.EndpointID, d.Status, d.Due)
		}
	}
	f.reopen()
	f.wantStates("e", want...)
	for _, endpoint := range []string{"a", "b", "c", "d"} {
		f.wantClaim(endpoint, false)
		f.wantClaim(endpoint, true)
	}
	f.wantClaim("e", false)
	f.wantClaim("e", true, "e")
}

func testAttemptWhole(f *fixture) {
	seq := f.put(event("e", at(1), "a"))[0]
	attempts := []sender.Attempt{
		{Number: 1, StartedAt: at(3), Duration: webhook.Duration(30 * time.Second), Verdict: sender.VerdictRetry,
			Error: "connection refused: é 世界"},
		{Number: 2, StartedAt: at(4), Verdict: sender.VerdictGone, StatusCode: 410},
		{Number: 3, StartedAt: at(5), Duration: webhook.Duration(time.Millisecond), Verdict: sender.VerdictRetry, StatusCode: 500,
			Error: strings.Repeat("y", 3000), ResponseBody: []byte(strings.Repeat("\xff\x00", 8192))},
		{Number: 4, StartedAt: at(6), Duration: webhook.Duration(time.Millisecond), Verdict: sender.VerdictSucceeded, StatusCode: 204,
			ResponseBody: []byte("ok")},
		{Number: 5, StartedAt: at(7), Timings: sender.Timings{DNS: 1, Connect: webhook.Duration(2 * time.Millisecond),
			TLS: webhook.Duration(time.Hour), FirstByte: -1}, RemoteAddr: "[2001:db8::1]:8443", StatusCode: 200, Verdict: sender.VerdictRetry,
			RequestHeaders:  http.Header{"Content-Type": {"application/json"}, "X-Own": {"(hidden)"}, "Webhook-Signature": {"v1,a v1,b"}},
			ResponseHeaders: http.Header{"Set-Cookie": {"a=1", "b=2", ""}, "X-É": {"\xff\x00"}, "lower": {strings.Repeat("z", 8192)}, "": {"unnamed"}},
		},
		{Number: 6, StartedAt: at(8), Timings: sender.Timings{TLS: 1}, Verdict: sender.VerdictRetry},
		{Number: 7, StartedAt: at(9), RemoteAddr: "proxy", Verdict: sender.VerdictRetry},
		{Number: 8, StartedAt: at(10), RequestHeaders: http.Header{"A": {""}}, Verdict: sender.VerdictRetry},
		{Number: 9, StartedAt: at(11), ResponseHeaders: http.Header{"A": {"b"}}, Verdict: sender.VerdictSucceeded},
	}
	for i := range attempts {
		o := sender.Outcome{Seq: seq, EndpointID: "a", Status: sender.Pending, Due: at(10), Held: true, Attempt: &attempts[i]}
		if i == len(attempts)-1 {
			o.Status = sender.Succeeded
		}
		f.settle(o)
	}
	for range 2 {
		if diff := cmp.Diff(attempts, f.record("e").Deliveries[0].History, cmpopts.EquateEmpty()); diff != "" {
			f.t.Errorf("attempts (-want +got):\n%s", diff)
		}
		f.crash()
	}
}

func testSettleHold(f *fixture) {
	seq := f.put(event("e", at(1), "a", "b"))[0]
	held := retry(seq, "a", 1, at(2))
	held.Held = true
	f.settle(held, retry(seq, "b", 1, at(2)))
	f.wantClaim("a", true)
	f.wantClaim("b", true, "e")
	f.settle(retry(seq, "a", 2, at(3)))
	f.wantClaim("a", true, "e")
	// A claimed delivery is held in the same way.
	held = retry(seq, "b", 2, at(4))
	held.Held = true
	f.settle(held)
	f.wantClaim("b", true)
	f.settle(retry(seq, "b", 3, at(5)))
	f.wantClaim("b", true, "e")
	f.wantStates("e", "a pending 2/2 3", "b pending 3/3 5")
}

func testPutBack(f *fixture) {
	seq := f.put(event("e", at(1), "a"))[0]
	f.settle(putBack(seq, "a", at(1)))
	f.wantStates("e", "a pending 0/0 1")
	f.wantClaim("a", true)
	for range 3 {
		f.wantClaim("a", false, "e")
		f.wantClaim("a", false)
		f.settle(putBack(seq, "a", at(1)))
	}
	held := putBack(seq, "a", at(1))
	held.Held = true
	f.settle(held)
	f.crash()
	f.wantStates("e", "a pending 0/0 1")
	f.wantClaim("a", false, "e")
}

func testPutBackRetry(f *fixture) {
	seq := f.put(event("e", at(1), "a"))[0]
	f.settle(retry(seq, "a", 1, at(20)))
	f.wantClaim("a", true, "e")
	f.settle(putBack(seq, "a", at(20)))
	f.wantClaim("a", false)
	if claimed := f.query(sender.ClaimQuery{EndpointID: "a", Retries: true, Now: at(19), Limit: 1}); claimed.Deliveries != nil {
		f.t.Errorf("claimed %v before it is due", idsOf(claimed.Deliveries))
	}
	f.wantClaim("a", true, "e")
	// Whether another time counts is the store's affair.
	f.settle(putBack(seq, "a", at(30)))
	f.wantClaim("a", true, "e")
	f.reopen()
	f.wantClaim("a", true, "e")
}

func testSettleNotPending(f *fixture) {
	for i, status := range []sender.Status{sender.Blocked, sender.Succeeded, sender.Failed, sender.Cancelled} {
		id := status.String()
		seq := f.put(event(id, at(i), "a"))[0]
		f.settle(sender.Outcome{Seq: seq, EndpointID: "a", Status: status, Attempt: attempt(1, sender.VerdictRetry)})
		held := retry(seq, "a", 2, at(1))
		held.Held = true
		f.settle(
			putBack(seq, "a", at(1)), retry(seq, "a", 2, at(1)), held,
			sender.Outcome{Seq: seq, EndpointID: "a", Status: sender.Succeeded, Attempt: attempt(2, sender.VerdictSucceeded)},
			sender.Outcome{Seq: seq, EndpointID: "a", Status: sender.Failed},
		)
		f.wantStates(id, "a "+id+" 1/1")
	}
	f.wantClaim("a", false)
	f.wantClaim("a", true)
	// Within one call it is no different.
	seq := f.put(event("e", at(9), "a"))[0]
	f.settle(succeeded(seq, "a"), retry(seq, "a", 2, at(1)), sender.Outcome{Seq: seq, EndpointID: "a", Status: sender.Failed})
	f.wantStates("e", "a succeeded 1/1")
}

func testSettleUnknown(f *fixture) {
	seqs := f.put(event("1", at(1), "a"), event("2", at(1), "b"))
	f.settle(
		succeeded(seqs[1]+1000, "a"), succeeded(0, "a"), succeeded(-1, "a"),
		succeeded(seqs[0], "nobody"), succeeded(seqs[0], ""), succeeded(seqs[0], "b"),
		retry(seqs[1], "a", 1, at(1)), putBack(seqs[1], "a", at(1)),
	)
	f.wantStates("1", "a pending 0/0 1")
	f.wantStates("2", "b pending 0/0 1")
	f.settle()
	f.reopen()
	f.wantClaim("a", false, "1")
	f.wantClaim("a", true)
	f.wantClaim("b", false, "2")
}

func testSettleTwice(f *fixture) {
	seq := f.put(event("e", at(1), "a"))[0]
	held := retry(seq, "a", 1, at(10))
	held.Held = true
	f.settle(held, retry(seq, "a", 1, at(20)))
	f.wantStates("e", "a pending 1/1 10")
	f.wantClaim("a", true) // the second outcome did not end the hold
	f.settle(succeeded(seq, "a"))
	f.wantStates("e", "a pending 1/1 10")
	f.crash()
	f.settle(succeeded(seq, "a"), retry(seq, "a", 2, at(30)), retry(seq, "a", 2, at(40)), succeeded(seq, "a"))
	f.wantStates("e", "a pending 2/2 30")
	f.wantClaim("a", true, "e")
	third := succeeded(seq, "a")
	third.Attempt = attempt(3, sender.VerdictSucceeded)
	f.settle(third, third)
	f.wantStates("e", "a succeeded 3/3")
}

func testSettleAtomic(f *fixture) {
	seq := f.put(event("e", at(1), "a", "b"))[0]
	err := f.store.Settle(ended(), []sender.Outcome{succeeded(seq, "a"), putBack(seq, "b", at(1))})
	if !errors.Is(err, context.Canceled) {
		f.t.Fatalf("Settle = %v, want the context's error", err)
	}
	f.wantStates("e", "a pending 0/0 1", "b pending 0/0 1")
	f.wantClaim("b", false)
	f.settle(succeeded(seq, "a"), putBack(seq, "b", at(1)))
	f.wantStates("e", "a succeeded 1/1", "b pending 0/0 1")
	f.wantClaim("b", false, "e")
}
