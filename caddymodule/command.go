package caddymodule

import (
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/manysends/caddy-webhooks/caddymodule/command"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "webhooks",
		Usage: "<command>",
		Short: "Works with webhooks, those of a running Caddy and others",
		Long: `
Works with webhooks: shows what a running Caddy sends and receives, repairs what
went wrong, and signs, verifies and tries out webhooks without any.

The commands that ask a running Caddy use its admin API. It is looked for at
--address, or else where the configuration file of --config puts it, or else at
the default address. What they print is for people, with --json for programs.`,
		CobraFunc: func(cmd *cobra.Command) {
			cmd.Example = `  $ caddy webhooks status
  $ caddy webhooks deliveries --status failed --since 24h
  $ caddy webhooks show dlv_1_ep_0192f0c1a2b37c4d8e5f60718293a4b5
  $ caddy webhooks tail`
			command.AddTo(cmd)
			cmd.AddGroup(&cobra.Group{ID: "alone", Title: "Commands that need no running Caddy:"})
			for _, child := range []*cobra.Command{
				doctorCommand(),
				listenCommand(),
				migrateCommand(),
				secretCommand(),
				signCommand(),
				verifyCommand(),
			} {
				child.GroupID = "alone"
				child.PreRunE = runsOffline(refuseFlagGroups)
				cmd.AddCommand(child)
			}
		},
	})
}
