package command

import (
	"context"
	"net/http"

	"github.com/spf13/cobra"
)

// test is `caddy webhooks test`.
func (set *commands) test() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "test <endpoint> [--type <event type>]",
		Short: "Sends a signed sample to an endpoint, and explains the outcome",
		Long: help(`
Sends a signed sample to an endpoint now, once, and says check by check what was
found on the way to its answer: the address, the name, the connection, TLS, the
answer and its time. What failed comes with what to do about it.`,
			"3  the test was made, and the endpoint would not have taken an event"),
		Example: `  $ caddy webhooks test crm
  $ caddy webhooks test ep_0192f0c1a2b37c4d8e5f60718293a4b5 --type conversation.created --verbose`,
		RunE: set.does(needs("endpoint"), testEndpoint),
	}
	cmd.Flags().String("type", "", "The event `type` of the sample (default the first one that the endpoint subscribes to)")
	cmd.Flags().BoolP("verbose", "v", false, "Show the request and the answer as well")
	jsonFlag(cmd, "Print the report as JSON")
	return cmd
}

func testEndpoint(ctx context.Context, c *call) error {
	options := make(map[string]string)
	if c.cmd.Flags().Changed("type") {
		options["type"] = c.flags.String("type")
	}
	var report testReport
	answer, err := c.client.ask(ctx, request{
		method: http.MethodPost,
		path:   "endpoints/" + segment(c.args[0]) + "/test",
		body:   options,
		slow:   true, // as long as the endpoint's timeout
	}, &report)
	if err != nil {
		return err
	}
	if c.flags.Bool("json") {
		err = c.out.json(answer)
	} else {
		c.report(&report)
	}
	if err == nil && c.out.err == nil && !report.OK {
		return exit(exitNo)
	}
	return err
}

// report shows what a test has shown.
func (c *call) report(r *testReport) {
	t := &table{columns: []column{{}, {}, {}}, headless: true}
	rows := make([][]cell, 0, 2*len(r.Checks))
	for _, check := range r.Checks {
		verdict := state("ok")
		if !check.OK {
			verdict = state("failed")
		}
		rows = append(rows, []cell{verdict, {text: check.Name}, {text: check.Detail}})
		if check.Remedy != "" {
			rows = append(rows, []cell{{}, {}, {text: "-> " + check.Remedy, colour: bold}})
		}
	}
	t.rows(c.out, rows...)
	c.out.write("\n")
	if !r.OK || c.flags.Bool("verbose") {
		c.exchange(r)
	}
	verdict := c.out.paint("ok", green)
	if !r.OK {
		verdict = c.out.paint("failed", red)
	}
	c.out.write(verdict + ": " + printable(r.Summary) + "\n")
}

// exchange shows what was sent and what was answered.
func (c *call) exchange(r *testReport) {
	if c.flags.Bool("verbose") {
		c.out.write(c.out.paint("Request", bold) + "\n")
		c.out.write(printableLines(r.Request.Method+" "+r.Request.URL, "  "))
		c.headers(r.Request.Headers)
		c.out.write("\n" + printableLines(r.Request.Body, "  ") + "\n")
	}
	if r.Attempt.StatusCode > 0 {
		c.answer(&r.Attempt)
		c.out.write("\n")
	}
}
