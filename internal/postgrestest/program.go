//go:build unix

package postgrestest

// New starts a server for a program that is no test, which must close it. The
// error wraps [ErrMissing] when PostgreSQL is not installed.
func New(settings ...string) (*Server, error) { return newServer(settings) }

// Close ends the server and removes its data.
func (s *Server) Close() { s.remove() }
