package command

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// endpoint shows an endpoint with its settings and what is known of it.
func (c *call) endpoint(e *endpoint) {
	var f fields
	f.add("Endpoint", e.ID)
	f.add("Tenant", e.Tenant)
	f.add("Description", e.Description)
	f.add("URL", e.URL)
	f.addColoured("State", e.State, colourOf(e.State))
	f.add("Reason", e.Reason)
	f.add("Paused until", c.moment(e.PausedUntil))
	f.add("Pending", number(int(e.Pending)))
	f.add("Events", e.types())
	f.add("Filter", e.Filter)
	f.add("Format", e.Format)
	f.add("Headers", strings.Join(slices.Sorted(maps.Keys(e.Headers)), ", "))
	f.add("Rate", e.Rate)
	if e.Concurrency > 0 {
		f.add("Concurrency", number(e.Concurrency))
	}
	f.add("Ordering", e.Ordering)
	f.add("Retries after", strings.Join(e.Retry, " "))
	f.add("Timeout", e.Timeout)
	f.add("Signed", map[bool]string{true: "yes", false: "no"}[e.Signed])
	for _, key := range e.PublicKeys {
		f.add("Public key", key)
	}
	f.add("Old secret", until(c.moment(e.PreviousUntil)))
	f.add("Made", c.moment(e.CreatedAt))
	f.add("Changed", c.moment(e.UpdatedAt))
	f.add("Tested", c.moment(e.TestedAt))
	f.add("Last success", c.moment(e.LastSuccessAt))
	f.add("Last failure", c.moment(e.LastFailureAt))
	f.add("Failing since", c.moment(e.FailingSince))
	if e.ReadOnly {
		f.add("Managed in", "the configuration")
	}
	f.show(c.out)
	switch e.State {
	case "disabled", "inactive", "tested":
		c.hint("To send events to it: caddy webhooks endpoints activate %s", e.ID)
	}
}

// until says of a time that something ends then.
func until(moment string) string {
	if moment == "" {
		return ""
	}
	return "signs as well until " + moment
}

// showReplay shows a replay with its progress.
func (c *call) showReplay(r *replay) {
	var f fields
	f.add("Replay", r.ID)
	f.add("Tenant", r.Tenant)
	f.addColoured("State", r.State, colourOf(r.State))
	f.add("Error", r.Error)
	f.add("Progress", r.progress())
	f.add("Endpoints", strings.Join(r.Request.Endpoints, " "))
	f.add("Statuses", strings.Join(r.Request.Statuses, " "))
	if r.Request.Missing {
		f.add("Of", "missing events")
	}
	f.add("Types", strings.Join(r.Request.Types, " "))
	if r.Request.From != nil {
		f.add("Since", c.moment(*r.Request.From))
	}
	if r.Request.To != nil {
		f.add("Until", c.moment(*r.Request.To))
	}
	f.add("Rate", r.Request.Rate)
	if r.Request.FreshID {
		f.add("IDs", "new ones")
	}
	f.add("Begun", c.moment(r.CreatedAt))
	f.add("Finished", c.moment(r.FinishedAt))
	f.show(c.out)
}

// progress says how far a replay is.
func (r *replay) progress() string {
	text := fmt.Sprintf("%d replayed", r.Replayed)
	if r.Total > 0 {
		text = fmt.Sprintf("%d of %d replayed", r.Replayed, r.Total)
		if r.State == "running" {
			text += fmt.Sprintf(" (%d%%)", min(100, 100*(r.Replayed+r.Skipped)/r.Total))
		}
	}
	if r.Skipped > 0 {
		text += fmt.Sprintf(", %d under way anyway", r.Skipped)
	}
	return text
}
