//go:build unix

package postgrestest

import (
	"errors"
	"sync"
	"testing"
)

// shared is the server that the tests of one program have in common.
var shared struct {
	once   sync.Once
	server *Server
	err    error
}

// Shared is a server that the tests of one program have in common: each takes a
// [Server.Database] of its own. The program's TestMain must call [Main].
func Shared(t testing.TB) *Server {
	t.Helper()
	shared.once.Do(func() { shared.server, shared.err = newServer(nil) })
	if errors.Is(shared.err, errMissing) {
		t.Skip(shared.err)
	}
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.server
}

// Main runs the tests of a program and ends the server of [Shared].
func Main(m *testing.M) int {
	defer func() {
		if shared.server != nil {
			shared.server.remove()
		}
	}()
	return m.Run()
}
