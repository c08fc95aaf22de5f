package command

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"
)

// status is `caddy webhooks status`.
func (set *commands) status() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Says how the webhooks of a running Caddy are",
		Long: help(`
Says how the webhooks of a running Caddy are: the store and its size, what waits
to be delivered and for how long, the endpoints by state, and the receivers.`,
			"3  Caddy runs, but its configuration has no webhooks"),
		Example: `  $ caddy webhooks status
  $ caddy webhooks status --address unix//run/caddy/admin.sock --json`,
		RunE: set.does(needs(), showStatus),
	}
	jsonFlag(cmd, "Print the status as JSON")
	return cmd
}

// statusAnswer is what the API says of it all.
type statusAnswer struct {
	Version string
	Running bool
	Store   *struct {
		Module string
		Size   int64 `json:"size_bytes"`
	}
	Backlog *struct {
		Pending int64
		Astray  int64
		Oldest  float64 `json:"oldest_seconds"`
	}
	Outbox *struct {
		Waiting, Invalid int64
	}
	Endpoints map[string]int64
	Receivers []receiverStatus
}

type receiverStatus struct {
	Name       string
	Provider   string
	Seen       *int64
	InFlight   *int64 `json:"in_flight"`
	Forgotten  int64
	Persisting bool
}

func showStatus(ctx context.Context, c *call) error {
	var s statusAnswer
	answer, err := c.client.ask(ctx, request{method: "GET", path: "status"}, &s)
	if err != nil {
		return err
	}
	if c.flags.Bool("json") {
		err = c.out.json(answer)
	} else {
		c.showStatus(&s)
	}
	if err == nil && c.out.err == nil && !s.Running {
		return exit(exitNo)
	}
	return err
}

func (c *call) showStatus(s *statusAnswer) {
	var f fields
	f.add("Version", s.Version)
	if s.Running {
		f.addColoured("Sender", "running", green)
	} else {
		f.addColoured("Sender", "not configured", yellow)
	}
	if s.Store != nil {
		store := s.Store.Module
		if s.Store.Size > 0 {
			store += ", " + humanize.IBytes(uint64(s.Store.Size))
		}
		f.add("Store", store)
	}
	if s.Running && s.Backlog != nil {
		backlog := "nothing is pending"
		if s.Backlog.Pending > 0 {
			backlog = count(s.Backlog.Pending, "delivery is pending", "deliveries are pending")
			if s.Backlog.Oldest > 0 {
				backlog += ", the oldest due for " + span(time.Duration(s.Backlog.Oldest*float64(time.Second)))
			}
			if s.Backlog.Astray > 0 {
				backlog += ", " + number(int(s.Backlog.Astray)) + " for endpoints that are not here"
			}
		}
		f.add("Backlog", backlog)
	}
	if s.Outbox != nil {
		outbox := count(s.Outbox.Waiting, "event waits", "events wait")
		if s.Outbox.Invalid > 0 {
			f.addColoured("Outbox", outbox+", "+number(int(s.Outbox.Invalid))+" cannot be published", yellow)
		} else {
			f.add("Outbox", outbox)
		}
	}
	if s.Running {
		f.add("Endpoints", byState(s.Endpoints))
	}
	f.show(c.out)
	if len(s.Receivers) == 0 {
		return
	}
	t := &table{columns: []column{
		{title: "RECEIVER"}, {title: "PROVIDER", optional: true}, {title: "SEEN", optional: true}, {title: "IN FLIGHT", optional: true},
		{title: "FORGOTTEN", optional: true}, {title: "PERSISTS", optional: true},
	}}
	rows := make([][]cell, 0, len(s.Receivers))
	for _, r := range s.Receivers {
		row := []cell{{text: r.Name}, {text: r.Provider}, {text: orNothing(r.Seen)}, {text: orNothing(r.InFlight)}, {}, {}}
		if r.Forgotten > 0 { // before their time: there were too many
			row[4] = cell{number(int(r.Forgotten)), yellow}
		}
		if r.Persisting {
			row[5].text = "yes"
		}
		rows = append(rows, row)
	}
	c.out.write("\n")
	t.rows(c.out, rows...)
}

// states are those of endpoints, the ones that matter first.
var states = []string{"active", "paused", "disabled", "tested", "inactive"}

// byState counts endpoints by their states.
func byState(counts map[string]int64) string {
	parts := make([]string, 0, len(counts))
	for _, name := range slices.Concat(states, others(counts)) {
		if counts[name] > 0 {
			parts = append(parts, count(counts[name], name, name))
		}
	}
	if len(parts) == 0 {
		return "none"
	}
	return strings.Join(parts, ", ")
}

// others are the states that a newer Caddy may have.
func others(counts map[string]int64) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(counts)), func(name string) bool { return slices.Contains(states, name) })
}

// orNothing is a number that may be absent.
func orNothing(n *int64) string {
	if n == nil {
		return ""
	}
	return number(int(*n))
}
