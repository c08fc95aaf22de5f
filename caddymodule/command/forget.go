package command

import (
	"context"
	"net/http"

	"github.com/spf13/cobra"
)

// forget is `caddy webhooks forget`.
func (set *commands) forget() *cobra.Command {
	return &cobra.Command{
		Use:   "forget <receiver> <id>",
		Short: "Makes a receiver take an event for a new one again",
		Long: help(`
Makes a receiver forget that it has processed an event, so that the event gets
through when its sender is asked to send it once more. The receiver is the name
in the configuration, or else its provider; the ID is the provider's.`),
		Example: `  $ caddy webhooks forget stripe evt_1NG8Du2eZvKYlo2CUI79vXWy`,
		RunE: set.does(needs("receiver", "ID"), func(ctx context.Context, c *call) error {
			name, id := c.args[0], c.args[1]
			if _, err := c.client.do(ctx, request{method: http.MethodDelete, path: "received/" + segment(name) + "/" + segment(id)}); err != nil {
				return err
			}
			c.notes.say("The receiver %s takes the event %s for a new one again.", name, id)
			return nil
		}),
	}
}
