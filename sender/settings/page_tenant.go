package settings

import "net/url"

// readOnly tells that nothing can be changed.
func (c *call) readOnly() bool { return c.handler.ReadOnly }

// tenantQuery is a tenant as a parameter of a link.
func tenantQuery(tenant string) string { return url.Values{"tenant": {tenant}}.Encode() }

// chosenTenant is whose an operator looks at; empty for everybody's.
func (c *call) chosenTenant() string {
	if !c.operator {
		return ""
	}
	return c.r.URL.Query().Get("tenant")
}

// scope is whose things a page lists, where an operator may ask for those of
// one tenant. A form sends an empty field for everybody's.
func (c *call) scope(asked string) string {
	if c.operator && asked != "" {
		return asked
	}
	return c.tenant
}

// listed is whose things the page lists that the query asks for.
func (c *call) listed() string { return c.scope(c.chosenTenant()) }

// newTenant is whose an endpoint to be made is.
func (c *call) newTenant(asked string) string {
	if c.operator {
		return asked
	}
	return c.tenant
}
