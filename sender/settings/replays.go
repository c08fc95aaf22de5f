package settings

import (
	"net/http"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

func listReplays(c *call) error {
	list, err := c.Replays(c.context(), c.tenant)
	if err != nil {
		return err
	}
	return c.answer(http.StatusOK, struct {
		Replays []sender.Replay `json:"replays"`
	}{list})
}

func startReplay(c *call) error {
	var r sender.ReplayRequest
	err := c.read(fields{
		"endpoints": listed(&r.EndpointIDs, "the ID of an endpoint", whatever),
		"statuses":  listed(&r.Statuses, "a status such as failed", named[sender.Status]),
		"types":     listed(&r.Types, likeEvent, webhook.ParsePattern),
		"from":      parsed(&r.From, likeTime, parseTime),
		"to":        parsed(&r.To, likeTime, parseTime),
		"fresh_id":  flag(&r.FreshID),
		"rate":      rate(&r.Rate),
		"dry_run":   flag(&r.DryRun),
	}, true)
	if err != nil {
		return err
	}
	replay, err := c.StartReplay(c.context(), c.tenant, r)
	if err != nil {
		return err
	}
	if r.DryRun {
		return c.answer(http.StatusOK, replay)
	}
	return c.created("replays", replay.ID, replay)
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
	return c.answer(http.StatusOK, replay)
}
