package sender

import (
	"errors"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Why events are refused, as a label.
const (
	refusedInvalid  = "invalid"  // they cannot be accepted as they are
	refusedConflict = "conflict" // the ID belongs to another event
	refusedFull     = "full"     // the store has no room
	refusedBacklog  = "backlog"  // too much is waiting
	refusedBusy     = "busy"     // more at once than can be stored
	refusedClosed   = "closed"   // the sender takes no more
	refusedStore    = "store"    // the store could not do it, or not in time
)

// runtimeEndpoints stands in metrics for all endpoints that are not in the
// configuration, so that nobody can add series without end.
const runtimeEndpoints = "*"

// metrics are what a sender counts. Its methods are safe for concurrent use and
// do nothing on nil. Endpoints are named as they are in the configuration, or
// by runtimeEndpoints.
type metrics struct {
	// backlog tells what is waiting for whom; it is called for each scrape. It
	// is set before the metrics are first collected, or nil.
	backlog func() []backlogSample

	// configured tells whether an endpoint has series of its own. It is set before
	// the metrics are first used, or nil, and then each has.
	configured func(endpoint string) bool

	// outbox counts what is in the outbox, in the same way; nil when there is
	// none.
	outbox func() *OutboxCount

	acceptedTotal   prometheus.Counter
	refusedTotal    *prometheus.CounterVec
	deliveriesTotal *prometheus.CounterVec
	attemptsTotal   *prometheus.CounterVec
	attemptSeconds  *prometheus.HistogramVec
	deliverySeconds *prometheus.HistogramVec
	commitSeconds   *prometheus.HistogramVec
	commitSize      *prometheus.HistogramVec
	commitOf        map[string]commitMetrics // by operation

	mu         sync.RWMutex // guards endpointOf
	endpointOf map[string]*endpointMetrics
}

// outcomeStatuses are those that deliveries are counted by.
var outcomeStatuses = []Status{Blocked, Succeeded, Failed, Cancelled}

// endpointMetrics are the series of one endpoint.
type endpointMetrics struct {
	deliveries      [len(statusNames)]prometheus.Counter // by status; nil for one that is no outcome
	attempts        [len(attemptClasses)]prometheus.Counter
	attemptSeconds  prometheus.Observer
	deliverySeconds prometheus.Observer
}

// commitMetrics are the series of one kind of commit.
type commitMetrics struct {
	seconds, size prometheus.Observer
}

// The kinds of commits.
const (
	commitPut    = "put"
	commitSettle = "settle"
)

// The classes of attempts: by the answer, or by why there was none.
const (
	classNone = iota
	classBlocked
	class2xx
	class3xx
	class4xx
	class5xx
)

var attemptClasses = [...]string{classNone: "none", classBlocked: "blocked", class2xx: "2xx", class3xx: "3xx", class4xx: "4xx", class5xx: "5xx"}

// Upper bounds of histograms, in seconds and in numbers.
var (
	attemptBuckets  = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60}
	deliveryBuckets = []float64{.001, .002, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 15, 60, 300, 1800, 7200, 21600, 86400}
	commitBuckets   = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5}
	sizeBuckets     = []float64{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000}
)

// newMetrics makes metrics that nobody collects yet.
func newMetrics() *metrics {
	const namespace = "caddy_webhooks"
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
	}
	histograms := func(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets}, labels)
	}
	m := &metrics{
		acceptedTotal: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: namespace, Name: "events_accepted_total", Help: "Events that were stored, and will be delivered.",
		}),
		refusedTotal:    counters("events_refused_total", "Publications that were refused, a batch counted once.", "reason"),
		deliveriesTotal: counters("deliveries_total", "Deliveries that came to an end, or were blocked by the egress rules.", "endpoint", "outcome"),
		attemptsTotal:   counters("attempts_total", "Attempts to deliver, by the class of the answer's status.", "endpoint", "class"),
		attemptSeconds:  histograms("attempt_duration_seconds", "How long attempts took that the egress rules allowed.", attemptBuckets, "endpoint"),
		deliverySeconds: histograms("publish_to_delivered_seconds", "How long it took from an event's being stored to its successful delivery, unless somebody had it delivered again.", deliveryBuckets, "endpoint"),
		commitSeconds:   histograms("store_commit_seconds", "How long the store took to make a batch durable.", commitBuckets, "operation"),
		commitSize:      histograms("store_commit_size", "How many events (put) or outcomes (settle) were stored at once.", sizeBuckets, "operation"),
		commitOf:        make(map[string]commitMetrics),
	}
	m.endpointOf = make(map[string]*endpointMetrics)
	// What has not happened yet is 0, and not missing.
	for _, reason := range []string{refusedInvalid, refusedConflict, refusedFull, refusedBacklog, refusedBusy, refusedClosed, refusedStore} {
		m.refusedTotal.WithLabelValues(reason)
	}
	for _, operation := range []string{commitPut, commitSettle} {
		m.commitOf[operation] = commitMetrics{m.commitSeconds.WithLabelValues(operation), m.commitSize.WithLabelValues(operation)}
	}
	return m
}

// Collector returns the sender's metrics, whose names begin with
// "caddy_webhooks_". It may be registered with any number of registries.
func (s *Sender) Collector() prometheus.Collector { return s.metrics }

// accepted counts events that were stored.
func (m *metrics) accepted(n int) {
	if m == nil {
		return
	}
	m.acceptedTotal.Add(float64(n))
}

// refused counts a publication that was refused, for one of the reasons above.
func (m *metrics) refused(reason string) {
	if m == nil {
		return
	}
	m.refusedTotal.WithLabelValues(reason).Inc()
}

// refusalOf is the reason that an error of publishing stands for.
func refusalOf(err error) string {
	switch {
	case errors.Is(err, ErrInvalid):
		return refusedInvalid
	case errors.Is(err, ErrConflict):
		return refusedConflict
	case errors.Is(err, ErrStoreFull):
		return refusedFull
	case errors.Is(err, ErrBacklog):
		return refusedBacklog
	case errors.Is(err, ErrBusy):
		return refusedBusy
	case errors.Is(err, ErrClosed), errors.Is(err, ErrStoreClosed):
		return refusedClosed
	}
	return refusedStore
}

// attempted counts an attempt.
func (m *metrics) attempted(endpoint string, statusCode int, verdict Verdict, d time.Duration) {
	if m == nil {
		return
	}
	e := m.of(endpoint)
	if e == nil {
		return
	}
	if verdict == VerdictBlocked {
		e.attempts[classBlocked].Inc()
		return
	}
	class := classNone
	if n := statusCode / 100; 2 <= n && n <= 5 {
		class = class2xx + n - 2
	}
	e.attempts[class].Inc()
	e.attemptSeconds.Observe(d.Seconds())
}

// finished counts a delivery that has come to an end, or was blocked.
func (m *metrics) finished(endpoint string, status Status) {
	if m == nil || int(status) >= len(statusNames) {
		return
	}
	e := m.of(endpoint)
	if e == nil || e.deliveries[status] == nil {
		return
	}
	e.deliveries[status].Inc()
}

// delivered notes how long a delivery took from when it was made to its success.
func (m *metrics) delivered(endpoint string, took time.Duration) {
	if m == nil {
		return
	}
	if e := m.of(endpoint); e != nil {
		e.deliverySeconds.Observe(max(took, 0).Seconds())
	}
}

// committed notes a batch that the store has made durable, and how long it took.
func (m *metrics) committed(operation string, n int, d time.Duration) {
	if m == nil {
		return
	}
	c, ok := m.commitOf[operation]
	if !ok {
		return
	}
	c.seconds.Observe(d.Seconds())
	c.size.Observe(float64(n))
}

// forget drops the series of an endpoint that has left the configuration.
func (m *metrics) forget(endpoint string) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.endpointOf, endpoint)
	for _, status := range outcomeStatuses {
		m.deliveriesTotal.DeleteLabelValues(endpoint, status.String())
	}
	for _, name := range attemptClasses {
		m.attemptsTotal.DeleteLabelValues(endpoint, name)
	}
	m.attemptSeconds.DeleteLabelValues(endpoint)
	m.deliverySeconds.DeleteLabelValues(endpoint)
}

// of returns the series of an endpoint; nil when it has left the configuration
// while something was under way for it, which must not bring them back. To add or
// to forget one costs the same however many there are.
func (m *metrics) of(endpoint string) *endpointMetrics {
	m.mu.RLock()
	e := m.endpointOf[endpoint]
	m.mu.RUnlock()
	if e != nil {
		return e
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if e = m.endpointOf[endpoint]; e != nil {
		return e
	}
	if endpoint != runtimeEndpoints && m.configured != nil && !m.configured(endpoint) {
		return nil
	}
	e = &endpointMetrics{
		attemptSeconds:  m.attemptSeconds.WithLabelValues(endpoint),
		deliverySeconds: m.deliverySeconds.WithLabelValues(endpoint),
	}
	for _, status := range outcomeStatuses {
		e.deliveries[status] = m.deliveriesTotal.WithLabelValues(endpoint, status.String())
	}
	for class, name := range attemptClasses {
		e.attempts[class] = m.attemptsTotal.WithLabelValues(endpoint, name)
	}
	m.endpointOf[endpoint] = e
	return e
}
