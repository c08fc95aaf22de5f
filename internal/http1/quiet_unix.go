//go:build unix

package http1

import "syscall"

// looks tells that idle connections can be looked at.
const looks = true

// quiet tells whether nothing has come over an idle connection, neither its end
// nor something that nobody has asked for and that would be taken for the answer
// to the next request. A connection that cannot be looked at is not.
func (c *conn) quiet() bool {
	if c.raw == nil {
		return false
	}
	quiet := false
	err := c.raw.Read(func(fd uintptr) bool {
		var b [1]byte
		_, err := syscall.Read(int(fd), b[:])
		quiet = err == syscall.EAGAIN
		return true // or it would be waited for
	})
	return err == nil && quiet
}
