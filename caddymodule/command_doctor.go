package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/manysends/caddy-webhooks/sender"
	"github.com/manysends/caddy-webhooks/webhook"
)

// doctorCommand is `caddy webhooks doctor`.
func doctorCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "doctor <url> [--secret-file <file>] [--type <event type>]",
		Short: "Sends a signed sample to a URL, and explains the outcome",
		Long: strings.TrimSpace(`
Sends one signed sample to a URL, as a delivery would go, and says check by check
what was found on the way to its answer: the URL, the name, the egress rules, the
connection, TLS, the answer, its time and the signature. What failed comes with
what to do about it. It needs no running Caddy and stores nothing.

The egress rules are those of deliveries: addresses that are not public are
refused unless --allow opens them, and so is http:// without --allow-http.`) + exitCodes + `
  3  the sample was not taken`,
		Example: `  $ caddy webhooks doctor https://crm.example.com/hooks --secret-env WEBHOOK_SECRET
  $ caddy webhooks doctor http://localhost:3000/hooks --allow localhost --allow-http \
      --type conversation.created --json`,
		Args: cobra.ArbitraryArgs,
		RunE: runsOffline(runDoctor),
	}
	addSecretFlags(cmd)
	f := cmd.Flags()
	f.String("type", "", "The event `type` of the sample (default the first one of the catalogue)")
	f.String("format", "", "The `layout` of the body: manysends, standard, cloudevents or raw")
	f.StringArray("allow", nil, "Open an address, a range or a host name that deliveries may not go to otherwise, such as `10.1.0.0/16`; may be repeated")
	f.Bool("allow-http", false, "Allow http://, which is not encrypted")
	f.String("proxy", "", "The `URL` of a forward proxy to go through")
	f.Duration("timeout", sender.DefaultTimeout, "How `long` the whole exchange may take")
	f.Bool("json", false, "Print the report as JSON")
	return cmd
}

func runDoctor(run *offlineRun) error {
	if len(run.args) != 1 || run.args[0] == "" {
		return newMisuse("there must be one argument, the URL: write: %s https://crm.example.com/hooks --secret-file <file>", run.cmd.CommandPath())
	}
	secrets, err := readSecrets(run.flags, run.in)
	if err != nil {
		return err
	}
	allow, err := run.flags.GetStringArray("allow")
	if err != nil {
		return err
	}
	timeout := run.flags.Duration("timeout")
	if timeout <= 0 {
		return newMisuse("--timeout is %s: give a time such as 30s", timeout)
	}
	format, err := webhook.ParseFormat(run.flags.String("format"))
	if err != nil {
		return newMisuse("--format: %w", err)
	}
	cfg := sender.Config{
		// Those of the catalogue have samples, and any other will do.
		EventTypes: append(webhook.ManySendsEventTypes(), webhook.EventType{Name: "*"}),
		Egress:     sender.Egress{Allow: allow, AllowHTTP: run.flags.Bool("allow-http"), Proxy: run.flags.String("proxy")},
		Timeout:    webhook.Duration(timeout),
	}
	endpoint := sender.Endpoint{ID: "doctor", URL: run.args[0], Secrets: secrets, Format: format}
	ctx, stop := signal.NotifyContext(run.context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	report, err := sender.Probe(ctx, cfg, endpoint, run.flags.String("type"), sender.Options{})
	switch {
	case errors.Is(err, sender.ErrConfig), errors.Is(err, sender.ErrEndpoint):
		return misuse{err}
	case err != nil:
		return fmt.Errorf("the test was broken off: %w", err)
	}
	sayFlags(report.Checks)
	if run.flags.Bool("json") {
		err = writeJSON(run.out, &report)
	} else {
		_, err = io.WriteString(run.out, reportLines(&report))
	}
	if err == nil && !report.OK {
		return errNo
	}
	return err
}

// sayFlags has the remedies name the flags of the command where those of a sender
// name what its operator configures.
func sayFlags(checks []sender.TestCheck) {
	for i, c := range checks {
		switch {
		case c.OK:
		case c.Name == "url" && strings.Contains(c.Remedy, "allow_http"):
			checks[i].Remedy = "Use https://, or give --allow-http."
		case c.Name == "egress":
			checks[i].Remedy = "Use a public address, or open the host or the address with --allow; deliveries need it in egress."
		}
	}
}

// context is that of the command.
func (run *offlineRun) context() context.Context {
	if ctx := run.cmd.Context(); ctx != nil {
		return ctx
	}
	return context.Background()
}

// momentOf reads the time that a flag gives.
func momentOf(flag, text string) (time.Time, error) {
	at, err := parseMoment(text)
	if err != nil {
		return at, newMisuse("--%s %q is no time: write Unix seconds, or one such as 2006-01-02T15:04:05Z", flag, text)
	}
	return at, nil
}
