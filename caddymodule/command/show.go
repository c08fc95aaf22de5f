package command

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"
)

// kind is a kind of thing that has IDs.
type kind struct {
	prefix string // that its IDs begin with, those that were made here
	path   string
	show   func(*call, json.RawMessage) error
}

var kinds = []kind{
	{"dlv_", "deliveries/", shows((*call).delivery)},
	{"evt_", "events/", shows((*call).event)},
	{"ep_", "endpoints/", shows((*call).endpoint)},
	{"rpl_", "replays/", shows((*call).showReplay)},
}

// shows decodes an answer before it is shown.
func shows[T any](show func(*call, *T)) func(*call, json.RawMessage) error {
	return func(c *call, answer json.RawMessage) error {
		v := new(T)
		if err := json.Unmarshal(answer, v); err != nil {
			return c.client.stranger()
		}
		show(c, v)
		return nil
	}
}

// show is `caddy webhooks show`.
func (set *commands) show() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show <id>",
		Short: "Shows a delivery, an event, an endpoint or a replay",
		Long: help(`
Shows all that is known of a delivery with its attempts, an event with its
deliveries, an endpoint, or a replay with its progress. The ID says which of
them it is; one that was chosen by somebody else, such as the name of an
endpoint in the configuration, is looked for among all of them. Tenants may
have events of the same ID: --tenant says whose is meant.`),
		Example: `  $ caddy webhooks show dlv_1_ep_0192f0c1a2b37c4d8e5f60718293a4b5
  $ caddy webhooks show evt_0192f0c1a2b37c4d8e5f60718293a4b5
  $ caddy webhooks show order-17 --tenant acme
  $ caddy webhooks show crm --json`,
		RunE: set.does(needs("ID"), showID),
	}
	cmd.Flags().String("tenant", "", "Whose event it is, by `tenant`, where several have one of this ID; '' for the one without a tenant")
	cmd.Flags().BoolP("verbose", "v", false, "Show the headers of each attempt as well")
	jsonFlag(cmd, "Print it as JSON")
	return cmd
}

func showID(ctx context.Context, c *call) error {
	id := c.args[0]
	for _, k := range likely(id) {
		var query url.Values
		if k.prefix == "evt_" { // the others have IDs of their own
			query = c.filter()
		}
		answer, err := c.client.get(ctx, k.path+segment(id), query)
		switch {
		case isNotFound(err):
			continue
		case isAmbiguous(err):
			return fmt.Errorf("several tenants have an event of the ID %q: say by --tenant whose is meant", id)
		}
		if err != nil {
			return err
		}
		if c.flags.Bool("json") {
			return c.out.json(answer)
		}
		return k.show(c, answer)
	}
	return fmt.Errorf("there is no delivery, event, endpoint or replay %q: look the ID up in `caddy webhooks deliveries` or `caddy webhooks endpoints`", id)
}

// likely are the kinds in the order to look for an ID in. One that looks like
// one of ours may be a publisher's own all the same.
func likely(id string) []kind {
	first, rest := make([]kind, 0, len(kinds)), make([]kind, 0, len(kinds))
	for _, k := range kinds {
		if strings.HasPrefix(id, k.prefix) {
			first = append(first, k)
		} else {
			rest = append(rest, k)
		}
	}
	return append(first, rest...)
}

// hint says to people what may come next.
func (c *call) hint(format string, args ...any) {
	if c.out.isTerminal() {
		c.notes.write("\n")
		c.notes.say(format, args...)
	}
}

// fields are shown one below the other.
type fields [][]cell

// add adds a field, unless it is empty.
func (f *fields) add(name, text string) { f.addColoured(name, text, "") }

func (f *fields) addColoured(name, text string, colour colour) {
	if text != "" {
		*f = append(*f, []cell{{text: name, colour: faint}, {text: text, colour: colour}})
	}
}

func (f fields) show(s *screen) {
	t := &table{columns: []column{{}, {}}, headless: true}
	t.rows(s, f...)
}
