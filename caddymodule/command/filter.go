package command

import (
	"net/url"
	"time"

	"github.com/spf13/cobra"
)

// filterFlags adds the flags that select deliveries.
func filterFlags(cmd *cobra.Command, statuses string) {
	f := cmd.Flags()
	f.StringArray("endpoint", nil, "Those of the endpoint of this `id` (repeatable)")
	f.String("tenant", "", "Those of this `tenant`; '' for those without one")
	f.StringSlice("status", nil, "Those of this `status`: pending, blocked, succeeded, failed or cancelled (repeatable)"+statuses)
	f.StringSlice("type", nil, "Those of events of this `type`, or of a group such as conversation.* (repeatable)")
}

// spanFlags adds the flags that select by time.
func spanFlags(cmd *cobra.Command) {
	cmd.Flags().String("since", "", "Those stored from this `time` on: how long ago (90m, 7d) or when (2024-03-05, 2024-03-05T10:30:00Z)")
	cmd.Flags().String("until", "", "Those stored before this `time`, likewise")
}

// tenant is the tenant that a flag names; nil for all of them.
func (c *call) tenant() *string {
	if !c.cmd.Flags().Changed("tenant") {
		return nil
	}
	return new(c.flags.String("tenant"))
}

// list is what a flag holds that may be given several times.
func (c *call) list(name string) []string {
	if list, err := c.cmd.Flags().GetStringArray(name); err == nil {
		return list
	}
	list, err := c.cmd.Flags().GetStringSlice(name)
	if err != nil {
		return nil
	}
	return list
}

// time is the time that a flag names; nil when it is not given.
func (c *call) time(name string) (*time.Time, error) {
	s := c.flags.String(name)
	if s == "" {
		return nil, nil
	}
	t, err := parseTime(s, c.now(), c.zone)
	if err != nil {
		return nil, newMisuse("--%s: %w", name, err)
	}
	return new(t.UTC()), nil
}

// span are the times that --since and --until name.
func (c *call) span() (from, to *time.Time, err error) {
	if from, err = c.time("since"); err != nil {
		return nil, nil, err
	}
	if to, err = c.time("until"); err != nil {
		return nil, nil, err
	}
	if from != nil && to != nil && !from.Before(*to) {
		return nil, nil, newMisuse("--since is not before --until: nothing lies between them")
	}
	return from, to, nil
}

// filter is the query that the flags of filterFlags make, as far as a command has
// them.
func (c *call) filter() url.Values {
	q := make(url.Values)
	for _, name := range []string{"endpoint", "status", "type"} {
		if list := c.list(name); len(list) > 0 {
			q[name] = list
		}
	}
	if tenant := c.tenant(); tenant != nil {
		q.Set("tenant", *tenant)
	}
	return q
}
