package sqlitestore

import (
	"cmp"
	_ "embed"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

//go:embed testdata/version1.sql
var version1 string

// TestFirstVersion: everything in a store that the first version made is there,
// and what came later works with it.
func TestFirstVersion(t *testing.T) {
	if !strings.Contains(version1, strings.TrimSpace(migrations[0])) {
		t.Error("the first migration is not what it was: stores that were made by it are in use")
	}
	path := filepath.Join(t.TempDir(), "webhooks.db")
	execute(t, path, version1)
	at := func(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }
	first := &webhook.Event{ID: "evt_1", Type: "conversation.created", Timestamp: start.Add(123456789 - time.Second), Data: []byte(`{"n":1}`)}
	second := &webhook.Event{ID: "evt_2", Type: "message.created", Timestamp: start, Data: []byte("two"), ContentType: "text/plain",
		TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
	third := &webhook.Event{ID: "evt_3", Type: "message.created", Timestamp: start, Data: []byte("3")}
	want := []*sender.EventRecord{
		{Event: first, StoredAt: at(1), Deliveries: []sender.DeliveryRecord{
			{Delivery: sender.Delivery{Event: first, Seq: 1, StoredAt: at(1), EndpointID: "a", Status: sender.Succeeded, Attempts: 2},
				History: []sender.Attempt{
					{Number: 1, StartedAt: at(10), Duration: webhook.Duration(30 * time.Second), Verdict: sender.VerdictRetry, Error: "no complete answer in time"},
					{Number: 2, StartedAt: at(5010), Duration: webhook.Duration(25 * time.Millisecond), StatusCode: 200, Verdict: sender.VerdictSucceeded, ResponseBody: []byte("ok")},
				}},
			{Delivery: sender.Delivery{Event: first, Seq: 1, StoredAt: at(1), EndpointID: "b", Status: sender.Failed, Attempts: 1},
				History: []sender.Attempt{{Number: 1, StartedAt: at(11), Duration: webhook.Duration(7 * time.Millisecond), StatusCode: 500,
					Verdict: sender.VerdictRetry, Error: "the endpoint answered 500", ResponseBody: []byte{0, 0xff}}}},
		}},
		{Event: second, StoredAt: at(2), Deliveries: []sender.DeliveryRecord{
			{Delivery: sender.Delivery{Event: second, Seq: 2, StoredAt: at(2), EndpointID: "c", Status: sender.Pending, Due: at(2)}},
			{Delivery: sender.Delivery{Event: second, Seq: 2, StoredAt: at(2), EndpointID: "a", Status: sender.Blocked, Attempts: 1},
				History: []sender.Attempt{{Number: 1, StartedAt: at(12), Duration: webhook.Duration(time.Millisecond), Verdict: sender.VerdictBlocked, Error: "blocked"}}},
		}},
		{Event: third, StoredAt: at(3), Deliveries: []sender.DeliveryRecord{
			{Delivery: sender.Delivery{Event: third, Seq: 3, StoredAt: at(3), EndpointID: "a", Status: sender.Pending, Due: at(3)}},
			{Delivery: sender.Delivery{Event: third, Seq: 3, StoredAt: at(3), EndpointID: "c", Status: sender.Pending, Due: at(3)}},
		}},
		{Event: &webhook.Event{ID: "evt_1", Tenant: "other", Type: "message.created", Timestamp: start, Data: []byte("4")}, StoredAt: at(4)},
	}
	for range 2 { // the second time there is nothing to migrate
		s, err := Open(path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range want {
			got, err := s.Event(background, want.Event.Tenant, want.Event.ID)
			if err != nil {
				t.Fatal(err)
			}
			if diff := gocmp.Diff(want, got); diff != "" {
				t.Errorf("event (-want +got):\n%s", diff)
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	checkFirstVersion(t, s)
}

// checkFirstVersion uses what came after the first version on such a store.
func checkFirstVersion(t *testing.T, s *Store) {
	t.Helper()
	pending, err := s.Pending(background)
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(pending, func(a, b sender.PendingCount) int { return cmp.Compare(a.EndpointID, b.EndpointID) })
	if diff := gocmp.Diff([]sender.PendingCount{{EndpointID: "a", Deliveries: 1}, {EndpointID: "c", Deliveries: 2}}, pending); diff != "" {
		t.Errorf("Pending (-want +got):\n%s", diff)
	}
	page, err := s.Deliveries(background, sender.DeliveryQuery{Statuses: []sender.Status{sender.Blocked, sender.Failed}, Limit: 10})
	if err != nil {
		t.Fatal(err)
	}
	var listed []string
	for _, d := range page.Deliveries {
		listed = append(listed, d.Event.ID+"/"+d.EndpointID)
	}
	if diff := gocmp.Diff([]string{"evt_2/a", "evt_1/b"}, listed); diff != "" {
		t.Errorf("blocked and failed (-want +got):\n%s", diff)
	}
	if n, err := s.Unblock(background, "a", start); n != 1 || err != nil {
		t.Errorf("unblocked %d, want 1, %v", n, err)
	}
	overrides := []sender.Override{{Seq: 1, EndpointID: "a", Status: sender.Pending, Due: start}}
	if err := s.Override(background, overrides); err != nil || !overrides[0].Applied || !overrides[0].Attempted {
		t.Errorf("Override has %+v, %v", overrides[0], err)
	}
	other := "other"
	if n, err := s.Purge(background, sender.PurgeQuery{Before: start.AddDate(1, 0, 0), Tenant: &other, Limit: 10}); n != 1 || err != nil {
		t.Errorf("purged %d events of a tenant, want 1, %v", n, err)
	}
	if last := s.lastSeq(); last != 4 {
		t.Errorf("the last number is %d, want 4", last)
	}
}
