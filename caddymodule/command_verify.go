package caddymodule

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/manysends/caddy-webhooks/diagnose"
	"github.com/manysends/caddy-webhooks/receiver"
	"github.com/manysends/caddy-webhooks/webhook"
)

// maxCapturedFile bounds what `caddy webhooks verify` reads, in bytes.
const maxCapturedFile = 16 << 20

// verifyCommand is `caddy webhooks verify`.
func verifyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify <provider> [<file>|-] --secret-file <file>",
		Short: "Says whether a captured request is authentic, and if not, why not",
		Long: strings.TrimSpace(`
Checks the signature of a captured request as webhook_receive does, and says
exactly why it fails: it makes the mistakes that people make, one after the
other, until the signature comes out.

The request is the file, or else what comes in at stdin: headers, a blank line
and the body, as it was on the wire, was pasted, or is shown by curl -v; the
request line may be missing. The body must be byte for byte what was received.
Instead of that, the headers can be given with --header and the body with
--body-file.

With --config the provider, the secrets and the URL are those of a
webhook_receive in a configuration file, and <provider> is left out.`) + exitCodes + `
  3  the request is not authentic`,
		Example: `  $ caddy webhooks verify standard request.txt --secret-env WEBHOOK_SECRET
  $ caddy webhooks verify github --secret-file secret --body-file push.json \
      --header 'X-Hub-Signature-256: sha256=…'
  $ caddy webhooks verify --config Caddyfile --receiver stripe request.txt --ignore-age`,
		Args: cobra.ArbitraryArgs,
		RunE: runsOffline(runVerify),
	}
	addReceiverFlags(cmd)
	f := cmd.Flags()
	f.String("at", "", "The `time` to check the age against, in Unix seconds or as 2006-01-02T15:04:05Z, if not now")
	f.StringArray("header", nil, "A header of the request, as `\"Name: value\"`; may be repeated")
	f.String("body-file", "", "Read the body alone from this `file`, or \"-\" for stdin")
	f.StringP("config", "c", "", "Take the provider and its secrets from this configuration `file`")
	f.StringP("adapter", "a", "", "`Name` of config adapter to apply (if --config is used)")
	f.String("receiver", "", "The `name` of the webhook_receive in --config, if there are several")
	f.Bool("json", false, "Print the explanation as JSON")
	cmd.MarkFlagsMutuallyExclusive("at", "ignore-age")
	return cmd
}

func runVerify(run *offlineRun) error {
	args := run.args
	cfg := receiver.Config{}
	if run.flags.String("config") == "" {
		if len(args) == 0 || args[0] == "" {
			return newMisuse("the provider is missing: write: %s standard request.txt --secret-file <file>, or use --config", run.cmd.CommandPath())
		}
		cfg.Provider, args = args[0], args[1:]
	}
	file := "-"
	switch apart := run.flags.String("body-file") != ""; {
	case len(args) > 1 && run.flags.String("config") != "":
		return newMisuse("the argument %q is too many: --config has the provider already, so give the file with the request alone", args[1])
	case len(args) > 1:
		return newMisuse("the argument %q is too many: give one file with the request", args[1])
	case apart && len(args) == 1:
		return newMisuse("a file with the whole request and --body-file exclude each other: give one of them")
	case apart:
		file = run.flags.String("body-file")
	case len(args) == 1 && args[0] != "":
		file = args[0]
	}
	if file == "-" && secretsFromInput(run.flags) {
		return newMisuse("the secret and the request cannot both come from stdin: give one of them in a file")
	}
	if err := run.configured(&cfg); err != nil {
		return err
	}
	if err := run.receiverConfig(&cfg); err != nil {
		return err
	}
	now := time.Now()
	if text := run.flags.String("at"); text != "" {
		var err error
		if now, err = momentOf("at", text); err != nil {
			return err
		}
	}
	captured, err := run.captured(file, &cfg)
	if err != nil {
		return err
	}
	r, err := captured.HTTP()
	if err != nil {
		return err
	}
	e, err := receiver.Explain(cfg, r.WithContext(run.context()), captured.Body, now)
	if err != nil {
		return misuse{err}
	}
	if run.flags.Bool("json") {
		err = writeJSON(run.out, &e)
	} else {
		verdict := "\nThe request is authentic.\n"
		if !e.Verified {
			verdict = "\nThe request is NOT authentic.\n"
		}
		_, err = io.WriteString(run.out, explanationLines(&e, captured.Body, "")+verdict)
	}
	if err == nil && !e.Verified {
		return errNo
	}
	return err
}

// configured finds the receiver of --config.
func (run *offlineRun) configured(cfg *receiver.Config) error {
	if file := run.flags.String("config"); file != "" {
		found, err := configuredReceiver(file, run.flags.String("adapter"), run.flags.String("receiver"))
		if err != nil {
			return err
		}
		*cfg = found
	} else if run.flags.String("receiver") != "" {
		return newMisuse("--receiver goes with --config: say in which file it is")
	}
	return nil
}

// addReceiverFlags adds the flags that [offlineRun.receiverConfig] reads.
func addReceiverFlags(cmd *cobra.Command) {
	addSecretFlags(cmd)
	f := cmd.Flags()
	f.String("key", "", "The `form` of the secret, if not the provider's way: raw, hex, base64, whsec or sha256")
	f.String("template", "", "Read the template of the provider custom from this `file`, as JSON")
	f.String("url", "", "The `URL` that the provider was told, for those that sign it")
	f.StringArray("parameter", nil, "What the provider needs besides secrets, as `name=value`; may be repeated")
	f.Bool("ignore-age", false, "Do not check the age")
}

// receiverConfig fills in what the flags say of a receiver.
func (run *offlineRun) receiverConfig(cfg *receiver.Config) error {
	secrets, err := readSecrets(run.flags, run.in)
	if err != nil {
		return err
	}
	if len(secrets) > 0 {
		cfg.Secrets = secrets
	}
	if _, keyless := knownProvider(cfg.Provider); len(cfg.Secrets) == 0 && !keyless {
		return newMisuse("there is no secret: give it with --%s or --%s", secretFileFlag, secretEnvFlag)
	}
	if form := run.flags.String("key"); form != "" {
		cfg.Key = form
	}
	if address := run.flags.String("url"); address != "" {
		cfg.URL = address
	}
	template, err := readTemplate(run.flags.String("template"))
	if err != nil {
		return err
	}
	if template != nil {
		cfg.Template = template
	}
	parameters, err := run.flags.GetStringArray("parameter")
	if err != nil {
		return err
	}
	for _, text := range parameters {
		name, value, found := strings.Cut(text, "=")
		if !found || name == "" {
			return newMisuse("--parameter %q is not a name and a value: write it as name=value", text)
		}
		if cfg.Parameters == nil {
			cfg.Parameters = make(map[string]string)
		}
		cfg.Parameters[name] = value
	}
	if run.flags.Bool("ignore-age") {
		cfg.Tolerance = webhook.Duration(-1)
	}
	return nil
}

// knownProvider tells whether a provider is known, and takes no secret.
func knownProvider(name string) (known, keyless bool) {
	for _, p := range receiver.Providers() {
		if p.Name == name {
			return true, p.Keyless
		}
	}
	return false, false
}

// captured reads the request.
func (run *offlineRun) captured(file string, cfg *receiver.Config) (*diagnose.Request, error) {
	apart := run.flags.String("body-file") != ""
	lines, err := run.flags.GetStringArray("header")
	if err != nil {
		return nil, err
	}
	if len(lines) > 0 && !apart {
		return nil, newMisuse("--header goes with --body-file: say which file has the body, or put the headers into the file with the request")
	}
	content, err := readCaptured(file, run.in)
	if err != nil {
		return nil, err
	}
	r := &diagnose.Request{Method: http.MethodPost, Target: "/", Header: make(http.Header), Body: content}
	if !apart {
		if r, err = diagnose.ParseRequest(content); err != nil {
			return nil, err
		}
	}
	for _, line := range lines {
		name, value, found := strings.Cut(line, ":")
		if !found || strings.TrimSpace(name) == "" {
			return nil, newMisuse("--header %q is no header: write it as \"Name: value\"", line)
		}
		name = http.CanonicalHeaderKey(strings.TrimSpace(name))
		r.Header[name] = append(r.Header[name], strings.TrimSpace(value))
	}
	// Where only the address is known, the request was sent to it.
	if u, err := url.Parse(cfg.URL); err == nil && u.Host != "" && r.Target == "/" {
		r.Target = u.RequestURI()
		if r.Host == "" {
			r.Host = u.Host
		}
	} else if cfg.URL == "" && r.Scheme == "https" && r.Host != "" {
		cfg.URL = "https://" + r.Host + r.Target
	}
	return r, nil
}

// readCaptured reads a file, or stdin.
func readCaptured(file string, stdin io.Reader) ([]byte, error) {
	in := stdin
	if file != "-" {
		opened, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer opened.Close()
		in = opened
	}
	content, err := io.ReadAll(io.LimitReader(in, maxCapturedFile+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading the request: %w", err)
	case len(content) > maxCapturedFile:
		return nil, fmt.Errorf("the request has more than %d bytes: cut it down to one request", maxCapturedFile)
	}
	return content, nil
}
