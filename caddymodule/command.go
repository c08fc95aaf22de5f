package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "webhooks",
		Usage: "<command>",
		Short: "Works with the webhooks of a running Caddy",
		Long: `
Works with the webhooks of a running Caddy, through its admin API.`,
		CobraFunc: func(cmd *cobra.Command) {
			cmd.AddCommand(forgetCommand())
			cmd.AddCommand(secretCommand())
			cmd.AddCommand(signCommand())
		},
	})
}

// forgetCommand is `caddy webhooks forget`.
func forgetCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "forget <receiver> <id> [--address <interface>] [--config <path> [--adapter <name>]]",
		Short: "Makes a receiver take an event for a new one again",
		Long: `
Makes a receiver forget that it has processed an event, so that the event gets
through when its sender is asked to send it once more. The receiver is the name
in the configuration, or else its provider; the ID is the provider's.

The admin API is looked for at --address, or else where the configuration file
puts it, or else at the default address.`,
		Args: cobra.ExactArgs(2),
		RunE: caddycmd.WrapCommandFuncForCobra(cmdForget),
	}
	cmd.Flags().StringP("address", "", "", "The address to use to reach the admin API endpoint, if not the default")
	cmd.Flags().StringP("config", "c", "", "Configuration file (if --address is not used)")
	cmd.Flags().StringP("adapter", "a", "", "Name of config adapter to apply (if --config is used)")
	return cmd
}

func cmdForget(flags caddycmd.Flags) (int, error) {
	name, id := flags.Arg(0), flags.Arg(1)
	if name == "" || id == "" {
		return caddy.ExitCodeFailedStartup, errors.New("the receiver or the ID is empty: write: caddy webhooks forget <receiver> <id>")
	}
	address, err := caddycmd.DetermineAdminAPIAddress(flags.String("address"), nil, flags.String("config"), flags.String("adapter"))
	if err != nil {
		return caddy.ExitCodeFailedStartup, fmt.Errorf("the address of the admin API cannot be told: %w", err)
	}
	resp, err := caddycmd.AdminAPIRequest(address, http.MethodDelete, receivedPath+escapeSegment(name)+"/"+escapeSegment(id), nil, nil)
	if err != nil {
		return caddy.ExitCodeFailedStartup, err
	}
	return caddy.ExitCodeSuccess, resp.Body.Close()
}

// escapeSegment escapes a part of a path such that it is one, even if it is
// made of dots.
func escapeSegment(s string) string {
	return strings.ReplaceAll(url.PathEscape(s), ".", "%2E")
}
