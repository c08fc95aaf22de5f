package sender

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
)

// Probe sends a signed sample to an endpoint that no sender has, now and once,
// and explains what comes of it as [Sender.TestEndpoint] does. Nothing is
// stored. Of the configuration the event types, the timeout and the egress rules
// count; of the options the clock and the source of randomness. The endpoint
// needs a URL alone. Without a type it is the first one that the endpoint
// subscribes to.
//
// A URL that nothing may be sent to is not an error, but what the report tells.
// Errors wrap [ErrConfig], or [ErrEndpoint] for what else is wrong with the
// endpoint or the type, or are the cause of the context's end.
func Probe(ctx context.Context, cfg Config, e Endpoint, eventType string, o Options) (TestReport, error) {
	cfg.Endpoints = nil
	current, err := compile(&cfg)
	if err != nil {
		return TestReport{}, err
	}
	s := &Sender{clock: o.Clock, random: o.Random, background: context.Background()}
	if s.clock == nil {
		s.clock = systemClock{}
	}
	if s.random == nil {
		s.random = rand.Reader
	}
	if _, check := current.guard.explainURL(e.URL); !check.OK {
		return s.blockedReport(check), nil
	}
	secrets := make([]EndpointSecret, len(e.Secrets))
	for i, text := range e.Secrets {
		secrets[i].Secret = text
	}
	t, err := current.compileEndpoint(&e, secrets)
	if errors.Is(err, ErrBlocked) {
		return s.blockedReport(current.guard.explain(ctx, e.URL)...), nil
	}
	if err != nil {
		return TestReport{}, fmt.Errorf("%w: %w", ErrEndpoint, err)
	}
	current.transport = newTransport(current.guard)
	s.current.Store(current)
	return s.testTarget(ctx, t, eventType)
}

// blockedReport is the report of a test that came to nothing before it was
// made.
func (s *Sender) blockedReport(checks ...TestCheck) TestReport {
	last := checks[len(checks)-1]
	report := TestReport{
		Checks:  checks,
		Attempt: Attempt{Number: 1, StartedAt: s.clock.Now(), Verdict: VerdictBlocked, Error: last.Detail},
	}
	report.conclude()
	return report
}
