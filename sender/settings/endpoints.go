package settings

import (
	"errors"
	"net/http"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// endpointAnswer is an endpoint as it is answered.
type endpointAnswer struct {
	sender.EndpointInfo

	// Tenant stands in place of that of EndpointInfo.
	Tenant *string `json:"tenant,omitempty"`

	// Secret is one that was made just now, shown this once.
	Secret string `json:"secret,omitempty"`
}

// shown makes the answer of an endpoint.
func (c *call) shown(info sender.EndpointInfo) endpointAnswer {
	hide(&info.Endpoint)
	return endpointAnswer{EndpointInfo: info, Tenant: c.shownOwnTenant(info.Tenant)}
}

func listEndpoints(c *call) error {
	q, tenant := c.scoped("limit", "cursor")
	part := q.page()
	if q.err != nil {
		return q.err
	}
	page, err := c.EndpointPage(c.context(), tenant, part)
	if err != nil {
		return err
	}
	answers := make([]endpointAnswer, 0, len(page.Endpoints))
	for _, info := range page.Endpoints {
		answers = append(answers, c.shown(info))
	}
	return c.answer(http.StatusOK, struct {
		Endpoints []endpointAnswer `json:"endpoints"`
		Next      string           `json:"next,omitempty"`
	}{answers, page.Next})
}

func createEndpoint(c *call) error {
	e := sender.NewEndpoint{}
	var secret string
	members, err := c.members(true)
	if err != nil {
		return err
	}
	known := newEndpointFields(&e, &secret)
	if c.operator {
		known["tenant"] = namedTenant(&e.Tenant)
	}
	if err := known.apply(members, refusedInNew); err != nil {
		return err
	}
	if err := signingBeside(secret, e.Signing); err != nil {
		return err
	}
	if secret != "" {
		e.Secrets = []string{secret}
	}
	if !c.operator {
		e.Tenant = c.tenant
	}
	e.Most = c.handler.most()
	info, made, err := c.CreateEndpoint(c.context(), e)
	if err != nil {
		return err
	}
	a := c.shown(info)
	if secret == "" {
		a.Secret = made
	}
	return c.created("endpoints", info.ID, a)
}

func getEndpoint(c *call) error {
	info, err := c.Endpoint(c.context(), c.tenant, c.id())
	return c.endpoint(info, err)
}

// endpoint answers an endpoint.
func (c *call) endpoint(info sender.EndpointInfo, err error) error {
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, c.shown(info))
}

func patchEndpoint(c *call) error {
	members, err := c.members(true)
	if err != nil {
		return err
	}
	if len(members) == 0 { // so that the endpoint need not be tested again
		return getEndpoint(c)
	}
	info, err := c.UpdateEndpoint(c.context(), c.tenant, c.id(), func(e *sender.Endpoint) error {
		return changeEndpoint(e, members)
	})
	return c.endpoint(info, err)
}

func deleteEndpoint(c *call) error {
	if err := c.DeleteEndpoint(c.context(), c.tenant, c.id()); err != nil {
		return err
	}
	c.w.WriteHeader(http.StatusNoContent)
	return nil
}

func activateEndpoint(c *call) error {
	if err := c.read(nil, false); err != nil {
		return err
	}
	info, err := c.Activate(c.context(), c.tenant, c.id())
	return c.endpoint(info, err)
}

func deactivateEndpoint(c *call) error {
	if err := c.read(nil, false); err != nil {
		return err
	}
	info, err := c.Deactivate(c.context(), c.tenant, c.id())
	return c.endpoint(info, err)
}

func rotateSecret(c *call) error {
	var r sender.Rotation
	var overlap *webhook.Duration
	err := c.read(fields{
		"secret":  givenSecret(&r.Secret),
		"signing": signing(&r.Signing),
		"overlap": parsed(&overlap, likeDuration, func(s string) (*webhook.Duration, error) {
			d, err := webhook.ParseDuration(s)
			if err == nil && d < 0 {
				err = errors.New("it is negative: write 0s to end the present secret at once")
			}
			return &d, err
		}),
	}, false)
	if err != nil {
		return err
	}
	if err := signingBeside(r.Secret, r.Signing); err != nil {
		return err
	}
	switch {
	case overlap == nil:
	case *overlap == 0:
		r.Overlap = -1 // to the sender, zero is the default
	default:
		r.Overlap = *overlap
	}
	info, made, err := c.RotateSecret(c.context(), c.tenant, c.id(), r)
	if err != nil {
		return err
	}
	a := c.shown(info)
	if r.Secret == "" {
		a.Secret = made
	}
	return c.answer(http.StatusOK, a)
}

func revealSecrets(c *call) error {
	secrets, err := c.Secrets(c.context(), c.tenant, c.id())
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, struct {
		Secrets []sender.EndpointSecret `json:"secrets"`
	}{secrets})
}

// testAnswer is the report of a test as it is answered.
type testAnswer struct {
	sender.TestReport
	Attempt attempt `json:"attempt"`
}

func testEndpoint(c *call) error {
	var eventType string
	if err := c.read(fields{"type": text(&eventType)}, false); err != nil {
		return err
	}
	report, err := c.TestEndpoint(c.context(), c.tenant, c.id(), eventType)
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, testAnswer{report, shownAttempt(report.Attempt)})
}

func listEventTypes(c *call) error {
	return c.answer(http.StatusOK, struct {
		EventTypes []webhook.EventType `json:"event_types"`
	}{c.EventTypes()})
}
