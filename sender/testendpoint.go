package sender

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

// testTarget sends a signed sample of an event type to an endpoint now, past
// its lane, and explains what comes of it. The sample goes the same way as a
// delivery: through the guard, signed, with the endpoint's headers and within
// its timeout. It has a connection of its own, so that looking up, connecting
// and TLS are tried as well. An empty type is the first that the endpoint
// subscribes to.
//
// Errors wrap [ErrEndpoint] for a type that does not exist, and are the cause
// of the context's end, or [ErrClosed], when the test was broken off.
func (s *Sender) testTarget(ctx context.Context, t *target, eventType string) (TestReport, error) {
	current := s.current.Load()
	sample, err := current.sampleFor(t, eventType)
	if err != nil {
		return TestReport{}, err
	}
	now := s.clock.Now()
	id, err := webhook.NewEventID(now, s.random)
	if err != nil {
		return TestReport{}, err
	}
	report := TestReport{EventID: id, Type: sample.Name}
	u, check := current.guard.explainURL(t.config.URL)
	report.Checks = []TestCheck{check}
	if !check.OK {
		report.Attempt = Attempt{Number: 1, StartedAt: now, Verdict: VerdictBlocked, Error: check.Detail}
		report.conclude()
		return report, nil
	}

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(s.background, func() { cancel(ErrClosed) })()
	transport := current.transport.afresh() // the same rules, and no kept connections
	defer transport.CloseIdleConnections()
	p := s.post(ctx, transport, t, &webhook.Event{ID: id, Type: sample.Name, Timestamp: now, Tenant: t.tenant, Data: sample.SampleData()}, "", nil)
	if p.err != nil && ctx.Err() != nil {
		return TestReport{}, context.Cause(ctx)
	}
	report.Attempt = p.attempt
	report.Attempt.Number = 1
	report.Request = t.shownRequest(&p)
	report.explainPost(current.guard, t, u, &p, s.clock.Now())
	report.conclude()
	return report, nil
}

// sampleFor is the type of the sample to send to an endpoint.
func (s *snapshot) sampleFor(t *target, eventType string) (webhook.EventType, error) {
	if eventType != "" {
		found, ok := s.catalogue.Find(eventType)
		if !ok {
			return found, fmt.Errorf("%w: %w", ErrEndpoint, &FieldError{
				Field: "type",
				Err:   fmt.Errorf("the event type %q is unknown: use one of the catalogue", shortened(eventType)),
			})
		}
		return found, nil
	}
	for _, listed := range s.catalogue.Types() {
		if t.wants(listed.Name) {
			return listed, nil
		}
	}
	// The catalogue is open, or the endpoint wants nothing that there is.
	name := "webhook.test"
	if len(t.patterns) > 0 && t.patterns[0] != "*" {
		name = strings.Replace(string(t.patterns[0]), "*", "test", 1)
	}
	if found, ok := s.catalogue.Find(name); ok {
		return found, nil
	}
	return webhook.EventType{Name: name}, nil
}

// shownRequest is the request of a test as it is shown: complete but for what may
// be a credential.
func (t *target) shownRequest(p *posted) TestRequest {
	return TestRequest{
		Method:  http.MethodPost,
		URL:     shownURL(t.url),
		Headers: t.shownHeaders(p.header, false).Clone(),
		Body:    string(p.body),
	}
}

// explainPost adds the checks that follow from what was seen, up to the first
// that fails.
func (r *TestReport) explainPost(g *guard, t *target, u *url.URL, p *posted, now time.Time) {
	dial := p.exchange.dialled()
	add := func(checks ...TestCheck) (goOn bool) {
		r.Checks = append(r.Checks, checks...)
		return checks[len(checks)-1].OK
	}
	var lookup, connect error
	if len(dial.addrs) == 0 {
		lookup = p.err
	}
	if !add(g.explainHost(u.Hostname(), dial.addrs, lookup)...) {
		return
	}
	if dial.conn == nil {
		connect = p.err
	}
	if !add(g.explainConnect(u, r.Attempt.RemoteAddr, r.Attempt.Timings.Connect, connect)) {
		return
	}
	check, details := explainTLS(u, dial.tls, p.err, now)
	r.TLS = details
	_ = add(check) &&
		add(explainAnswer(u, &r.Attempt, t.timeout, p.err)) &&
		add(explainTime(&r.Attempt, t.timeout, p.err)) &&
		add(explainSignature(p.header))
}

// conclude sums the checks up.
func (r *TestReport) conclude() {
	last := r.Checks[len(r.Checks)-1]
	r.OK = last.OK && r.Attempt.Verdict == VerdictSucceeded
	r.Summary = last.Detail
	if r.OK {
		r.Summary = fmt.Sprintf("The endpoint took the sample: it answered %s after %s.", statusText(r.Attempt.StatusCode), rounded(r.Attempt.Duration))
	}
}
