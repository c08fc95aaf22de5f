package sender

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/manysends/caddy-webhooks/webhook"
)

// AnyTenant means all tenants, where one is asked for. No event can be published
// for a tenant of this name.
const AnyTenant = "*"

// Errors about endpoints.
var (
	// ErrEndpoint means that an endpoint cannot be as asked. It comes with a
	// [*FieldError], and the message names the field, what is wrong with it and
	// what to do.
	ErrEndpoint = errors.New("invalid endpoint")

	// ErrReadOnly means that an endpoint stands in the configuration.
	ErrReadOnly = errors.New("the endpoint stands in the configuration: change it there")
)

// FieldError is an error about one field of an endpoint.
type FieldError struct {
	// Field is the name of the field as it stands in JSON.
	Field string

	// Err says what is wrong with it and what to do.
	Err error
}

func (e *FieldError) Error() string { return e.Field + ": " + e.Err.Error() }

// Unwrap returns Err.
func (e *FieldError) Unwrap() error { return e.Err }

// NewEndpoint is an endpoint to be made.
type NewEndpoint struct {
	// Endpoint is its settings. The ID must be empty: one is made. There may be
	// one secret at most.
	Endpoint

	// Signing is what kind of secret is made when Secrets is empty. Default:
	// [SigningHMAC].
	Signing Signing

	// Active makes it active at once.
	Active bool

	// Most is how many endpoints made at run time the tenant may have, this one
	// among them: it is refused when there are as many already. Default: any
	// number.
	Most int
}

// Endpoints returns the endpoints of a tenant, those of the configuration first
// and the others in the order they were made.
func (s *Sender) Endpoints(ctx context.Context, tenant string) ([]EndpointInfo, error) {
	page, err := s.EndpointPage(ctx, tenant, PageQuery{})
	return page.Endpoints, err
}

// ownedBy returns the endpoints of a tenant: those of the configuration, and
// those made at run time, both in their order. The caller holds s.changing.
func (s *Sender) ownedBy(tenant string) ([]*target, []*managedEndpoint) {
	targets, managed := s.current.Load().targets, s.managed
	if tenant != AnyTenant { // the others' are not looked at, of which there may be many
		targets, managed = nil, make(map[string]*managedEndpoint)
		for _, t := range s.directory.of(tenant) {
			if m := s.managed[t.id]; m != nil {
				managed[t.id] = m
			} else {
				targets = append(targets, t)
			}
		}
	}
	return targets, inOrder(managed)
}

// within tells whether something of a tenant is in the scope asked for.
func within(scope, tenant string) bool { return scope == AnyTenant || scope == tenant }

// Endpoint returns an endpoint. The error wraps [ErrNotFound] when the tenant
// has none of this ID.
func (s *Sender) Endpoint(ctx context.Context, tenant, id string) (EndpointInfo, error) {
	if _, err := s.targetOf(tenant, id); err != nil {
		return EndpointInfo{}, err
	}
	pending, err := s.pendingCounts(ctx)
	if err != nil {
		return EndpointInfo{}, err
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	t, err := s.targetOf(tenant, id)
	if err != nil {
		return EndpointInfo{}, err
	}
	return s.info(t, pending[id]), nil
}

// targetOf returns a tenant's endpoint, or an error that wraps ErrNotFound.
func (s *Sender) targetOf(tenant, id string) (*target, error) {
	if t := s.directory.get(id); t != nil && within(tenant, t.tenant) {
		return t, nil
	}
	return nil, fmt.Errorf("endpoint %q: %w", id, ErrNotFound)
}

// info is what is known of an endpoint. The caller holds s.changing.
func (s *Sender) info(t *target, pending int64) EndpointInfo {
	now := s.clock.Now()
	i := EndpointInfo{
		Endpoint:   t.config.clone(),
		ReadOnly:   !t.managed,
		Signed:     len(t.signersAt(now)) > 0,
		PublicKeys: t.signers.publicKeys(now),
		Pending:    pending,
	}
	i.Secrets = nil
	if m := s.managed[t.id]; m != nil {
		i.CreatedAt, i.UpdatedAt = m.CreatedAt, m.UpdatedAt
		for n, secret := range m.Secrets {
			if n > 0 && !secret.ended(now) {
				i.PreviousSecretUntil = later(i.PreviousSecretUntil, secret.ExpiresAt)
			}
		}
	}
	if l := s.existingLane(t.id); l != nil {
		l.describe(&i, now)
	}
	i.State = cmp.Or(i.State, StateActive)
	if !t.active && i.State != StateDisabled {
		i.State = StateInactive
		if !i.TestedAt.IsZero() {
			i.State = StateTested
		}
	}
	return i
}

// CreateEndpoint makes an endpoint of the tenant that it names, and returns it
// with its secret, which is empty when it has none. It is inactive unless
// e.Active is set. Errors wrap [ErrEndpoint] or are the store's.
func (s *Sender) CreateEndpoint(ctx context.Context, e NewEndpoint) (EndpointInfo, string, error) {
	if e.ID != "" {
		return EndpointInfo{}, "", wrongField("id", "it is given to the endpoint: leave it out")
	}
	if len(e.Secrets) > 1 {
		return EndpointInfo{}, "", wrongField("secrets", "there are %d: give one, and rotate it later", len(e.Secrets))
	}
	if e.Tenant == AnyTenant {
		return EndpointInfo{}, "", wrongField("tenant", "%q means all tenants: name one", AnyTenant)
	}
	now := s.clock.Now()
	secret := ""
	if len(e.Secrets) == 1 {
		secret = e.Secrets[0]
	} else if e.Signing != SigningNone {
		var err error
		if secret, err = s.generateSecret(e.Signing); err != nil {
			return EndpointInfo{}, "", err
		}
	}
	id, err := newEndpointID(s.random)
	if err != nil {
		return EndpointInfo{}, "", err
	}
	m := &managedEndpoint{Endpoint: e.Endpoint.clone(), Active: e.Active, CreatedAt: now, UpdatedAt: now}
	m.ID, m.Endpoint.Secrets = id, nil
	if secret != "" {
		m.Secrets = []EndpointSecret{{Secret: secret, CreatedAt: now}}
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	if have := s.managedOf(e.Tenant); e.Most > 0 && have >= e.Most {
		return EndpointInfo{}, "", fmt.Errorf("%w: there are %d already, of %d that there may be: delete one that is not needed any more", ErrEndpoint, have, e.Most)
	}
	info, err := s.keep(ctx, m)
	if err != nil {
		return EndpointInfo{}, "", err
	}
	return info, secret, nil
}

// managedOf is how many endpoints made at run time a tenant has. The caller holds
// s.changing.
func (s *Sender) managedOf(tenant string) (n int) {
	for _, m := range s.managed {
		if m.Tenant == tenant {
			n++
		}
	}
	return n
}

// wrongField is an error about a field of an endpoint.
func wrongField(field, format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrEndpoint, &FieldError{field, fmt.Errorf(format, args...)})
}

// keep checks an endpoint, stores it and puts it into force. The caller holds
// s.changing.
func (s *Sender) keep(ctx context.Context, m *managedEndpoint) (EndpointInfo, error) {
	before := s.directory.get(m.ID)
	compile := s.current.Load().compileManaged
	if before != nil && before.refused != nil && before.config.URL == m.URL && !m.Active {
		compile = s.current.Load().takeOver // it may be changed, but not be activated
	}
	t, err := compile(m)
	if err != nil {
		return EndpointInfo{}, fmt.Errorf("%w: %w", ErrEndpoint, err)
	}
	if err := s.saveEndpoint(ctx, m); err != nil {
		return EndpointInfo{}, err
	}
	s.managed[m.ID] = m
	s.directory.put(t)
	s.retarget(t.id, t, before != nil && !t.same(before))
	return s.info(t, 0), nil
}

// retarget has a lane deliver as its endpoint says now, and takes up what was
// blocked.
func (s *Sender) retarget(id string, t *target, changed bool) {
	if l := s.existingLane(id); l != nil {
		l.retarget(t, changed)
	}
	if changed {
		s.unblock(s.background, id)
	}
}

// UpdateEndpoint changes an endpoint, for the next event and the next attempt.
// The function gets a copy of its settings, without the secrets, to change;
// what it does to ID, Tenant and Secrets is passed over. On a [SharedStore] it may
// be called again, when another instance has changed them meanwhile. Errors wrap
// [ErrNotFound], [ErrReadOnly] or [ErrEndpoint], are what change returns, or
// are the store's; then nothing has changed.
func (s *Sender) UpdateEndpoint(ctx context.Context, tenant, id string, change func(*Endpoint) error) (EndpointInfo, error) {
	return s.change(ctx, tenant, id, func(m *managedEndpoint) error {
		e := m.Endpoint.clone()
		if err := change(&e); err != nil {
			return err
		}
		e.ID, e.Tenant, e.Secrets = m.ID, m.Tenant, nil
		m.Endpoint = e.clone()
		return nil
	})
}

// change changes an endpoint that was made at run time.
func (s *Sender) change(ctx context.Context, tenant, id string, change func(*managedEndpoint) error) (EndpointInfo, error) {
	pending, err := s.pendingCounts(ctx)
	if err != nil {
		return EndpointInfo{}, err
	}
	s.changing.Lock()
	defer s.changing.Unlock()
	for tries := 1; ; tries++ {
		m, err := s.toChange(tenant, id)
		if err != nil {
			return EndpointInfo{}, err
		}
		if err := change(m); err != nil {
			return EndpointInfo{}, err
		}
		m.UpdatedAt = s.clock.Now()
		m.Secrets = dropEnded(m.Secrets, m.UpdatedAt)
		info, err := s.keep(ctx, m)
		if err != nil && s.changeAgain(ctx, tries, err) {
			continue
		}
		info.Pending = pending[id]
		return info, err
	}
}

// toChange returns a copy of an endpoint that was made at run time, to be
// changed. The caller holds s.changing.
func (s *Sender) toChange(tenant, id string) (*managedEndpoint, error) {
	if _, err := s.targetOf(tenant, id); err != nil {
		return nil, err
	}
	m := s.managed[id]
	if m == nil {
		return nil, fmt.Errorf("endpoint %s: %w", id, ErrReadOnly)
	}
	if u, is := s.unreadable[id]; is {
		return nil, fmt.Errorf("endpoint %s was changed by another instance: %w", id, u.err)
	}
	return m.clone(), nil
}

// DeleteEndpoint deletes an endpoint and cancels the deliveries that it has
// not got. An attempt that is under way is finished. Errors wrap [ErrNotFound]
// or [ErrReadOnly], or are the store's.
func (s *Sender) DeleteEndpoint(ctx context.Context, tenant, id string) error {
	s.changing.Lock()
	defer s.changing.Unlock()
	for tries := 1; ; tries++ {
		m, err := s.toChange(tenant, id)
		if err != nil {
			return err
		}
		m.Deleted = true
		if err = s.saveEndpoint(ctx, m); err == nil {
			break
		}
		if !s.changeAgain(ctx, tries, err) {
			return err
		}
	}
	delete(s.managed, id)
	s.directory.remove(id)
	s.lane(id).delete()
	if err := s.cancelAll(ctx, id); err != nil {
		s.deleted = append(s.deleted, id)
		return fmt.Errorf("%w; this is made up for at the next start", err)
	}
	return nil
}

// cancelAll cancels the deliveries of an endpoint that is no more, and forgets
// it. The caller holds s.changing.
func (s *Sender) cancelAll(ctx context.Context, id string) error {
	// What the lane held is on its way to the store.
	err := s.settling.flush(ctx)
	if err == nil {
		var n int
		n, err = s.store.CancelAll(ctx, id)
		for range n {
			s.metrics.finished(runtimeEndpoints, Cancelled)
		}
	}
	if err == nil {
		err = s.store.DeleteDocument(ctx, healthKind, id)
	}
	if err == nil {
		err = s.store.DeleteDocument(ctx, endpointKind, id)
	}
	if err != nil {
		return fmt.Errorf("endpoint %s is deleted, but not all of its deliveries are cancelled: %w", id, err)
	}
	return nil
}

// EventTypes is the catalogue of what may be published.
func (s *Sender) EventTypes() []webhook.EventType {
	return slices.Clone(s.current.Load().catalogue.Types())
}
