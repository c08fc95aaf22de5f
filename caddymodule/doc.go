// Package caddymodule makes the sender and the receiver modules of Caddy. It
// holds no logic of its own about webhooks: it reads configuration, ties the
// engines to Caddy's life cycle, and hands requests over.
//
// The modules are the app webhooks, the HTTP handlers webhook_publish,
// webhook_settings, webhook_receive and webhook_sign, and the store
// webhooks.stores.sqlite.
package caddymodule
