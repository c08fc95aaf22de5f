package settings

import "net/url"

// readOnly tells that nothing can be changed.
func (c *call) readOnly() bool { return c.handler.ReadOnly }

// operator tells that the endpoints of all tenants are shown.
func (c *call) operator() bool { return false }

// tenantQuery is a tenant as a parameter of a link.
func tenantQuery(tenant string) string { return url.Values{"tenant": {tenant}}.Encode() }

// chosenTenant is whose an operator looks at; empty for everybody's.
func (c *call) chosenTenant() string {
	if !c.operator() {
		return ""
	}
	return c.r.URL.Query().Get("tenant")
}

// newTenant is whose an endpoint to be made is.
func (c *call) newTenant(asked string) string {
	if c.operator() {
		return asked
	}
	return c.tenant
}

// scope is whose deliveries a replay is of.
func (c *call) scope(asked string) string {
	if c.operator() && asked != "" {
		return asked
	}
	return c.tenant
}
