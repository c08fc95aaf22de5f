package sender

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// backlogSample is what is waiting for an endpoint at the time of a scrape.
type backlogSample struct {
	// endpoint is its ID in the configuration, or runtimeEndpoints. Samples of
	// the same name are added up.
	endpoint string

	// deliveries is how many are pending.
	deliveries int64

	// age is how long the oldest of those that are due has waited; 0 if none is.
	age time.Duration

	// state is where the endpoint is in its life. It is not told of
	// runtimeEndpoints.
	state State
}

var (
	backlogDesc = prometheus.NewDesc("caddy_webhooks_backlog_deliveries",
		"Deliveries that wait or are under way.", []string{"endpoint"}, nil)
	backlogAgeDesc = prometheus.NewDesc("caddy_webhooks_backlog_age_seconds",
		"How long the oldest delivery that is due has waited.", []string{"endpoint"}, nil)
	stateDesc = prometheus.NewDesc("caddy_webhooks_endpoint_state",
		"1 for the state that the endpoint is in, and 0 for the others.", []string{"endpoint", "state"}, nil)
)

// collectors are the metrics that are kept; the others are asked for.
func (m *metrics) collectors() []prometheus.Collector {
	return []prometheus.Collector{
		m.acceptedTotal, m.refusedTotal, m.deliveriesTotal, m.attemptsTotal,
		m.attemptSeconds, m.deliverySeconds, m.commitSeconds, m.commitSize,
	}
}

// Describe implements [prometheus.Collector].
func (m *metrics) Describe(to chan<- *prometheus.Desc) {
	if m == nil {
		return
	}
	for _, c := range m.collectors() {
		c.Describe(to)
	}
	to <- backlogDesc
	to <- backlogAgeDesc
	to <- stateDesc
	to <- outboxDesc
}

// Collect implements [prometheus.Collector].
func (m *metrics) Collect(to chan<- prometheus.Metric) {
	if m == nil {
		return
	}
	m.collectBacklog(to)
	m.collectOutbox(to)
	for _, c := range m.collectors() {
		c.Collect(to)
	}
}

func (m *metrics) collectBacklog(to chan<- prometheus.Metric) {
	if m.backlog == nil {
		return
	}
	byEndpoint := make(map[string]backlogSample)
	for _, sample := range m.backlog() {
		sum := byEndpoint[sample.endpoint]
		sample.deliveries += sum.deliveries
		sample.age = max(sample.age, sum.age)
		byEndpoint[sample.endpoint] = sample
	}
	for endpoint, sample := range byEndpoint {
		m.of(endpoint) // what has not happened to it yet is 0, and not missing
		to <- prometheus.MustNewConstMetric(backlogDesc, prometheus.GaugeValue, float64(sample.deliveries), endpoint)
		to <- prometheus.MustNewConstMetric(backlogAgeDesc, prometheus.GaugeValue, sample.age.Seconds(), endpoint)
		if endpoint == runtimeEndpoints {
			continue
		}
		for state := StateInactive; state <= StateDisabled; state++ {
			value := 0.0
			if state == sample.state {
				value = 1
			}
			to <- prometheus.MustNewConstMetric(stateDesc, prometheus.GaugeValue, value, endpoint, state.String())
		}
	}
}
