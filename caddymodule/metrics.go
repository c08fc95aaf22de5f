package caddymodule

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/manysends/caddy-webhooks/sender"
)

// collector brings the sender's metrics into the registry of a configuration.
// They belong to the sender, which outlives configurations, so that they count
// on over a reload.
//
// Caddy's admin endpoint goes on to show the registry of a configuration that
// was rejected, until the next one is loaded. Therefore the sender is looked
// for each time: what is shown are the metrics of the one that is running.
type collector struct{ app *App }

// Describe describes nothing: the sender may not be there yet. It makes this an
// unchecked collector.
func (collector) Describe(chan<- *prometheus.Desc) {}

// Collect collects the metrics of the sender that is running.
func (c collector) Collect(metrics chan<- prometheus.Metric) {
	if s := c.sender(); s != nil {
		s.Collector().Collect(metrics)
	}
}

// sender is that of the app's own store, or else that of the configuration in
// force; nil when there is none.
func (c collector) sender() *sender.Sender {
	if s := c.app.available(); s != nil {
		return s
	}
	module, err := caddy.ActiveContext().AppIfConfigured("webhooks")
	if err != nil {
		return nil
	}
	return module.(*App).available()
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
	_ prometheus.Collector = collector{}
	_ prometheus.Collector = receivedCollector{}
)
