package command

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/spf13/cobra"
)

// retry is `caddy webhooks retry`.
func (set *commands) retry() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "retry <delivery>... | -",
		Short: "Delivers events again, one by one",
		Long: help(`
Delivers the events of these deliveries again, at once, under the same IDs and on
a retry schedule that begins anew. For many at a time see: caddy webhooks replay.

With - or --stdin the IDs are read from stdin: the first word of each line, or
the member "id" where lines are JSON, as those of: deliveries --all --json.

It goes on after a delivery that cannot be retried, and exits with 1 in the end.`),
		Example: `  $ caddy webhooks retry dlv_1_ep_0192f0c1a2b37c4d8e5f60718293a4b5
  $ caddy webhooks deliveries --endpoint crm --status failed --all --json | caddy webhooks retry -`,
		RunE: set.does(cobra.ArbitraryArgs, retryDeliveries),
	}
	cmd.Flags().Bool("stdin", false, "Read the IDs from stdin")
	jsonFlag(cmd, "Print each delivery as one line of JSON")
	return cmd
}

func retryDeliveries(ctx context.Context, c *call) error {
	fromStdin := c.flags.Bool("stdin")
	ids := c.args
	if len(ids) == 1 && ids[0] == "-" {
		fromStdin, ids = true, nil
	}
	if !fromStdin && len(ids) == 0 {
		return newMisuse("no delivery is given: name one or more by their IDs, or use - to read them from stdin")
	}
	if fromStdin && len(ids) > 0 {
		return newMisuse("deliveries are given beside --stdin: use one or the other")
	}
	var done, failed int64
	one := func(id string) error {
		err := c.retry(ctx, id)
		if refused, ok := errors.AsType[*refusal](err); ok {
			failed++
			c.notes.say("%s: %s", id, refused.sentence)
			return nil
		}
		if err == nil {
			done++
		}
		return err
	}
	for _, id := range ids {
		if err := one(id); err != nil {
			return err
		}
	}
	if fromStdin {
		if err := eachID(c.in, one); err != nil {
			return err
		}
	}
	if failed > 0 {
		return fmt.Errorf("%s cannot be retried, %d can: the reasons stand above", count(failed, "delivery", "deliveries"), done)
	}
	if fromStdin && !c.flags.Bool("json") {
		c.notes.say("%s again.", count(done, "event is delivered", "events are delivered"))
	}
	return nil
}

// retry delivers one event again.
func (c *call) retry(ctx context.Context, id string) error {
	if id == "" {
		return newMisuse("the ID of a delivery is empty")
	}
	var d delivery
	answer, err := c.client.ask(ctx, request{method: http.MethodPost, path: "deliveries/" + segment(id) + "/retry"}, &d)
	if err != nil {
		return err
	}
	if c.flags.Bool("json") {
		return c.out.jsonLine(answer)
	}
	c.out.say("%s is delivered again: %s", d.ID, d.Status)
	return nil
}

// maxID is more than the ID of any delivery has, in bytes: it goes into a path.
const maxID = 4096

// eachID reads the IDs of deliveries line by line.
func eachID(r io.Reader, each func(id string) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 16<<20) // a line may be a delivery as JSON
	for n := 1; lines.Scan(); n++ {
		text := strings.TrimSpace(lines.Text())
		if text == "" {
			continue
		}
		id, _, _ := strings.Cut(text, " ")
		if text[0] == '{' {
			var item struct{ ID string }
			if err := json.Unmarshal([]byte(text), &item); err != nil || item.ID == "" {
				return fmt.Errorf("line %d of stdin is JSON, but no delivery with an \"id\": give one delivery in each line", n)
			}
			id = item.ID
		}
		if len(id) > maxID {
			return fmt.Errorf("line %d of stdin does not begin with the ID of a delivery: give one in each line", n)
		}
		if err := each(id); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("stdin cannot be read: %w", err)
	}
	return nil
}
