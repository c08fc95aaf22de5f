package sender_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// TestEngineIsCounted: what happens to events, deliveries and endpoints is in
// the metrics; endpoints made at run time are counted under one name.
func TestEngineIsCounted(t *testing.T) {
	good, bad, gone := newPeer(t, nil), newPeer(t, status(500)), newPeer(t, status(410))
	c := toPeers(good, bad, gone)
	c.EventTypes = []webhook.EventType{{Name: "message.created"}}
	c.Retry = []webhook.Duration{webhook.Duration(time.Minute)}
	c.Endpoints[2].Concurrency = 1 // so that one attempt is the last
	r := newRig(t, c)
	made := r.create(good)
	r.create(good)
	r.publish("1", "1", "2")
	for _, refused := range []webhook.Event{{Type: "unknown", Data: []byte("1")}, {ID: "1", Type: "message.created", Data: []byte("2")}, {Type: "message.created"}} {
		if _, err := r.Publish(t.Context(), refused); err == nil {
			t.Fatal("it was accepted")
		}
	}
	good.waitFor(t, 6)
	r.settled("1", "b", 1)
	r.settled("2", "b", 1)
	r.wantState("c", sender.StateDisabled)
	r.idle("a", "b", "c", made)
	r.clock.advance(30 * time.Second)
	if err := r.CancelDelivery(t.Context(), "", r.idOf("1", "b")); err != nil {
		t.Fatal(err)
	}
	want := `
# HELP caddy_webhooks_attempts_total Attempts to deliver, by the class of the answer's status.
# TYPE caddy_webhooks_attempts_total counter
caddy_webhooks_attempts_total{class="2xx",endpoint="*"} 4
caddy_webhooks_attempts_total{class="2xx",endpoint="a"} 2
caddy_webhooks_attempts_total{class="4xx",endpoint="c"} 1
caddy_webhooks_attempts_total{class="5xx",endpoint="b"} 2
# HELP caddy_webhooks_backlog_deliveries Deliveries that wait or are under way.
# TYPE caddy_webhooks_backlog_deliveries gauge
caddy_webhooks_backlog_deliveries{endpoint="b"} 1
caddy_webhooks_backlog_deliveries{endpoint="c"} 2
# HELP caddy_webhooks_backlog_age_seconds How long the oldest delivery that is due has waited.
# TYPE caddy_webhooks_backlog_age_seconds gauge
caddy_webhooks_backlog_age_seconds{endpoint="c"} 30
# HELP caddy_webhooks_deliveries_total Deliveries that came to an end, or were blocked by the egress rules.
# TYPE caddy_webhooks_deliveries_total counter
caddy_webhooks_deliveries_total{endpoint="*",outcome="succeeded"} 4
caddy_webhooks_deliveries_total{endpoint="a",outcome="succeeded"} 2
caddy_webhooks_deliveries_total{endpoint="b",outcome="cancelled"} 1
# HELP caddy_webhooks_endpoint_state 1 for the state that the endpoint is in, and 0 for the others.
# TYPE caddy_webhooks_endpoint_state gauge
caddy_webhooks_endpoint_state{endpoint="a",state="active"} 1
caddy_webhooks_endpoint_state{endpoint="b",state="active"} 1
caddy_webhooks_endpoint_state{endpoint="c",state="disabled"} 1
# HELP caddy_webhooks_events_accepted_total Events that were stored, and will be delivered.
# TYPE caddy_webhooks_events_accepted_total counter
caddy_webhooks_events_accepted_total 2
# HELP caddy_webhooks_events_refused_total Publications that were refused, a batch counted once.
# TYPE caddy_webhooks_events_refused_total counter
caddy_webhooks_events_refused_total{reason="conflict"} 1
caddy_webhooks_events_refused_total{reason="invalid"} 2
`
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(r.Collector())
	if err := testutil.GatherAndCompare(nonZero{registry}, strings.NewReader(want), namesIn(want)...); err != nil {
		t.Error(err)
	}
	// An endpoint that leaves the configuration leaves the metrics.
	r.config.Endpoints = r.config.Endpoints[1:]
	r.apply()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			for _, label := range metric.GetLabel() {
				if label.GetName() == "endpoint" && label.GetValue() == "a" {
					t.Errorf("%s still has the endpoint", family.GetName())
				}
			}
		}
	}
}

// nonZero leaves out the counters and gauges that are 0.
type nonZero struct{ prometheus.Gatherer }

func (g nonZero) Gather() ([]*dto.MetricFamily, error) {
	families, err := g.Gatherer.Gather()
	for _, family := range families {
		family.Metric = slices.DeleteFunc(family.Metric, func(m *dto.Metric) bool {
			return m.Histogram == nil && m.GetCounter().GetValue() == 0 && m.GetGauge().GetValue() == 0
		})
	}
	return families, err
}

// namesIn are the metrics in a text.
func namesIn(text string) (names []string) {
	for line := range strings.Lines(text) {
		if name, ok := strings.CutPrefix(line, "# TYPE "); ok {
			names = append(names, strings.Fields(name)[0])
		}
	}
	return names
}

// TestEngineIsTraced: a traced publication has its attempts in the same trace,
// and the endpoint is told of the attempt's span.
func TestEngineIsTraced(t *testing.T) {
	p := newPeer(t, statuses(500, 200))
	r := newRig(t, toPeers(p))
	recorder := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder))
	defer func() { _ = provider.Shutdown(context.Background()) }()
	ctx, parent := provider.Tracer("test").Start(t.Context(), "request")
	if _, err := r.Publish(ctx, event("e")); err != nil {
		t.Fatal(err)
	}
	parent.End()
	r.clock.advanceTo(r.clock.alarm(t, r.settled("e", "a", 1).Due))
	r.delivered("a", "e")
	names := map[string]int{}
	for _, span := range recorder.Ended() {
		names[span.Name()]++
		if span.SpanContext().TraceID() != parent.SpanContext().TraceID() {
			t.Errorf("the span %s is in another trace", span.Name())
		}
	}
	if names["webhook publish"] != 1 || names["webhook attempt"] != 2 {
		t.Errorf("the spans are %v", names)
	}
	seen := map[string]bool{}
	for _, got := range p.all() {
		sent := got.header.Get("Traceparent")
		if !strings.Contains(sent, parent.SpanContext().TraceID().String()) || seen[sent] {
			t.Errorf("the traceparent %q is in another trace, or was sent twice", sent)
		}
		seen[sent] = true
	}
}

// TestNoSeriesOfWhatIsGone: an attempt that ends after its endpoint has left the
// configuration does not bring back the series of that, which would stay.
func TestNoSeriesOfWhatIsGone(t *testing.T) {
	h := newHanging(t)
	r := newRig(t, toPeers(newPeer(t, h.answer)))
	r.publish("1")
	<-h.entered
	r.config.Endpoints = nil
	r.apply()
	h.letGo()
	r.settled("1", "a", 1)
	r.idle("a")
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(r.Collector())
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			if strings.Contains(metric.String(), `value:"a"`) {
				t.Errorf("%s: %s", family.GetName(), metric)
			}
		}
	}
}

// TestTimeToDeliveredIsThatOfPublishing: a delivery that a person has made again
// is not counted among the times from publishing to success with the age of its
// event, nor one that was made later because it was missing.
func TestTimeToDeliveredIsThatOfPublishing(t *testing.T) {
	p := newPeer(t, nil)
	r := newRig(t, toPeers(p))
	r.publish("1")
	r.delivered("a", "1")
	r.clock.advance(7 * 24 * time.Hour)
	if err := r.RetryDelivery(t.Context(), "", r.idOf("1", "a")); err != nil {
		t.Fatal(err)
	}
	r.settled("1", "a", 2)
	r.config.Endpoints = append(r.config.Endpoints, toPeers(p, p).Endpoints[1])
	r.apply()
	r.replayed(r.startReplay(sender.ReplayRequest{Missing: true, EndpointIDs: []string{"b"}}).ID)
	r.delivered("b", "1")
	r.idle("a", "b")
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(r.Collector())
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	count, sum := uint64(0), 0.0
	for _, family := range families {
		if family.GetName() == "caddy_webhooks_publish_to_delivered_seconds" {
			for _, metric := range family.GetMetric() {
				count += metric.GetHistogram().GetSampleCount()
				sum += metric.GetHistogram().GetSampleSum()
			}
		}
	}
	if count != 2 || sum > 60 {
		t.Errorf("%d deliveries took %.0f s together, want the two that nobody has asked for again, in no time", count, sum)
	}
}
