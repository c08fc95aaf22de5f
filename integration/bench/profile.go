package main

import "context"

// profiling takes profiles of Caddy if that was asked for; call what it returns
// at the end.
func (b *bench) profiling(_ context.Context, _ *caddy, _ *Result, _ *error) func() {
	return func() {}
}
