package command

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/spf13/cobra"
)

// replay is `caddy webhooks replay`, with its children.
func (set *commands) replay() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "replay [flags]",
		Short: "Delivers many events again",
		Long: help(`
Delivers the events of many deliveries again: those that the flags select, and of
these the failed and cancelled ones unless --status says otherwise. They go out
under the same IDs, so that a receiver that has seen one takes it for a
duplicate, unless there is --fresh-id.

With --missing it delivers what the endpoints of --endpoint have missed: events
that they would get if they were published now, and have no delivery of, because
they are older than the endpoint, or than its activation, or than its interest in
their type. Each is delivered once, however often this is done. Events that were
deleted for their age are not there any more.

On a terminal it says first how many they are and asks. Elsewhere it wants flags
that select, or --yes. It then shows the progress until all are handed over to
their endpoints. Ctrl-C leaves the replay
running; it can be looked at and stopped by: replay show, replay cancel.`,
			"3  the replay has failed, was cancelled, or was not wanted after all",
			"130  after Ctrl-C"),
		Example: `  $ caddy webhooks replay --endpoint crm --since 24h --dry-run
  $ caddy webhooks replay --endpoint crm --since 24h --rate 20/s
  $ caddy webhooks replay --endpoint ep_0192f0c1a2b37c4d8e5f6071 --missing --dry-run
  $ caddy webhooks replay cancel rpl_0192f0c1a2b37c4d8e5f60718293a4b5`,
		RunE: set.does(noChild, startReplay),
	}
	filterFlags(cmd, "; failed and cancelled by default")
	spanFlags(cmd)
	f := cmd.Flags()
	f.String("rate", "", "The `rate` to hand them to their endpoints at, such as 20/s (default 100/s)")
	f.Bool("missing", false, "Those that the named endpoints would get now and never had")
	f.Bool("fresh-id", false, "Deliver each event as a new one, under an ID of its own")
	f.Bool("dry-run", false, "Say how many they are, and deliver nothing")
	f.BoolP("yes", "y", false, "Do not ask")
	f.Bool("detach", false, "Do not wait until it is done")
	cmd.MarkFlagsMutuallyExclusive("dry-run", "detach")
	jsonFlag(cmd, "Print the replay as JSON in the end")
	cmd.AddCommand(set.replayList(), set.replayShow(), set.replayCancel())
	return cmd
}

func startReplay(ctx context.Context, c *call) error {
	from, to, err := c.span()
	if err != nil {
		return err
	}
	r := replayRequest{
		Tenant:    c.tenant(),
		Endpoints: c.list("endpoint"),
		Statuses:  c.list("status"),
		Types:     c.list("type"),
		From:      from,
		To:        to,
		Missing:   c.flags.Bool("missing"),
		FreshID:   c.flags.Bool("fresh-id"),
		Rate:      c.flags.String("rate"),
	}
	if err := r.checkMissing(); err != nil {
		return err
	}
	if c.flags.Bool("dry-run") {
		return c.dryRun(ctx, r)
	}
	if sure, err := c.sure(ctx, r); !sure || err != nil {
		return err
	}
	// Broken off here, nobody would know whether it has begun.
	begun, answer, err := c.postReplay(context.WithoutCancel(ctx), r)
	if err != nil {
		return err
	}
	if c.flags.Bool("detach") {
		if c.flags.Bool("json") {
			return c.out.json(answer)
		}
		c.out.say("%s", begun.ID)
		c.notes.say("It goes on by itself. To look at it or to stop it: caddy webhooks replay show|cancel %s", begun.ID)
		return nil
	}
	return c.follow(ctx, begun, answer)
}

func (c *call) postReplay(ctx context.Context, r replayRequest) (*replay, json.RawMessage, error) {
	var begun replay
	answer, err := c.client.ask(ctx, request{
		method: http.MethodPost,
		path:   "replays",
		body:   r,
		slow:   r.DryRun, // it counts all that is selected
	}, &begun)
	return &begun, answer, err
}

// dryRun says how many would be replayed.
func (c *call) dryRun(ctx context.Context, r replayRequest) error {
	r.DryRun = true
	counted, answer, err := c.postReplay(ctx, r)
	if err != nil {
		return err
	}
	if c.flags.Bool("json") {
		return c.out.json(answer)
	}
	c.out.say("%d", counted.Total)
	c.notes.say("%s.", r.announced(counted.Total, "would"))
	return nil
}

// sure asks whether to go on, if there is somebody to ask.
func (c *call) sure(ctx context.Context, r replayRequest) (bool, error) {
	if c.flags.Bool("yes") {
		return true, nil
	}
	_, asks := c.terminal(c.in)
	if !asks || !c.notes.isTerminal() {
		if r.selectsNothing() {
			return false, newMisuse("nothing selects deliveries, and there is nobody to ask whether all that have failed are meant: select some, as with --endpoint or --since, or add --yes")
		}
		return true, nil
	}
	r.DryRun = true
	counted, _, err := c.postReplay(ctx, r)
	if err != nil {
		return false, err
	}
	if counted.Total == 0 {
		if r.Missing {
			c.notes.say("No such events are missing: nothing is replayed.")
		} else {
			c.notes.say("There are no such deliveries: nothing is replayed.")
		}
		return false, nil
	}
	c.notes.write(printable(r.announced(counted.Total, "will") + ". Go on? [y/N] "))
	yes, err := c.answered(ctx)
	if err != nil {
		return false, err
	}
	if !yes {
		c.notes.say("Nothing is replayed.")
		return false, exit(exitNo)
	}
	return true, nil
}

// checkMissing says what does not go with --missing, or lacks.
func (r replayRequest) checkMissing() error {
	switch {
	case r.Missing && len(r.Endpoints) == 0:
		return newMisuse("--missing is for endpoints that are named: add --endpoint")
	case r.Missing && (len(r.Statuses) > 0 || r.FreshID):
		return newMisuse("--missing is for what was never delivered: leave out --status and --fresh-id, or --missing")
	}
	return nil
}

// announced says what a replay of so many will do, or would.
func (r replayRequest) announced(n int64, will string) string {
	if r.Missing {
		return count(n, "event ", "events ") + will + " be delivered for the first time"
	}
	return count(n, "delivery ", "deliveries ") + will + " be delivered again"
}

// selectsNothing tells that it is for all deliveries that have failed or were
// cancelled.
func (r replayRequest) selectsNothing() bool {
	return r.Tenant == nil && len(r.Endpoints)+len(r.Statuses)+len(r.Types) == 0 && r.From == nil && r.To == nil
}

// replayList is `caddy webhooks replay list`.
func (set *commands) replayList() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "list [flags]",
		Short: "Lists the replays that are remembered",
		Long:  help("Lists the replays that are remembered, newest first."),
		RunE:  set.does(needs(), listReplays),
	}
	cmd.Flags().String("tenant", "", "Those of this `tenant`; '' for those without one")
	limitFlags(cmd, 100)
	return cmd
}

func listReplays(ctx context.Context, c *call) error {
	return c.listed(ctx, listing{
		path:  "replays",
		query: c.filter(),
		table: &table{columns: []column{
			{title: "REPLAY"}, {title: "BEGUN"}, {title: "TENANT", optional: true}, {title: "STATE"},
			{title: "PROGRESS"}, {title: "ERROR", optional: true, least: 12},
		}},
		row: func(item json.RawMessage) ([]cell, error) {
			var r replay
			if err := json.Unmarshal(item, &r); err != nil {
				return nil, c.client.stranger()
			}
			return []cell{{text: r.ID}, {text: c.when(r.CreatedAt)}, {text: r.Tenant}, state(r.State), {text: r.progress()}, {text: r.Error}}, nil
		},
		none: "There are no replays.",
	})
}

// replayShow is `caddy webhooks replay show`.
func (set *commands) replayShow() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show <replay> [--follow]",
		Short: "Shows a replay with its progress",
		Long: help("Shows a replay with its progress.",
			"3  a replay that was followed has failed or was cancelled",
			"130  after Ctrl-C"),
		Example: `  $ caddy webhooks replay show rpl_0192f0c1a2b37c4d8e5f60718293a4b5 --follow`,
		RunE: set.does(needs("replay"), func(ctx context.Context, c *call) error {
			r, answer, err := c.getReplay(ctx, c.args[0])
			switch {
			case err != nil:
				return err
			case c.flags.Bool("follow"):
				return c.follow(ctx, r, answer)
			case c.flags.Bool("json"):
				return c.out.json(answer)
			}
			c.showReplay(r)
			return nil
		}),
	}
	cmd.Flags().BoolP("follow", "f", false, "Show the progress until it is done")
	jsonFlag(cmd, "Print the replay as JSON")
	return cmd
}

func (c *call) getReplay(ctx context.Context, id string) (*replay, json.RawMessage, error) {
	var r replay
	answer, err := c.client.ask(ctx, request{method: http.MethodGet, path: "replays/" + segment(id)}, &r)
	return &r, answer, err
}

// replayCancel is `caddy webhooks replay cancel`.
func (set *commands) replayCancel() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "cancel <replay>",
		Short:   "Stops a replay",
		Long:    help("Stops a replay. What has been replayed stays so."),
		Example: `  $ caddy webhooks replay cancel rpl_0192f0c1a2b37c4d8e5f60718293a4b5`,
		RunE: set.does(needs("replay"), func(ctx context.Context, c *call) error {
			var r replay
			answer, err := c.client.ask(ctx, request{method: http.MethodDelete, path: "replays/" + segment(c.args[0])}, &r)
			switch {
			case err != nil:
				return err
			case c.flags.Bool("json"):
				return c.out.json(answer)
			}
			c.out.say("%s is %s: %s", r.ID, r.State, r.progress())
			return nil
		}),
	}
	jsonFlag(cmd, "Print the replay as JSON")
	return cmd
}
