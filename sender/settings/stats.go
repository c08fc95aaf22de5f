package settings

import (
	"net/http"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// statsAnswer are stats as they are answered.
type statsAnswer struct {
	sender.Stats

	// DurationBounds are the upper bounds of the classes of durations, of which
	// the last has none.
	DurationBounds []webhook.Duration `json:"duration_bounds"`
}

func getStats(c *call) error {
	q, tenant := c.scoped("endpoint", "from", "to", "step", "by")
	var s sender.StatsQuery
	s.EndpointIDs = each(q, "endpoint", whatever)
	s.From, s.To = q.span()
	switch q.choice("step", "minute", "hour") {
	case "minute":
		s.Step = sender.StepMinute
	case "hour":
		s.Step = sender.StepHour
	}
	s.ByType = q.choice("by", "type", "endpoint") == "type"
	if s.To.UTC().Year() > 9998 { // the step that it is in could end beyond what JSON has a form for
		q.fail("to", "it lies too far in the future: give an earlier time, or leave it out for now")
	}
	if q.err != nil {
		return q.err
	}
	stats, err := c.Stats(c.context(), tenant, s)
	if err != nil {
		return err
	}
	a := statsAnswer{Stats: stats}
	for _, bound := range sender.DurationBounds() {
		a.DurationBounds = append(a.DurationBounds, webhook.Duration(bound))
	}
	return c.answer(http.StatusOK, a)
}
