package receiver

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// The verdicts on requests, as labels.
const (
	verdictAccepted   = iota // it went to the application
	verdictDuplicate         // it was answered without the application
	verdictHandshake         // it was answered as one
	verdictLetThrough        // it went to the application in spite of what was found
	verdictForged            // 401, or 503 for want of keys
	verdictLimited           // 429
	verdictInProgress        // 409
	verdictInvalid           // any other refusal
)

var verdictNames = [...]string{
	verdictAccepted: "accepted", verdictDuplicate: "duplicate", verdictHandshake: "handshake", verdictLetThrough: "let_through",
	verdictForged: "not_authentic", verdictLimited: "limited", verdictInProgress: "in_progress", verdictInvalid: "invalid",
}

// verdictOf is what an observation comes to.
func verdictOf(o *Observation) int {
	switch {
	case !o.Enforced:
		return verdictLetThrough
	case o.Handshake:
		return verdictHandshake
	case o.Duplicate:
		return verdictDuplicate
	case o.Reason == "":
		return verdictAccepted
	case isVerifyFailure(o.Reason):
		return verdictForged
	}
	switch o.Reason {
	case ReasonIPRate, ReasonRate:
		return verdictLimited
	case ReasonInProgress:
		return verdictInProgress
	}
	return verdictInvalid
}

// verifyFailures are the reasons that answer 401, or 503 for want of keys.
var verifyFailures = [...]Reason{ReasonSignatureMissing, ReasonSignatureMismatch, ReasonTimestampMalformed, ReasonTooOld, ReasonTooNew, ReasonKeysUnavailable}

func isVerifyFailure(r Reason) bool {
	for _, f := range verifyFailures {
		if r == f {
			return true
		}
	}
	return false
}

// What became of a duplicate, as a label.
const (
	duplicateSettled = iota // it was known
	duplicateWaited         // it waited for the first, which succeeded
	duplicateRefused        // it was told to come again later
)

var duplicateNames = [...]string{duplicateSettled: "settled", duplicateWaited: "waited", duplicateRefused: "in_progress"}

// guardBuckets are upper bounds in seconds.
var guardBuckets = []float64{.00001, .000025, .00005, .0001, .00025, .0005, .001, .0025, .005, .01, .025, .1, .5, 2.5}

// metrics are what a [State] counts for its receivers. They live as long as it
// does.
type metrics struct {
	state *State

	received   *prometheus.CounterVec
	failures   *prometheus.CounterVec
	duplicates *prometheus.CounterVec
	secrets    *prometheus.CounterVec
	refusals   *prometheus.CounterVec
	seconds    prometheus.Histogram

	claims, seen, forgotten, youngest, keys, persistErrors *prometheus.Desc
	sharedUp, sharedErrors, sharedLost                     *prometheus.Desc
}

func newMetrics(s *State, name string) *metrics {
	const namespace = "caddy_webhooks"
	receiver := prometheus.Labels{"receiver": name}
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help, ConstLabels: receiver}, labels)
	}
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, receiver)
	}
	return &metrics{
		state:      s,
		received:   counters("received_total", "Requests, by what was decided.", "provider", "verdict"),
		failures:   counters("verify_failures_total", "Requests whose signature or age was not right.", "provider", "reason"),
		duplicates: counters("duplicates_total", "Requests with an event that was known: processed before, while they waited, or not yet.", "kind"),
		secrets:    counters("secret_matches_total", "Authentic requests, by the secret that they were signed with.", "index"),
		refusals:   counters("limiter_refusals_total", "Requests that were over a limit.", "limit"),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Namespace: namespace, Name: "process_seconds", ConstLabels: receiver, Buckets: guardBuckets,
			Help: "How long requests were checked, from their last byte to the decision. Waiting for another request is not counted.",
		}),
		claims:        desc("claims_in_flight", "Keys of events that are being processed."),
		seen:          desc("seen_events", "Processed events that are remembered: in the exact table, or settled in the cache.", "place"),
		forgotten:     desc("seen_forgotten_total", "Events that were forgotten before their time because there were too many."),
		youngest:      desc("seen_youngest_forgotten_seconds", "The least time that any of those had been remembered; 0 without any."),
		keys:          desc("limiter_keys", "Clients and sources with a budget of their own.", "limit"),
		persistErrors: desc("persist_errors_total", "Times that the file of seen events could not be written."),
		sharedUp:      desc("shared_up", "Whether the shared memory of events could be asked the last time; only with one."),
		sharedErrors:  desc("shared_errors_total", "Times that the shared memory of events could not be asked; only with one."),
		sharedLost:    desc("shared_lost_total", "Events that another request has claimed while they were processed; only with a shared memory."),
	}
}

// Collector returns the metrics of the State and of the receivers that use it.
// Their names begin with "caddy_webhooks_", and their label "receiver" is
// [StateOptions].Name, so that the Collectors of several States may be
// registered together when their names differ. It may be registered with any
// number of registries.
func (s *State) Collector() prometheus.Collector { return s.metrics }

// collectors are the parts that are collectors themselves.
func (m *metrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{m.received, m.failures, m.duplicates, m.secrets, m.refusals, m.seconds}
}

// Describe implements [prometheus.Collector].
func (m *metrics) Describe(to chan<- *prometheus.Desc) {
	for _, c := range m.collectors() {
		c.Describe(to)
	}
	for _, d := range []*prometheus.Desc{m.claims, m.seen, m.forgotten, m.youngest, m.keys, m.persistErrors, m.sharedUp, m.sharedErrors, m.sharedLost} {
		to <- d
	}
}

// Collect implements [prometheus.Collector].
func (m *metrics) Collect(to chan<- prometheus.Metric) {
	for _, c := range m.collectors() {
		c.Collect(to)
	}
	stats := m.state.Stats()
	send := func(d *prometheus.Desc, kind prometheus.ValueType, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, kind, value, labels...)
	}
	send(m.claims, prometheus.GaugeValue, float64(stats.Claimed))
	send(m.seen, prometheus.GaugeValue, float64(stats.Exact), "exact")
	send(m.seen, prometheus.GaugeValue, float64(stats.Settled), "settled")
	send(m.forgotten, prometheus.CounterValue, float64(stats.Forgotten))
	send(m.youngest, prometheus.GaugeValue, stats.YoungestForgotten.Seconds())
	send(m.keys, prometheus.GaugeValue, float64(stats.IPKeys), "ip")
	send(m.keys, prometheus.GaugeValue, float64(stats.SourceKeys), "rate")
	send(m.persistErrors, prometheus.CounterValue, float64(stats.PersistErrors))
	if m.state.shared == nil {
		return
	}
	up := 1.0
	if stats.SharedAway {
		up = 0
	}
	send(m.sharedUp, prometheus.GaugeValue, up)
	send(m.sharedErrors, prometheus.CounterValue, float64(stats.SharedErrors))
	send(m.sharedLost, prometheus.CounterValue, float64(stats.SharedLost))
}

// series are what a [Receiver] counts in the metrics of its State. They are
// made with its first request: a Receiver that never gets one leaves no trace.
type series struct {
	received    [len(verdictNames)]prometheus.Counter
	failures    [len(verifyFailures)]prometheus.Counter
	duplicates  [len(duplicateNames)]prometheus.Counter
	firstSecret prometheus.Counter
	secrets     *prometheus.CounterVec
	ipRefusals  prometheus.Counter
	refusals    []prometheus.Counter // by the index of the limit
	seconds     prometheus.Observer
}

func (m *metrics) of(provider string, rates int) *series {
	s := &series{secrets: m.secrets, firstSecret: m.secrets.WithLabelValues("0"), ipRefusals: m.refusals.WithLabelValues(limitByIP), seconds: m.seconds}
	for i, name := range verdictNames {
		s.received[i] = m.received.WithLabelValues(provider, name)
	}
	for i, reason := range verifyFailures {
		s.failures[i] = m.failures.WithLabelValues(provider, string(reason))
	}
	for i, name := range duplicateNames {
		s.duplicates[i] = m.duplicates.WithLabelValues(name)
	}
	for i := range rates {
		s.refusals = append(s.refusals, m.refusals.WithLabelValues(limitByRate+strconv.Itoa(i)))
	}
	return s
}

// count counts what was decided about a request.
func (s *series) count(o *Observation) {
	s.received[verdictOf(o)].Inc()
	for i, reason := range verifyFailures {
		if o.Reason == reason {
			s.failures[i].Inc()
		}
	}
	switch {
	case o.SecretIndex == 0:
		s.firstSecret.Inc()
	case o.SecretIndex > 0:
		s.secrets.WithLabelValues(strconv.Itoa(o.SecretIndex)).Inc()
	}
}
