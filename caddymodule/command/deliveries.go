package command

import (
	"context"
	"encoding/json"
	"time"

	"github.com/spf13/cobra"
)

// deliveries is `caddy webhooks deliveries`.
func (set *commands) deliveries() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "deliveries [flags]",
		Short: "Lists deliveries, with what became of them",
		Long: help(`
Lists deliveries, those of the newest events first, with what became of their
last attempt. The flags select among them, and more than one of a kind means
any of them.`),
		Example: `  $ caddy webhooks deliveries --status failed --since 24h
  $ caddy webhooks deliveries --endpoint crm --type 'conversation.*' --limit 200
  $ caddy webhooks deliveries --status failed --all --json | caddy webhooks retry -`,
		RunE: set.does(needs(), listDeliveries),
	}
	filterFlags(cmd, "")
	spanFlags(cmd)
	cmd.Flags().String("order", "newest", "Which events come `first`: newest or oldest")
	limitFlags(cmd, 50)
	return cmd
}

func listDeliveries(ctx context.Context, c *call) error {
	from, to, err := c.span()
	if err != nil {
		return err
	}
	query := c.filter()
	for name, t := range map[string]*time.Time{"from": from, "to": to} {
		if t != nil {
			query.Set(name, t.Format(time.RFC3339Nano))
		}
	}
	if order := c.flags.String("order"); c.cmd.Flags().Changed("order") {
		query.Set("order", order)
	}
	return c.listed(ctx, listing{
		path:  "deliveries",
		query: query,
		table: deliveryTable(false),
		row:   c.deliveryItem,
		none:  "There are no such deliveries.",
	})
}

// deliveryTable is a table of deliveries. Where it is live, which columns there
// are does not hang on what comes.
func deliveryTable(live bool) *table {
	return &table{columns: []column{
		{title: "DELIVERY"}, // ends in the ID of the endpoint
		{title: "STORED"},
		{title: "TENANT", optional: true},
		{title: "EVENT", least: 12},
		{title: "STATUS"},
		{title: "TRIES"},
		{title: "NEXT", optional: !live},
		{title: "LAST", least: 12},
	}}
}

func (c *call) deliveryItem(item json.RawMessage) ([]cell, error) {
	var d delivery
	if err := json.Unmarshal(item, &d); err != nil {
		return nil, c.client.stranger()
	}
	return c.deliveryRow(&d), nil
}

func (c *call) deliveryRow(d *delivery) []cell {
	due := ""
	if d.Due.After(c.now()) {
		due = c.when(d.Due)
	}
	return []cell{
		{text: d.ID},
		{text: c.when(d.StoredAt)},
		{text: d.Tenant},
		{text: d.Event},
		state(d.Status),
		{text: number(d.Attempts)},
		{text: due},
		{text: d.Last.outcome()},
	}
}
