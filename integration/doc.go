// Package integration tests the whole system: the real Caddy binary, real HTTP
// peers, and the official libraries of other languages. It has no code of its
// own besides its tests. The commands below it do to Caddy for long what the
// tests do for a moment.
package integration
