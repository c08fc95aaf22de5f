// Package caddywebhooks adds webhooks to Caddy: a durable sender and a receiver
// that guards an endpoint. Importing it registers the Caddy modules; it has no
// API of its own. Plain Go programs use the packages sender, receiver and
// webhook, which know nothing of Caddy.
package caddywebhooks

import (
	// The modules register themselves.
	_ "github.com/manysends/caddy-webhooks/caddymodule"
)
