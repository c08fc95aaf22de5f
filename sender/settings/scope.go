package settings

import (
	"errors"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/manysends/caddy-webhooks/sender"
)

// scoped reads the parameters of a request that is about one tenant's things at
// a time, of which there may be those known. To the operator that is the
// parameter tenant, or all tenants without it.
func (c *call) scoped(known ...string) (_ *query, tenant string) {
	if !c.operator {
		return c.query(known...), c.tenant
	}
	q := c.query(append([]string{"tenant"}, known...)...)
	if !q.values.Has("tenant") {
		return q, sender.AnyTenant
	}
	return q, q.one("tenant")
}

// shownTenant is a tenant as it is answered: to the operator always, also the
// one without a name, and otherwise not at all.
func (c *call) shownTenant(tenant string) *string {
	if !c.operator {
		return nil
	}
	return &tenant
}

// shownOwnTenant is a tenant as it is answered of what has always told it: to
// the tenant itself when it has a name.
func (c *call) shownOwnTenant(tenant string) *string {
	if !c.operator && tenant == "" {
		return nil
	}
	return &tenant
}

// anyTenant reads the tenant whose things something is done to. Without one, or
// with null, it is done to those of all.
func anyTenant(dst *string) func(jsontext.Value) error {
	read := parsed(dst, "a string, or leave it out for all tenants", whatever)
	return func(v jsontext.Value) error {
		if v.Kind() == 'n' {
			*dst = sender.AnyTenant
			return nil
		}
		return read(v)
	}
}

// namedTenant reads the tenant that something is made for.
func namedTenant(dst *string) func(jsontext.Value) error {
	return parsed(dst, "a string", func(s string) (string, error) {
		if s == sender.AnyTenant {
			return "", errors.New("* means all tenants: name one")
		}
		return s, nil
	})
}
