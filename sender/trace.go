package sender

import (
	"context"
	"strconv"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/manysends/caddy-webhooks/webhook"
)

// tracerName is the instrumentation scope of the sender's spans.
const tracerName = "github.com/manysends/caddy-webhooks/sender"

// tracerVersion is found out once: it takes its time.
var tracerVersion = trace.WithInstrumentationVersion(moduleVersion())

// Attributes of spans: OpenTelemetry's semantic conventions for messaging and
// for HTTP where they have a word, and the sender's own.
const (
	attrMessagingSystem  = attribute.Key("messaging.system")
	attrOperationName    = attribute.Key("messaging.operation.name")
	attrOperationType    = attribute.Key("messaging.operation.type")
	attrMessageID        = attribute.Key("messaging.message.id")
	attrBatchCount       = attribute.Key("messaging.batch.message_count")
	attrErrorType        = attribute.Key("error.type")
	attrHTTPMethod       = attribute.Key("http.request.method")
	attrHTTPStatus       = attribute.Key("http.response.status_code")
	attrHTTPResendCount  = attribute.Key("http.request.resend_count")
	attrEventType        = attribute.Key("webhook.event.type")
	attrEndpointID       = attribute.Key("webhook.endpoint.id")
	attrAttemptVerdict   = attribute.Key("webhook.attempt.verdict")
	messagingSystemValue = "caddy_webhooks"
)

// tracing makes spans of publications and attempts. Spans of publications come
// from the tracer provider of whoever publishes; attempts, which have nobody's
// context, use the provider that was used last. The zero value is ready, and
// does nothing until a publication is traced. It is safe for concurrent use.
type tracing struct {
	last atomic.Pointer[trace.Tracer]
}

// startPublish begins a span for a publication when the context has one that
// is recorded, and returns a context that holds it. An event that carries no
// trace, or the very trace that the span belongs to, carries on from the span;
// one of another trace stays in that. The function returned ends the span;
// call it once.
func (t *tracing) startPublish(ctx context.Context, events []webhook.Event) (context.Context, func(error)) {
	parent := trace.SpanFromContext(ctx)
	if !parent.IsRecording() {
		return ctx, func(error) {}
	}
	tracer := parent.TracerProvider().Tracer(tracerName, tracerVersion)
	t.last.Store(&tracer)
	ctx, span := tracer.Start(ctx, "webhook publish", trace.WithSpanKind(trace.SpanKindProducer), trace.WithAttributes(
		attrMessagingSystem.String(messagingSystemValue),
		attrOperationName.String("publish"),
		attrOperationType.String("send"),
	))
	sc := span.SpanContext()
	for i := range events {
		e := &events[i]
		if carried, ok := parseTraceParent(e.TraceParent); !ok || carried.TraceID() == sc.TraceID() {
			e.TraceParent = formatTraceParent(sc)
		}
	}
	return ctx, func(err error) {
		defer span.End()
		switch {
		case !span.IsRecording():
			return
		case len(events) == 1: // it has its ID by now
			span.SetAttributes(attrMessageID.String(events[0].ID), attrEventType.String(events[0].Type))
		default:
			span.SetAttributes(attrBatchCount.Int(len(events)))
		}
		if err != nil {
			// The error may quote the event.
			reason := refusalOf(err)
			span.SetAttributes(attrErrorType.String(reason))
			span.SetStatus(codes.Error, reason)
		}
	}
}

// startAttempt begins a span for an attempt at delivering an event, below the
// span that the event carries, whatever has become of that one. It returns a
// context that holds the span, and the traceparent to send: that of the span,
// so that what the receiver does is shown below the attempt that caused it.
// When there is no provider, no trace, or the trace is not recorded, that is
// the event's own. The function returned ends the span; call it once, with the
// attempt that was made, or nil when it was given up.
func (t *tracing) startAttempt(ctx context.Context, e *webhook.Event, endpoint string, number int) (context.Context, string, func(*Attempt)) {
	tracer := t.last.Load()
	if tracer == nil || e.TraceParent == "" {
		return ctx, e.TraceParent, endNothing
	}
	parent, ok := parseTraceParent(e.TraceParent)
	if !ok {
		return ctx, e.TraceParent, endNothing
	}
	spanContext, span := (*tracer).Start(trace.ContextWithRemoteSpanContext(ctx, parent), "webhook attempt", trace.WithSpanKind(trace.SpanKindClient))
	if !span.IsRecording() {
		return ctx, e.TraceParent, endNothing
	}
	span.SetAttributes(
		attrMessagingSystem.String(messagingSystemValue),
		attrMessageID.String(e.ID),
		attrEventType.String(e.Type),
		attrEndpointID.String(endpoint),
		attrHTTPMethod.String("POST"),
	)
	if number > 1 {
		span.SetAttributes(attrHTTPResendCount.Int(number - 1))
	}
	return spanContext, formatTraceParent(span.SpanContext()), func(a *Attempt) { endAttempt(span, a) }
}

// endNothing ends an attempt that has no span.
func endNothing(*Attempt) {}

func endAttempt(span trace.Span, a *Attempt) {
	defer span.End()
	if a == nil {
		span.SetAttributes(attrErrorType.String("abandoned"))
		span.SetStatus(codes.Error, "abandoned: the sender stopped")
		return
	}
	verdict := a.Verdict.String()
	span.SetAttributes(attrAttemptVerdict.String(verdict))
	if a.StatusCode != 0 {
		span.SetAttributes(attrHTTPStatus.Int(a.StatusCode))
	}
	if a.Verdict != VerdictSucceeded {
		span.SetAttributes(attrErrorType.String(verdict))
		span.SetStatus(codes.Error, a.Error)
	}
}

// parseTraceParent reads a traceparent of version 00 (W3C Trace Context,
// section 3.2.2). It tells whether it is one.
func parseTraceParent(s string) (trace.SpanContext, bool) {
	if !isTraceParent(s) {
		return trace.SpanContext{}, false
	}
	// Identifiers of zeros alone are refused here.
	traceID, err := trace.TraceIDFromHex(s[3:35])
	if err != nil {
		return trace.SpanContext{}, false
	}
	spanID, err := trace.SpanIDFromHex(s[36:52])
	if err != nil {
		return trace.SpanContext{}, false
	}
	flags, err := strconv.ParseUint(s[53:], 16, 8)
	if err != nil {
		return trace.SpanContext{}, false
	}
	return trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: traceID, SpanID: spanID, TraceFlags: trace.TraceFlags(flags) & trace.FlagsSampled, Remote: true,
	}), true
}

// formatTraceParent writes a traceparent of version 00.
func formatTraceParent(sc trace.SpanContext) string {
	return "00-" + sc.TraceID().String() + "-" + sc.SpanID().String() + "-" + sc.TraceFlags().String()
}
