package command

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/spf13/cobra"
)

// endpoints is `caddy webhooks endpoints`, with its children.
func (set *commands) endpoints() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "endpoints [flags]",
		Short: "Lists endpoints, with how they are",
		Long: help(`
Lists the endpoints of all tenants, those of the configuration first: their
state, what waits for them, and when they last took an event.`),
		Example: `  $ caddy webhooks endpoints
  $ caddy webhooks endpoints --tenant acme --json
  $ caddy webhooks endpoints activate ep_0192f0c1a2b37c4d8e5f60718293a4b5`,
		RunE: set.does(noChild, listEndpoints),
	}
	cmd.Flags().String("tenant", "", "Those of this `tenant`; '' for those without one")
	limitFlags(cmd, 100)
	cmd.AddCommand(
		set.change("activate", "Begins to send events to an endpoint, also when it was disabled", `
Begins to send events to an endpoint, also when it was disabled. What has waited
for it meanwhile goes out as well.`),
		set.change("deactivate", "Leaves an endpoint alone", `
Leaves an endpoint alone: it gets no new events, and the deliveries that it has
already wait until it is activated.`),
		set.rotate(),
	)
	return cmd
}

// noChild refuses what is meant to be a child, and is none.
func noChild(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	children := make([]string, 0, len(cmd.Commands()))
	for _, child := range cmd.Commands() {
		if child.IsAvailableCommand() {
			children = append(children, child.Name())
		}
	}
	return newMisuse("%q is not one of %s", args[0], strings.Join(children, ", "))
}

func listEndpoints(ctx context.Context, c *call) error {
	return c.listed(ctx, listing{
		path:  "endpoints",
		query: c.filter(),
		table: &table{columns: []column{
			{title: "ENDPOINT"},
			{title: "TENANT", optional: true},
			{title: "STATE"},
			{title: "PENDING"},
			{title: "LAST SUCCESS"},
			{title: "EVENTS", least: 12},
			{title: "URL", least: 24},
			{title: "REASON", least: 12, optional: true},
		}},
		row:  c.endpointItem,
		none: "There are no such endpoints.",
	})
}

func (c *call) endpointItem(item json.RawMessage) ([]cell, error) {
	var e endpoint
	if err := json.Unmarshal(item, &e); err != nil {
		return nil, c.client.stranger()
	}
	return []cell{
		{text: e.ID},
		{text: e.Tenant},
		state(e.State),
		{text: number(int(e.Pending))},
		{text: orDash(c.when(e.LastSuccessAt))},
		{text: e.types()},
		{text: e.URL},
		{text: e.Reason},
	}, nil
}

// change is a child of `caddy webhooks endpoints` that does one thing to one.
func (set *commands) change(verb, short, long string) *cobra.Command {
	cmd := &cobra.Command{
		Use:     verb + " <endpoint>",
		Short:   short,
		Long:    help(long),
		Example: `  $ caddy webhooks endpoints ` + verb + ` ep_0192f0c1a2b37c4d8e5f60718293a4b5`,
		RunE: set.does(needs("endpoint"), func(ctx context.Context, c *call) error {
			var e endpoint
			answer, err := c.client.ask(ctx, request{method: http.MethodPost, path: "endpoints/" + segment(c.args[0]) + "/" + verb}, &e)
			if err != nil {
				return err
			}
			if c.flags.Bool("json") {
				return c.out.json(answer)
			}
			c.out.say("%s is %s, %s", e.ID, e.State, count(e.Pending, "delivery is pending", "deliveries are pending"))
			return nil
		}),
	}
	jsonFlag(cmd, "Print the endpoint as JSON")
	return cmd
}

// rotate is `caddy webhooks endpoints rotate`.
func (set *commands) rotate() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rotate <endpoint> [--overlap <duration>] [--signing hmac|ed25519|none]",
		Short: "Replaces the secret of an endpoint",
		Long: help(`
Makes a new secret for an endpoint and prints it, this once. The present secret
goes on to sign beside it for a while, so that the receiver can change over.

The secret alone goes to stdout, so that it can be piped.`),
		Example: `  $ caddy webhooks endpoints rotate ep_0192f0c1a2b37c4d8e5f60718293a4b5 --overlap 7d`,
		RunE:    set.does(needs("endpoint"), rotateSecret),
	}
	cmd.Flags().String("overlap", "", "The `duration` that the present secret goes on to sign for, 0s for not at all (default 24h)")
	cmd.Flags().String("signing", "", "The `kind` that is made: hmac, ed25519 or none (default that of the present one)")
	jsonFlag(cmd, "Print the endpoint with its secret as JSON")
	return cmd
}

func rotateSecret(ctx context.Context, c *call) error {
	rotation := make(map[string]string)
	for _, name := range []string{"overlap", "signing"} {
		if c.cmd.Flags().Changed(name) {
			rotation[name] = c.flags.String(name)
		}
	}
	var e endpoint
	answer, err := c.client.ask(ctx, request{method: http.MethodPost, path: "endpoints/" + segment(c.args[0]) + "/rotate", body: rotation}, &e)
	switch {
	case err != nil:
		return err
	case c.flags.Bool("json"):
		return c.out.json(answer)
	case e.Secret == "":
		c.notes.say("%s has no secret any more: its deliveries are not signed.", e.ID)
	default:
		c.notes.say("The new secret of %s, shown this once:", e.ID)
		c.out.say("%s", e.Secret)
	}
	if !e.PreviousUntil.IsZero() {
		c.notes.say("The one before signs as well until %s.", c.moment(e.PreviousUntil))
	}
	for _, key := range e.PublicKeys {
		c.notes.say("Public key for the receiver: %s", key)
	}
	return nil
}
