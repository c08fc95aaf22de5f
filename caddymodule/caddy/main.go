// Command caddy is a ready-made Caddy with the webhook modules compiled in.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/manysends/caddy-webhooks/caddymodule"
)

func main() { caddycmd.Main() }
