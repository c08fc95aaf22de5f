package sender

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// usedMetrics are metrics to which everything has happened.
func usedMetrics() *metrics {
	m := newMetrics()
	m.backlog = func() []backlogSample {
		return []backlogSample{
			{endpoint: "crm", deliveries: 3, age: 90 * time.Second, state: StatePaused},
			{endpoint: runtimeEndpoints, deliveries: 2, age: time.Second, state: StateActive},
			{endpoint: runtimeEndpoints, deliveries: 5, age: 4 * time.Second, state: StateDisabled},
		}
	}
	m.accepted(3)
	m.refused(refusedConflict)
	m.attempted("crm", 200, VerdictSucceeded, 20*time.Millisecond)
	m.attempted("crm", 500, VerdictRetry, 30*time.Millisecond)
	m.finished("crm", Succeeded)
	m.delivered("crm", 40*time.Millisecond)
	m.finished(runtimeEndpoints, Failed)
	m.committed(commitPut, 7, 2*time.Millisecond)
	m.committed(commitSettle, 1, 3*time.Millisecond)
	return m
}

// TestMetricsLint: names, units and helps are as Prometheus wants them, and
// nothing is collected twice.
func TestMetricsLint(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(usedMetrics())
	problems, err := testutil.GatherAndLint(registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestMetricsExposition(t *testing.T) {
	const want = `
# HELP caddy_webhooks_backlog_age_seconds How long the oldest delivery that is due has waited.
# TYPE caddy_webhooks_backlog_age_seconds gauge
caddy_webhooks_backlog_age_seconds{endpoint="*"} 4
caddy_webhooks_backlog_age_seconds{endpoint="crm"} 90
# HELP caddy_webhooks_backlog_deliveries Deliveries that wait or are under way.
# TYPE caddy_webhooks_backlog_deliveries gauge
caddy_webhooks_backlog_deliveries{endpoint="*"} 7
caddy_webhooks_backlog_deliveries{endpoint="crm"} 3
# HELP caddy_webhooks_deliveries_total Deliveries that came to an end, or were blocked by the egress rules.
# TYPE caddy_webhooks_deliveries_total counter
caddy_webhooks_deliveries_total{endpoint="*",outcome="blocked"} 0
caddy_webhooks_deliveries_total{endpoint="*",outcome="cancelled"} 0
caddy_webhooks_deliveries_total{endpoint="*",outcome="failed"} 1
caddy_webhooks_deliveries_total{endpoint="*",outcome="succeeded"} 0
caddy_webhooks_deliveries_total{endpoint="crm",outcome="blocked"} 0
caddy_webhooks_deliveries_total{endpoint="crm",outcome="cancelled"} 0
caddy_webhooks_deliveries_total{endpoint="crm",outcome="failed"} 0
caddy_webhooks_deliveries_total{endpoint="crm",outcome="succeeded"} 1
# HELP caddy_webhooks_endpoint_state 1 for the state that the endpoint is in, and 0 for the others.
# TYPE caddy_webhooks_endpoint_state gauge
caddy_webhooks_endpoint_state{endpoint="crm",state="active"} 0
caddy_webhooks_endpoint_state{endpoint="crm",state="disabled"} 0
caddy_webhooks_endpoint_state{endpoint="crm",state="inactive"} 0
caddy_webhooks_endpoint_state{endpoint="crm",state="paused"} 1
caddy_webhooks_endpoint_state{endpoint="crm",state="tested"} 0
# HELP caddy_webhooks_events_accepted_total Events that were stored, and will be delivered.
# TYPE caddy_webhooks_events_accepted_total counter
caddy_webhooks_events_accepted_total 3
# HELP caddy_webhooks_events_refused_total Publications that were refused, a batch counted once.
# TYPE caddy_webhooks_events_refused_total counter
caddy_webhooks_events_refused_total{reason="backlog"} 0
caddy_webhooks_events_refused_total{reason="busy"} 0
caddy_webhooks_events_refused_total{reason="closed"} 0
caddy_webhooks_events_refused_total{reason="conflict"} 1
caddy_webhooks_events_refused_total{reason="full"} 0
caddy_webhooks_events_refused_total{reason="invalid"} 0
caddy_webhooks_events_refused_total{reason="store"} 0
`
	names := []string{
		"caddy_webhooks_backlog_age_seconds", "caddy_webhooks_backlog_deliveries", "caddy_webhooks_deliveries_total",
		"caddy_webhooks_endpoint_state", "caddy_webhooks_events_accepted_total", "caddy_webhooks_events_refused_total",
	}
	m := usedMetrics()
	// Each configuration has a registry of its own.
	for range 2 {
		registry := prometheus.NewPedanticRegistry()
		registry.MustRegister((&Sender{metrics: m}).Collector())
		if err := testutil.GatherAndCompare(registry, strings.NewReader(want), names...); err != nil {
			t.Error(err)
		}
	}
}

func TestMetricsAttemptClasses(t *testing.T) {
	tests := []struct {
		status  int
		verdict Verdict
		class   string
		timed   bool
	}{
		{200, VerdictSucceeded, "2xx", true},
		{302, VerdictRetry, "3xx", true},
		{410, VerdictGone, "4xx", true},
		{599, VerdictRetry, "5xx", true},
		{101, VerdictRetry, "none", true},
		{999, VerdictRetry, "none", true},
		{0, VerdictRetry, "none", true},
		{0, VerdictBlocked, "blocked", false},
	}
	for _, test := range tests {
		m := newMetrics()
		m.attempted("crm", test.status, test.verdict, 20*time.Millisecond)
		if got := testutil.ToFloat64(m.attemptsTotal.WithLabelValues("crm", test.class)); got != 1 {
			t.Errorf("attempted(%d, %s): class %s counts %v, want 1", test.status, test.verdict, test.class, got)
		}
		if timed := sampleCount(t, m, "caddy_webhooks_attempt_duration_seconds") == 1; timed != test.timed {
			t.Errorf("attempted(%d, %s): timed %t, want %t", test.status, test.verdict, timed, test.timed)
		}
	}
}

// TestMetricsAge: only a success has a time from publication to delivery, and
// a clock that goes back makes none negative.
func TestMetricsAge(t *testing.T) {
	m := newMetrics()
	for _, status := range []Status{Pending, Blocked, Failed, Cancelled, Status(0), Status(200)} {
		m.finished("crm", status)
	}
	if n := sampleCount(t, m, "caddy_webhooks_publish_to_delivered_seconds"); n != 0 {
		t.Errorf("without a success there are %d times", n)
	}
	m.delivered("crm", -time.Second)
	if n := sampleCount(t, m, "caddy_webhooks_publish_to_delivered_seconds"); n != 1 {
		t.Errorf("after one success there are %d times", n)
	}
	m.committed("other", 1, time.Second)
	if n := sampleCount(t, m, "caddy_webhooks_store_commit_seconds"); n != 0 {
		t.Errorf("a commit of no known kind is counted %d times", n)
	}
}

// sampleCount is how many observations the histograms of a name hold.
func sampleCount(t *testing.T, m *metrics, name string) (n uint64) {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(m)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == name {
			for _, metric := range family.GetMetric() {
				n += metric.GetHistogram().GetSampleCount()
			}
		}
	}
	return n
}

// TestMetricsForget: an endpoint that has left the configuration leaves no
// series behind, and starts from 0 when it comes back.
func TestMetricsForget(t *testing.T) {
	m := usedMetrics()
	m.backlog = nil
	m.forget("crm")
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(m)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			if strings.Contains(metric.String(), "crm") {
				t.Errorf("%s is still there: %s", family.GetName(), metric)
			}
		}
	}
	m.finished("crm", Succeeded)
	if got := testutil.ToFloat64(m.deliveriesTotal.WithLabelValues("crm", "succeeded")); got != 1 {
		t.Errorf("the endpoint that came back counts %v, want 1", got)
	}
	m.forget("nobody")
}

// TestMetricsNil: a sender without metrics counts nothing.
func TestMetricsNil(t *testing.T) {
	var m *metrics
	m.accepted(1)
	m.refused(refusedStore)
	m.attempted("crm", 200, VerdictSucceeded, time.Second)
	m.finished("crm", Succeeded)
	m.delivered("crm", time.Second)
	m.committed(commitPut, 1, time.Second)
	m.forget("crm")
	if n := testutil.CollectAndCount(m); n != 0 {
		t.Errorf("no metrics have %d series", n)
	}
}

func TestRefusalOf(t *testing.T) {
	tests := []struct {
		err  error
		want string
	}{
		{ErrInvalid, refusedInvalid},
		{ErrConflict, refusedConflict},
		{ErrStoreFull, refusedFull},
		{ErrBacklog, refusedBacklog},
		{ErrBusy, refusedBusy},
		{ErrClosed, refusedClosed},
		{ErrStoreClosed, refusedClosed},
		{errors.New("disk on fire"), refusedStore},
	}
	for _, test := range tests {
		if got := refusalOf(fmt.Errorf("publishing: %w", test.err)); got != test.want {
			t.Errorf("refusalOf(%v) = %s, want %s", test.err, got, test.want)
		}
	}
}

// TestMetricsConcurrently: endpoints come and go while others are counted and
// the metrics are read.
func TestMetricsConcurrently(t *testing.T) {
	m := usedMetrics()
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for n := range 500 {
				m.attempted("crm", 200, VerdictSucceeded, time.Millisecond)
				m.finished(fmt.Sprintf("e%d", n%20), Succeeded)
				m.delivered(fmt.Sprintf("e%d", n%20), time.Millisecond)
				if n%50 == 0 {
					m.forget("e1")
					testutil.CollectAndCount(m)
				}
			}
		})
	}
	all.Wait()
	if got := testutil.ToFloat64(m.attemptsTotal.WithLabelValues("crm", "2xx")); got != 2001 {
		t.Errorf("attempts = %v, want 2001", got)
	}
}

// TestMetricsDoNotAllocate guards the cost of counting on the way of each
// delivery.
func TestMetricsDoNotAllocate(t *testing.T) {
	m := usedMetrics()
	if n := testing.AllocsPerRun(100, func() {
		m.accepted(1)
		m.attempted("crm", 200, VerdictSucceeded, time.Millisecond)
		m.finished("crm", Succeeded)
		m.delivered("crm", time.Millisecond)
		m.committed(commitPut, 10, time.Millisecond)
	}); n != 0 {
		t.Errorf("counting a delivery allocates %v times", n)
	}
}

func BenchmarkMetrics(b *testing.B) {
	m := usedMetrics()
	b.Run("a delivery", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			m.accepted(1)
			m.attempted("crm", 200, VerdictSucceeded, 3*time.Millisecond)
			m.finished("crm", Succeeded)
			m.delivered("crm", 3*time.Millisecond)
		}
	})
	b.Run("a delivery, in parallel", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				m.accepted(1)
				m.attempted("crm", 200, VerdictSucceeded, 3*time.Millisecond)
				m.finished("crm", Succeeded)
				m.delivered("crm", 3*time.Millisecond)
			}
		})
	})
	b.Run("a commit", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			m.committed(commitPut, 10, time.Millisecond)
		}
	})
}

// BenchmarkMetricsOfNewEndpoints counts for endpoints that were not counted
// before, and forgets them.
func BenchmarkMetricsOfNewEndpoints(b *testing.B) {
	for _, n := range []int{100, 1000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			names := make([]string, n)
			for i := range names {
				names[i] = fmt.Sprintf("endpoint-%d", i)
			}
			for b.Loop() {
				m := newMetrics()
				for _, name := range names {
					m.finished(name, Succeeded)
					m.delivered(name, time.Second)
				}
				for _, name := range names {
					m.forget(name)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/endpoint")
		})
	}
}
