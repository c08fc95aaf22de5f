package sender

import (
	"context"
)

// Activate makes an endpoint active, also one that is disabled or paused, which
// then begins anew. Errors wrap [ErrNotFound], or [ErrEndpoint] when the rules
// do not allow it any more, or are the store's.
func (s *Sender) Activate(ctx context.Context, tenant, id string) (EndpointInfo, error) {
	if s.shared != nil { // another instance may just have deactivated it
		if err := s.followEndpoints(ctx); err != nil {
			return EndpointInfo{}, err
		}
	}
	t, err := s.targetOf(tenant, id)
	if err != nil {
		return EndpointInfo{}, err
	}
	if t.managed && !t.active {
		if _, err := s.change(ctx, tenant, id, func(m *managedEndpoint) error {
			m.Active = true
			return nil
		}); err != nil {
			return EndpointInfo{}, err
		}
	}
	s.lane(id).enable()
	s.unblock(ctx, id)
	if err := s.saveHealth(ctx); err != nil {
		return EndpointInfo{}, err
	}
	return s.Endpoint(ctx, tenant, id)
}

// Deactivate makes an endpoint inactive: new events are not for it, and the
// deliveries it has wait. Errors wrap [ErrNotFound] or [ErrReadOnly], or are
// the store's.
func (s *Sender) Deactivate(ctx context.Context, tenant, id string) (EndpointInfo, error) {
	return s.change(ctx, tenant, id, func(m *managedEndpoint) error {
		m.Active = false
		return nil
	})
}

// TestEndpoint sends a signed sample of an event type to an endpoint now, and
// says what came of it. Without a type it is the first one that the endpoint
// subscribes to. It makes no delivery, but a success ends a pause after failures,
// for one delivery to be tried. Errors wrap [ErrNotFound], or
// [ErrEndpoint] when the type is unknown.
func (s *Sender) TestEndpoint(ctx context.Context, tenant, id, eventType string) (TestReport, error) {
	t, err := s.targetOf(tenant, id)
	if err != nil {
		return TestReport{}, err
	}
	report, err := s.testTarget(ctx, t, eventType)
	if err != nil {
		return TestReport{}, err
	}
	if report.OK && s.directory.get(id).same(t) {
		s.lane(id).tested(s.clock.Now())
	}
	return report, nil
}
