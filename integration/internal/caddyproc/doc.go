// Package caddyproc builds the real Caddy with this module and runs it as a
// process that can be killed, reloaded and looked into. What breaks programs
// on purpose, and what tests them for long, is made of it.
package caddyproc
