package settings

import (
	"net/http"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// replayAnswer is a replay as it is answered.
type replayAnswer struct {
	sender.Replay

	// Tenant stands in place of that of Replay; [sender.AnyTenant] when those of
	// all tenants are replayed.
	Tenant *string `json:"tenant,omitempty"`
}

func (c *call) shownReplay(r sender.Replay) replayAnswer {
	return replayAnswer{r, c.shownOwnTenant(r.Tenant)}
}

func listReplays(c *call) error {
	q, tenant := c.scoped("limit", "cursor")
	part := q.page()
	if q.err != nil {
		return q.err
	}
	page, err := c.ReplayPage(c.context(), tenant, part)
	if err != nil {
		return err
	}
	answers := make([]replayAnswer, 0, len(page.Replays))
	for _, r := range page.Replays {
		answers = append(answers, c.shownReplay(r))
	}
	return c.answer(http.StatusOK, struct {
		Replays []replayAnswer `json:"replays"`
		Next    string         `json:"next,omitempty"`
	}{answers, page.Next})
}

func startReplay(c *call) error {
	var r sender.ReplayRequest
	tenant := c.tenant
	known := fields{
		"endpoints": listed(&r.EndpointIDs, "the ID of an endpoint", whatever),
		"statuses":  listed(&r.Statuses, "a status such as failed", named[sender.Status]),
		"types":     listed(&r.Types, likeEvent, webhook.ParsePattern),
		"from":      parsed(&r.From, likeTime, parseTime),
		"to":        parsed(&r.To, likeTime, parseTime),
		"missing":   flag(&r.Missing),
		"fresh_id":  flag(&r.FreshID),
		"rate":      rate(&r.Rate),
		"dry_run":   flag(&r.DryRun),
	}
	if c.operator {
		known["tenant"] = anyTenant(&tenant)
	}
	if err := c.read(known, true); err != nil {
		return err
	}
	replay, err := c.StartReplay(c.context(), tenant, r)
	if err != nil {
		return err
	}
	if r.DryRun {
		return c.answer(http.StatusOK, c.shownReplay(replay))
	}
	return c.created("replays", replay.ID, c.shownReplay(replay))
}

func getReplay(c *call) error {
	replay, err := c.Replay(c.context(), c.tenant, c.id())
	return c.replay(replay, err)
}

func cancelReplay(c *call) error {
	replay, err := c.CancelReplay(c.context(), c.tenant, c.id())
	return c.replay(replay, err)
}

// replay answers a replay.
func (c *call) replay(replay sender.Replay, err error) error {
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, c.shownReplay(replay))
}
