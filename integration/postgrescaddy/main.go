// Command postgrescaddy is the ready-made Caddy with the module for PostgreSQL
// as well, as tests run it.
package main

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard"

	_ "github.com/manysends/caddy-webhooks/caddymodule"
	_ "github.com/manysends/caddy-webhooks/caddymodule/postgres"
)

func main() { caddycmd.Main() }
