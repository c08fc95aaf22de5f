package sender

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/manysends/caddy-webhooks/webhook"
)

func counter(start time.Time, endpoint, eventType string, durations ...time.Duration) Counter {
	c := Counter{Start: start, EndpointID: endpoint, Type: eventType}
	for i, d := range durations {
		c.Count(map[bool]Status{true: Succeeded, false: Failed}[i%2 == 0], d)
	}
	return c
}

func TestStatsAddUp(t *testing.T) {
	noon := time.Date(2024, 3, 5, 12, 0, 0, 0, time.UTC)
	hour := noon.Add(time.Hour)
	counters := []Counter{
		counter(noon, "a", "x", time.Millisecond, 2*time.Millisecond),
		counter(noon, "b", "x", time.Second),
		counter(hour, "a", "y", time.Minute),
	}
	for _, byType := range []bool{false, true} {
		var s Stats
		s.add(counters, byType)
		if s.Total.Attempts != 4 || s.Total.Succeeded != 3 || s.Total.Failed != 1 || len(s.Points) != 2 || s.Points[0].Attempts != 3 {
			t.Errorf("by type %t: %+v", byType, s)
		}
		var names []string
		for _, line := range s.Series {
			names = append(names, line.Endpoint+line.Type)
		}
		want := map[bool][]string{false: {"a", "b"}, true: {"x", "y"}}[byType]
		if diff := cmp.Diff(want, names); diff != "" {
			t.Errorf("series (-want +got):\n%s", diff)
		}
	}
}

func TestPercentiles(t *testing.T) {
	tests := []struct {
		name          string
		durations     []time.Duration
		p50, p95, p99 time.Duration
	}{
		{"none", nil, 0, 0, 0},
		{"one", []time.Duration{3 * time.Millisecond}, 5 * time.Millisecond, 5 * time.Millisecond, 5 * time.Millisecond},
		{"a bound is inclusive", []time.Duration{time.Millisecond}, time.Millisecond, time.Millisecond, time.Millisecond},
		{"two", []time.Duration{0, time.Second}, time.Millisecond, time.Second, time.Second},
		{"beyond", []time.Duration{time.Hour}, 30 * time.Second, 30 * time.Second, 30 * time.Second},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var line StatsLine
			for _, d := range test.durations {
				line.Count(Succeeded, d)
			}
			line.work()
			got := []webhook.Duration{line.P50, line.P95, line.P99}
			want := []webhook.Duration{webhook.Duration(test.p50), webhook.Duration(test.p95), webhook.Duration(test.p99)}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestStatsQuery(t *testing.T) {
	now := time.Date(2024, 3, 5, 10, 30, 20, 0, time.UTC)
	at := func(hour, minute int) time.Time { return time.Date(2024, 3, 5, hour, minute, 0, 0, time.UTC) }
	tests := []struct {
		name     string
		q        StatsQuery
		from, to time.Time
		step     Step
		wrong    bool
	}{
		{"default", StatsQuery{}, at(10, 0).AddDate(0, 0, -1), at(11, 0), StepHour, false},
		{"minutes", StatsQuery{From: now.Add(-time.Hour)}, at(9, 30), at(10, 31), StepMinute, false},
		{"whole", StatsQuery{From: at(8, 0), To: at(10, 0), Step: StepHour}, at(8, 0), at(10, 0), StepHour, false},
		{"backwards", StatsQuery{From: now, To: now.Add(-time.Hour)}, time.Time{}, time.Time{}, 0, true},
		{"empty", StatsQuery{From: at(8, 0), To: at(8, 0)}, time.Time{}, time.Time{}, 0, true},
		{"many", StatsQuery{From: now.AddDate(0, 0, -30), Step: StepMinute}, time.Time{}, time.Time{}, 0, true},
		{"unknown step", StatsQuery{Step: 9}, time.Time{}, time.Time{}, 0, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := test.q.complete(now)
			if errors.Is(err, ErrStats) != test.wrong {
				t.Fatalf("%v, wrong: %t", err, test.wrong)
			}
			if err == nil && (!test.q.From.Equal(test.from) || !test.q.To.Equal(test.to) || test.q.Step != test.step) {
				t.Errorf("%s - %s by %s", test.q.From, test.q.To, test.q.Step)
			}
		})
	}
}
