package sender

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/manysends/caddy-webhooks/webhook"
)

// elsewhere is the traceparent of a trace that the tests do not record.
const elsewhere = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

// newProvider makes a tracer provider with the spans that it has recorded.
func newProvider(t testing.TB, options ...sdktrace.TracerProviderOption) (*sdktrace.TracerProvider, *tracetest.SpanRecorder) {
	t.Helper()
	recorder := tracetest.NewSpanRecorder()
	provider := sdktrace.NewTracerProvider(append(options, sdktrace.WithSpanProcessor(recorder))...)
	t.Cleanup(func() { _ = provider.Shutdown(context.Background()) })
	return provider, recorder
}

func attributesOf(span sdktrace.ReadOnlySpan) map[string]string {
	attributes := make(map[string]string)
	for _, a := range span.Attributes() {
		attributes[string(a.Key)] = a.Value.String()
	}
	return attributes
}

// TestTracePublishAndAttempt follows an event from the request that published
// it to the request that delivers it.
func TestTracePublishAndAttempt(t *testing.T) {
	provider, recorder := newProvider(t)
	var tr tracing
	ctx, request := provider.Tracer("server").Start(t.Context(), "POST /events")
	events := []webhook.Event{{Type: "conversation.created", Data: []byte(`{"secret":"payload"}`)}}

	inner, end := tr.startPublish(ctx, events)
	published := trace.SpanContextFromContext(inner)
	if published.SpanID() == request.SpanContext().SpanID() {
		t.Error("the context returned does not hold the span of the publication")
	}
	if want := formatTraceParent(published); events[0].TraceParent != want {
		t.Errorf("the event carries %q, want %q", events[0].TraceParent, want)
	}
	events[0].ID = "evt_1"
	end(nil)

	attemptCtx, sent, endAttempt := tr.startAttempt(t.Context(), &events[0], "crm", 2)
	if want := formatTraceParent(trace.SpanContextFromContext(attemptCtx)); sent != want || sent == events[0].TraceParent {
		t.Errorf("sent %q, want that of the attempt, %q", sent, want)
	}
	endAttempt(&Attempt{StatusCode: 503, Verdict: VerdictRetry, Error: "the endpoint answered 503"})

	spans := recorder.Ended()
	if len(spans) != 2 {
		t.Fatalf("%d spans have ended, want 2", len(spans))
	}
	publish, attempt := spans[0], spans[1]
	for _, span := range spans {
		if span.SpanContext().TraceID() != request.SpanContext().TraceID() {
			t.Errorf("%s is in another trace", span.Name())
		}
		if span.InstrumentationScope().Name != tracerName {
			t.Errorf("%s is of the scope %q", span.Name(), span.InstrumentationScope().Name)
		}
	}
	if publish.Parent().SpanID() != request.SpanContext().SpanID() || attempt.Parent().SpanID() != published.SpanID() || !attempt.Parent().IsRemote() {
		t.Errorf("the spans are not below each other: %v, %v", publish.Parent(), attempt.Parent())
	}
	if publish.Name() != "webhook publish" || publish.SpanKind() != trace.SpanKindProducer ||
		attempt.Name() != "webhook attempt" || attempt.SpanKind() != trace.SpanKindClient {
		t.Errorf("spans: %s (%s), %s (%s)", publish.Name(), publish.SpanKind(), attempt.Name(), attempt.SpanKind())
	}
	if diff := cmp.Diff(map[string]string{
		"messaging.system": "caddy_webhooks", "messaging.operation.name": "publish", "messaging.operation.type": "send",
		"messaging.message.id": "evt_1", "webhook.event.type": "conversation.created",
	}, attributesOf(publish)); diff != "" {
		t.Errorf("attributes of the publication (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]string{
		"messaging.system": "caddy_webhooks", "messaging.message.id": "evt_1", "webhook.event.type": "conversation.created",
		"webhook.endpoint.id": "crm", "http.request.method": "POST", "http.request.resend_count": "1",
		"http.response.status_code": "503", "webhook.attempt.verdict": "retry", "error.type": "retry",
	}, attributesOf(attempt)); diff != "" {
		t.Errorf("attributes of the attempt (-want +got):\n%s", diff)
	}
	if publish.Status().Code != codes.Unset || attempt.Status() != (sdktrace.Status{Code: codes.Error, Description: "the endpoint answered 503"}) {
		t.Errorf("statuses: %v, %v", publish.Status(), attempt.Status())
	}
}

// TestTraceCarried: which trace an event goes on in.
func TestTraceCarried(t *testing.T) {
	provider, _ := newProvider(t)
	ctx, request := provider.Tracer("server").Start(t.Context(), "POST /events")
	sameTrace := "00-" + request.SpanContext().TraceID().String() + "-00f067aa0ba902b7-01"
	tests := []struct {
		name, carried string
		replaced      bool
	}{
		{"none", "", true},
		{"that of the request", sameTrace, true},
		{"another", elsewhere, false},
		{"nonsense", "hello", true},
		{"zeros", "00-00000000000000000000000000000000-0000000000000000-00", true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var tr tracing
			events := []webhook.Event{{TraceParent: test.carried}, {TraceParent: elsewhere}}
			inner, end := tr.startPublish(ctx, events)
			end(nil)
			want := test.carried
			if test.replaced {
				want = formatTraceParent(trace.SpanContextFromContext(inner))
			}
			if events[0].TraceParent != want || events[1].TraceParent != elsewhere {
				t.Errorf("the events carry %q and %q, want %q and %q", events[0].TraceParent, events[1].TraceParent, want, elsewhere)
			}
		})
	}
}

func TestTracePublishErrors(t *testing.T) {
	provider, recorder := newProvider(t)
	ctx, _ := provider.Tracer("server").Start(t.Context(), "POST /events")
	var tr tracing
	_, end := tr.startPublish(ctx, make([]webhook.Event, 3))
	end(fmt.Errorf("%w: data holds whsec_x", ErrInvalid))
	span := recorder.Ended()[0]
	if span.Status() != (sdktrace.Status{Code: codes.Error, Description: "invalid"}) || len(span.Events()) != 0 {
		t.Errorf("status %v, events %v: want the reason and nothing of the event", span.Status(), span.Events())
	}
	got := attributesOf(span)
	if got["error.type"] != "invalid" || got["messaging.batch.message_count"] != "3" || got["messaging.message.id"] != "" {
		t.Errorf("attributes: %v", got)
	}
}

func TestTraceAttemptEnds(t *testing.T) {
	tests := []struct {
		name    string
		attempt *Attempt
		status  codes.Code
		want    map[string]string
	}{
		{"succeeded", &Attempt{StatusCode: 204, Verdict: VerdictSucceeded}, codes.Unset,
			map[string]string{"http.response.status_code": "204", "webhook.attempt.verdict": "succeeded"}},
		{"no answer", &Attempt{Verdict: VerdictRetry, Error: "connection refused"}, codes.Error,
			map[string]string{"error.type": "retry", "webhook.attempt.verdict": "retry"}},
		{"blocked", &Attempt{Verdict: VerdictBlocked, Error: "forbidden"}, codes.Error,
			map[string]string{"error.type": "blocked", "webhook.attempt.verdict": "blocked"}},
		{"given up", nil, codes.Error, map[string]string{"error.type": "abandoned"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			provider, recorder := newProvider(t)
			tr := tracing{}
			tracer := provider.Tracer(tracerName)
			tr.last.Store(&tracer)
			_, _, end := tr.startAttempt(t.Context(), &webhook.Event{ID: "evt_1", TraceParent: elsewhere}, "crm", 1)
			end(test.attempt)
			span := recorder.Ended()[0]
			got := attributesOf(span)
			for _, own := range []string{"messaging.system", "messaging.message.id", "webhook.event.type", "webhook.endpoint.id", "http.request.method"} {
				delete(got, own)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("attributes (-want +got):\n%s", diff)
			}
			if span.Status().Code != test.status {
				t.Errorf("status %v, want %v", span.Status(), test.status)
			}
		})
	}
}

// TestTraceNothing: without somebody who records there are no spans, and
// contexts and traceparents are left as they are.
func TestTraceNothing(t *testing.T) {
	recording, _ := newProvider(t)
	unsampled, _ := newProvider(t, sdktrace.WithSampler(sdktrace.NeverSample()))
	quiet, _ := unsampled.Tracer("server").Start(t.Context(), "POST /events")

	var tr tracing
	for _, ctx := range []context.Context{t.Context(), quiet} {
		events := []webhook.Event{{}}
		got, end := tr.startPublish(ctx, events)
		end(errors.New("whatever"))
		if got != ctx || events[0].TraceParent != "" || tr.last.Load() != nil {
			t.Errorf("a publication that nobody records leaves %v, %q", got, events[0].TraceParent)
		}
	}

	attempt := func(name string, provider *sdktrace.TracerProvider, traceParent string) {
		t.Helper()
		var tr tracing
		if provider != nil {
			tracer := provider.Tracer(tracerName)
			tr.last.Store(&tracer)
		}
		ctx, sent, end := tr.startAttempt(t.Context(), &webhook.Event{TraceParent: traceParent}, "crm", 1)
		end(&Attempt{})
		if ctx != t.Context() || sent != traceParent {
			t.Errorf("%s: sent %q in a context of its own (%t), want %q", name, sent, ctx != t.Context(), traceParent)
		}
	}
	attempt("no provider", nil, elsewhere)
	attempt("no traceparent", recording, "")
	attempt("nonsense", recording, "hello")
	attempt("a sampler that refuses", unsampled, elsewhere)
	attempt("a trace that is not recorded", recording, elsewhere[:53]+"00")

	// The provider of a configuration that has gone records nothing.
	if err := recording.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	attempt("a provider that was shut down", recording, elsewhere)
}

// TestTraceLastProvider: after a reload attempts go to the provider of the new
// configuration.
func TestTraceLastProvider(t *testing.T) {
	var tr tracing
	var recorders []*tracetest.SpanRecorder
	for range 2 {
		provider, recorder := newProvider(t)
		recorders = append(recorders, recorder)
		ctx, _ := provider.Tracer("server").Start(t.Context(), "POST /events")
		_, end := tr.startPublish(ctx, make([]webhook.Event, 1))
		end(nil)
	}
	_, _, end := tr.startAttempt(t.Context(), &webhook.Event{TraceParent: elsewhere}, "crm", 1)
	end(&Attempt{Verdict: VerdictSucceeded})
	if before, after := len(recorders[0].Ended()), len(recorders[1].Ended()); before != 1 || after != 2 {
		t.Errorf("the providers have %d and %d spans, want 1 and 2", before, after)
	}
}

func TestTraceParentForm(t *testing.T) {
	tests := []struct {
		text    string
		ok      bool
		sampled bool
	}{
		{elsewhere, true, true},
		{elsewhere[:53] + "00", true, false},
		{elsewhere[:53] + "0b", true, true},
		{elsewhere[:53] + "fe", true, false},
		{"", false, false},
		{"01" + elsewhere[2:], false, false},
		{elsewhere + "-x", false, false},
		{elsewhere[:3] + "00000000000000000000000000000000" + elsewhere[35:], false, false},
		{elsewhere[:36] + "0000000000000000" + elsewhere[52:], false, false},
		{elsewhere[:3] + "4BF92F3577B34DA6A3CE929D0E0E4736" + elsewhere[35:], false, false},
	}
	for _, test := range tests {
		sc, ok := parseTraceParent(test.text)
		if ok != test.ok || sc.IsSampled() != test.sampled {
			t.Errorf("parseTraceParent(%q) = sampled %t, %t; want %t, %t", test.text, sc.IsSampled(), ok, test.sampled, test.ok)
		}
		if ok && formatTraceParent(sc)[:53] != test.text[:53] {
			t.Errorf("%q comes back as %q", test.text, formatTraceParent(sc))
		}
	}
	if got := formatTraceParent(mustParse(t, elsewhere)); got != elsewhere {
		t.Errorf("%q comes back as %q", elsewhere, got)
	}
}

func mustParse(t *testing.T, s string) trace.SpanContext {
	t.Helper()
	sc, ok := parseTraceParent(s)
	if !ok {
		t.Fatalf("%q is no traceparent", s)
	}
	return sc
}

// TestTraceCostsNothing guards the way of events that nobody traces.
func TestTraceCostsNothing(t *testing.T) {
	var tr tracing
	events := []webhook.Event{{ID: "evt_1"}}
	ctx := t.Context()
	if n := testing.AllocsPerRun(100, func() {
		_, end := tr.startPublish(ctx, events)
		end(nil)
		_, _, endAttempt := tr.startAttempt(ctx, &events[0], "crm", 1)
		endAttempt(nil)
	}); n != 0 {
		t.Errorf("tracing nothing allocates %v times", n)
	}
}

func BenchmarkTrace(b *testing.B) {
	events := []webhook.Event{{ID: "evt_1", Type: "conversation.created"}}
	run := func(ctx context.Context) func(*testing.B) {
		return func(b *testing.B) {
			b.ReportAllocs()
			var tr tracing
			for b.Loop() {
				_, end := tr.startPublish(ctx, events)
				end(nil)
				_, _, endAttempt := tr.startAttempt(b.Context(), &events[0], "crm", 1)
				endAttempt(&Attempt{Verdict: VerdictSucceeded, StatusCode: 200})
			}
		}
	}
	b.Run("nothing", run(b.Context()))
	provider := sdktrace.NewTracerProvider()
	ctx, _ := provider.Tracer("server").Start(b.Context(), "POST /events", trace.WithAttributes(attribute.Bool("x", true)))
	b.Run("a publication and an attempt", run(ctx))
}
