package sqlitestore

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// pagesOf lists all pages and returns how many deliveries each has.
func pagesOf(t *testing.T, s *Store, q sender.DeliveryQuery) (counts []int, names []string) {
	t.Helper()
	for len(counts) < 1000 {
		page, err := s.Deliveries(background, q)
		if err != nil {
			t.Fatal(err)
		}
		counts = append(counts, len(page.Deliveries))
		for _, d := range page.Deliveries {
			names = append(names, d.Event.ID+"/"+d.EndpointID)
		}
		if q.Cursor = page.Next; q.Cursor == "" {
			return counts, names
		}
	}
	t.Fatal("the listing does not end")
	return nil, nil
}

// TestListBounded: a call looks at a bounded number of deliveries, in each of
// the ways to find them, and the next one goes on there.
func TestListBounded(t *testing.T) {
	const n = 50_000
	path := filepath.Join(t.TempDir(), "webhooks.db")
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, batch(2, 0, "a", "b")) // numbers the endpoints 1 and 2
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// a has succeeded with all, and b has failed with all but the first, which
	// is pending.
	execute(t, path, fmt.Sprintf(`
		DELETE FROM deliveries; DELETE FROM events;
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %[1]d)
		INSERT INTO events SELECT i, %[2]d + i, 'e' || i, '', 'x', 0, 0, NULL, NULL, x'0102', x'30', NULL FROM n;
		INSERT INTO deliveries SELECT 1, seq, 3, 0, 0, NULL, 0 FROM events;
		INSERT INTO deliveries SELECT 2, seq, 4, 0, 0, NULL, 0 FROM events;
		UPDATE deliveries SET status = 1, due = 0 WHERE endpoint = 2 AND event_seq = 1;
		UPDATE marks SET value = %[1]d WHERE name IN ('low_water', 'last_seq')`, n, start.UnixMilli()))
	if s, err = Open(path, Options{}); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	statuses := func(s ...sender.Status) []sender.Status { return s }
	other := "other"
	tests := []struct {
		name  string
		query sender.DeliveryQuery
		pages int // that are read
		found int
	}{
		{"by event", sender.DeliveryQuery{Types: []webhook.Pattern{"y"}}, 3, 0},
		{"by event, each delivery", sender.DeliveryQuery{Statuses: statuses(sender.Succeeded, sender.Pending), Limit: 1 << 20}, 8, n + 1},
		{"by endpoint", sender.DeliveryQuery{EndpointIDs: []string{"a"}, Types: []webhook.Pattern{"y"}}, 3, 0},
		{"by endpoint, of another status", sender.DeliveryQuery{EndpointIDs: []string{"b"}, Statuses: statuses(sender.Succeeded)}, 3, 0},
		{"by status", sender.DeliveryQuery{Statuses: statuses(sender.Failed), Tenant: &other}, 3, 0},
		{"by status and endpoint", sender.DeliveryQuery{Statuses: statuses(sender.Failed), EndpointIDs: []string{"b"}, Types: []webhook.Pattern{"y"}}, 3, 0},
		{"by tenant", sender.DeliveryQuery{Tenant: &other}, 1, 0},
		{"a status that few have", sender.DeliveryQuery{Statuses: statuses(sender.Pending)}, 1, 1},
		{"of a status and an endpoint", sender.DeliveryQuery{Statuses: statuses(sender.Blocked, sender.Pending), EndpointIDs: []string{"b"}}, 1, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, test.query.OldestFirst = range []bool{false, true} {
				test.query.Limit = max(test.query.Limit, 10)
				pages, found := pagesOf(t, s, test.query)
				if len(pages) != test.pages || len(found) != test.found {
					t.Errorf("there are %d pages with %d deliveries, want %d with %d", len(pages), len(found), test.pages, test.found)
				}
				for _, n := range pages {
					if n > maxExamined {
						t.Errorf("a page has %d deliveries", n)
					}
				}
			}
		})
	}
}

// TestListManyPending: where many are pending they are found among all others.
func TestListManyPending(t *testing.T) {
	const n = maxExamined + 1000
	s := openTemp(t)
	fill(t, s, n)
	path := s.Path()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, endpoints := range [][]string{nil, {"a"}} {
		q := sender.DeliveryQuery{Statuses: []sender.Status{sender.Pending}, EndpointIDs: endpoints, Limit: n}
		if pages, found := pagesOf(t, s, q); len(found) != n || len(pages) < 2 || len(pages) > 3 {
			t.Errorf("of the endpoints %v, %d pending deliveries are listed on %d pages, want %d on 2 or 3", endpoints, len(found), len(pages), n)
		}
	}
}

// TestListManyTargets: one event may have more deliveries than a call looks at.
func TestListManyTargets(t *testing.T) {
	const n = maxExamined + 5000
	s := openTemp(t)
	endpoints := make([]string, n)
	for i := range endpoints {
		endpoints[i] = fmt.Sprint("e", i)
	}
	put(t, s, batch(1, 0, endpoints...))
	for _, oldestFirst := range []bool{false, true} {
		pages, names := pagesOf(t, s, sender.DeliveryQuery{Limit: 1 << 20, OldestFirst: oldestFirst})
		if len(pages) != 2 || len(names) != n {
			t.Fatalf("there are %d deliveries on %d pages, want %d on 2", len(names), len(pages), n)
		}
		for i, name := range names {
			if want := batch(1, 0)[0].Events[0].Event.ID + "/" + endpoints[i]; name != want {
				t.Fatalf("delivery %d is %s, want %s", i, name, want)
			}
		}
		if pages, _ := pagesOf(t, s, sender.DeliveryQuery{Statuses: []sender.Status{sender.Succeeded}, Limit: 1, OldestFirst: oldestFirst}); len(pages) != 2 {
			t.Errorf("nothing is found on %d pages, want 2", len(pages))
		}
	}
}
