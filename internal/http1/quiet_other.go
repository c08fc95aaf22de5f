//go:build !unix

package http1

// quiet cannot tell here. A connection that has ended shows when it is used.
func (c *conn) quiet() bool { return true }
