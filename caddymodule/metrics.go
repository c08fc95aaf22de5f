package caddymodule

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"weak"

	"github.com/caddyserver/caddy/v2"
	"github.com/prometheus/client_golang/prometheus"
)

// registries are those that have the metrics already.
var registries sync.Map // of weak.Pointer[prometheus.Registry]

// registerMetrics brings the metrics into the registry of a configuration, for
// whoever of it comes first.
func registerMetrics(registry *prometheus.Registry) error {
	key := weak.Make(registry)
	if _, there := registries.LoadOrStore(key, nil); there {
		return nil
	}
	runtime.AddCleanup(registry, func(key weak.Pointer[prometheus.Registry]) { registries.Delete(key) }, key)
	if err := errors.Join(registry.Register(sentCollector{}), registry.Register(receivedCollector{})); err != nil {
		return fmt.Errorf("registering the metrics: %w", err)
	}
	return nil
}

// Provision brings the metrics into the registry of the configuration before
// any app is loaded. Caddy's admin endpoint goes on to show that registry when
// the configuration is rejected, be it because an app could not be loaded, until
// the next one is loaded; they would be missing from it.
func (adminAPI) Provision(ctx caddy.Context) error {
	return registerMetrics(ctx.GetMetricsRegistry())
}

// sentCollector brings the sender's metrics into the registry of a
// configuration. They belong to the sender, which outlives configurations, so
// that they count on over a reload. As the registry may be shown although its
// configuration was rejected, the sender of the one in force is looked for each
// time.
type sentCollector struct{}

// Describe describes nothing: the sender may not be there yet. It makes this an
// unchecked collector.
func (sentCollector) Describe(chan<- *prometheus.Desc) {}

// Collect collects the metrics of the sender that is running.
func (sentCollector) Collect(metrics chan<- prometheus.Metric) {
	if s := senderInForce(); s != nil {
		s.Collector().Collect(metrics)
	}
}

// receivedCollector brings the receivers' metrics into the registry of a
// configuration. As with the sender's, they are looked for each time.
type receivedCollector struct{}

// Describe describes nothing: which receivers there are changes. It makes this
// an unchecked collector.
func (receivedCollector) Describe(chan<- *prometheus.Desc) {}

// Collect collects the metrics of all receivers that are running.
func (receivedCollector) Collect(metrics chan<- prometheus.Metric) {
	for _, s := range currentStates() {
		s.Collector().Collect(metrics)
	}
}

// Interface guards
var (
	_ caddy.Provisioner    = adminAPI{}
	_ prometheus.Collector = sentCollector{}
	_ prometheus.Collector = receivedCollector{}
)
