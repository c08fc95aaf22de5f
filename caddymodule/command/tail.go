package command

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/spf13/cobra"
)

const (
	// keepAlive is how often a stream says that it is there.
	keepAlive = 15 * time.Second

	// reconnectAfter and reconnectMost are how long to wait before a stream is
	// asked for again: it doubles.
	reconnectAfter = 50 * time.Millisecond
	reconnectMost  = 5 * time.Second
)

// tail is `caddy webhooks tail`.
func (set *commands) tail() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "tail [flags]",
		Short: "Shows deliveries live, as their attempts end",
		Long: help(`
Shows the newest deliveries, and then each one as an attempt of it ends, until
Ctrl-C. It stays over reloads and restarts of Caddy, and says when it may have
missed something. Ctrl-C is no failure.`),
		Example: `  $ caddy webhooks tail
  $ caddy webhooks tail --endpoint crm --status failed
  $ caddy webhooks tail --lines 0 --json | jq -r .id`,
		RunE: set.does(needs(), tailDeliveries),
	}
	filterFlags(cmd, "")
	cmd.Flags().IntP("lines", "n", 10, "Show this `number` of the newest deliveries first")
	jsonFlag(cmd, "Print each delivery as one line of JSON")
	return cmd
}

func tailDeliveries(ctx context.Context, c *call) error {
	table := deliveryTable(true)
	show := func(items ...json.RawMessage) error {
		rows := make([][]cell, 0, len(items))
		for _, item := range items {
			if c.flags.Bool("json") {
				if err := c.out.jsonLine(item); err != nil {
					return err
				}
				continue
			}
			row, err := c.deliveryItem(item)
			if err != nil {
				return err
			}
			rows = append(rows, row)
		}
		table.rows(c.out, rows...)
		return nil
	}
	n := c.flags.Int("lines")
	if n < 0 {
		return newMisuse("--lines must not be negative: use 0 for none")
	}
	if n > 0 {
		newest, err := c.newest(ctx, n)
		if err != nil {
			return err
		}
		if err := show(newest...); err != nil {
			return err
		}
	}
	return c.tail(ctx, func(item json.RawMessage) error { return show(item) })
}

// newest are the newest deliveries, the oldest of them first.
func (c *call) newest(ctx context.Context, n int) ([]json.RawMessage, error) {
	var list []json.RawMessage
	_, err := c.pages(ctx, "deliveries", c.filter(), n, func(items []json.RawMessage) error {
		list = append(list, items...)
		return nil
	})
	slices.Reverse(list)
	return list, err
}

// tail shows deliveries as they change, until the user has enough. When the
// stream is lost, it looks for it again.
func (c *call) tail(ctx context.Context, show func(json.RawMessage) error) error {
	wait, lost, told := reconnectAfter, false, ""
	for connected := false; ; {
		err := c.stream(ctx, show, func() {
			if lost {
				c.notes.say("The connection is there again: what ended meanwhile is not shown.")
			}
			connected, lost, wait, told = true, false, reconnectAfter, ""
		})
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // Ctrl-C is how it ends
		case c.out.err != nil:
			return c.out.err
		case err != nil && (!connected || !isTransient(err)):
			return err
		}
		if !lost {
			lost = true
			c.notes.say("The connection to Caddy has ended: looking for it again.")
		} else if err != nil && wait == reconnectMost && told != err.Error() {
			told = err.Error() // it takes longer than a restart
			c.notes.say("Still looking for it: %s", told)
		}
		if c.pause(ctx, wait) != nil {
			return nil //nolint:nilerr // so is this
		}
		wait = min(2*wait, reconnectMost)
	}
}

// stream shows what one stream says, until it ends.
func (c *call) stream(ctx context.Context, show func(json.RawMessage) error, connected func()) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	// A connection that died says nothing at all, not even that.
	silent := time.AfterFunc(answerTimeout, func() { cancel(errSilent) })
	defer silent.Stop()
	resp, err := c.client.send(ctx, request{method: http.MethodGet, path: "deliveries/stream", query: c.filter()})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	connected()
	silent.Reset(c.silence)
	var ours error
	err = messages(resp.Body, func() { silent.Reset(c.silence) }, func(m message) error {
		switch m.name {
		case "delivery":
			ours = show(m.data)
		case "lost":
			var lost struct{ Count int64 }
			if json.Unmarshal(m.data, &lost) == nil {
				c.notes.say("%s here: too many at once.", count(lost.Count, "delivery is missing", "deliveries are missing"))
			}
		}
		if ours == nil {
			ours = c.out.err
		}
		return ours
	})
	switch {
	case ours != nil:
		return ours
	case errors.Is(err, errMessage):
		return c.client.stranger()
	case err != nil:
		return c.client.unreachable(ctx, err)
	}
	return nil
}
