//go:build !unix

package http1

// looks tells that idle connections cannot be looked at here, so that they
// cannot be used again without danger.
const looks = false

func (c *conn) quiet() bool { return false }
