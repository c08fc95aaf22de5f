package caddymodule

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/manysends/caddy-webhooks/caddymodule/command"
	"github.com/manysends/caddy-webhooks/receiver"
	"github.com/manysends/caddy-webhooks/signer"
)

// maxSignedBody bounds the body that `caddy webhooks sign` reads, in bytes.
const maxSignedBody = 256 << 20

// signCommand is `caddy webhooks sign`.
func signCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "sign <provider> --secret-file <file>",
		Short: "Signs a request as a provider of webhooks does",
		Long: strings.TrimSpace(`
Signs a body as a provider of webhooks does, and prints the headers. The body is
the file of --data-file, or else what comes in at stdin. Providers are those of
webhook_sign; for custom, --template is a file with the template as JSON.

With --request it prints a whole request, with --curl a command that sends it,
and with --send it sends it and prints the answer. Of providers that send the
secret itself, such as gitlab_token, the secret is in what is printed.`) + exitCodes + `
  3  it was sent, and the answer was not 2xx`,
		Example: `  $ echo -n '{"type":"a.b"}' | caddy webhooks sign standard --secret-env WEBHOOK_SECRET
  $ caddy webhooks sign github --secret-file secret --data-file push.json \
      --header 'X-GitHub-Event: push' --send http://localhost:8080/github
  $ caddy webhooks sign stripe --secret-file secret --data-file event.json \
      --timestamp 2024-03-05T10:30:00Z --curl --url http://localhost:8080/stripe`,
		Args: cobra.ArbitraryArgs,
		RunE: runsOffline(runSign),
	}
	addSecretFlags(cmd)
	f := cmd.Flags()
	f.String("key", "", "The `form` of the secret, if not the provider's way: raw, hex, base64, whsec or sha256")
	f.String("template", "", "Read the template of the provider custom from this `file`, as JSON")
	f.String("id", "", "The event `ID`, where the provider has one in a header; a new one if not given")
	f.String("timestamp", "", "The `time` of signing, in Unix seconds or as 2006-01-02T15:04:05Z, if not now")
	f.String("url", "", "The `URL` that it is sent to, for --request and --curl, and where the provider signs it")
	f.String("method", http.MethodPost, "The `method` of the request")
	f.StringArray("header", nil, "A further header, as `\"Name: value\"`; may be repeated")
	f.String("data-file", "-", "Read the body from this `file`, or \"-\" for stdin")
	f.Bool("request", false, "Print the whole request")
	f.Bool("curl", false, "Print a curl command, which reads the body from --data-file")
	f.String("send", "", "Send it to this `URL`")
	f.Duration("timeout", 30*time.Second, "How `long` --send waits for the answer")
	f.Bool("json", false, "Print the headers, or with --send the answer, as JSON")
	return cmd
}

func runSign(run *offlineRun) error {
	if len(run.args) != 1 || run.args[0] == "" {
		return newMisuse("there must be one argument, the provider: write: %s standard --secret-file <file>", run.cmd.CommandPath())
	}
	var ways []string
	for _, name := range []string{"request", "curl", "send"} {
		if run.flags.Changed(name) {
			ways = append(ways, name)
		}
	}
	if len(ways) > 1 {
		return newMisuse("--%s and --%s cannot be done at once: leave one out", ways[0], ways[1])
	}
	if run.flags.Bool("json") && len(ways) == 1 && ways[0] != "send" {
		return newMisuse("--json does not go with --%s: leave one out", ways[0])
	}
	file := run.flags.String("data-file")
	if run.flags.Bool("curl") && file == "-" {
		return newMisuse("--curl needs --data-file: curl reads the body from there")
	}
	if file == "-" && secretsFromInput(run.flags) {
		return newMisuse("the secret and the body cannot both come from stdin: give one of them in a file")
	}
	secrets, err := readSecrets(run.flags, run.in)
	switch {
	case err != nil:
		return err
	case len(secrets) == 0:
		return newMisuse("there is no secret: give it with --%s or --%s", secretFileFlag, secretEnvFlag)
	}
	r, err := run.unsigned()
	if err != nil {
		return err
	}
	body, err := run.body(file)
	if err != nil {
		return err
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	if err := run.sign(r, secrets); err != nil {
		return err
	}
	switch {
	case run.flags.Bool("curl"):
		_, err = fmt.Fprintln(run.out, curlCommand(r, file))
	case run.flags.String("send") != "":
		return run.send(r)
	case run.flags.Bool("request"):
		_, err = io.WriteString(run.out, requestHead(r)+string(body))
	case run.flags.Bool("json"):
		err = writeJSON(run.out, map[string]any{"method": r.Method, "url": r.URL.String(), "headers": flat(r.Header)})
	default:
		_, err = io.WriteString(run.out, headerLines(r.Header, "\n"))
	}
	return err
}

// unsigned is the request without its body.
func (run *offlineRun) unsigned() (*http.Request, error) {
	target := run.flags.String("send")
	if target == "" {
		target = run.flags.String("url")
	}
	if target == "" {
		if run.flags.Bool("curl") {
			return nil, newMisuse("--curl needs --url: say where the request goes")
		}
		target = "http://localhost/"
	}
	u, err := url.Parse(target)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, newMisuse("the URL %q is not a whole one: write one such as http://localhost:8080/hooks", target)
	}
	r, err := http.NewRequestWithContext(run.cmd.Context(), run.flags.String("method"), target, http.NoBody)
	if err != nil {
		return nil, newMisuse("--method: %w", err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "caddy-webhooks")
	headers, err := run.flags.GetStringArray("header")
	if err != nil {
		return nil, err
	}
	given := make(http.Header)
	for _, line := range headers {
		name, value, found := strings.Cut(line, ":")
		if !found || name == "" || strings.ContainsAny(name, " \t\r\n") || strings.ContainsAny(value, "\r\n") {
			return nil, newMisuse("--header %q is no header: write it as \"Name: value\", on one line", line)
		}
		given.Add(name, strings.TrimSpace(value))
	}
	for name, values := range given {
		if name == "Host" {
			r.Host = values[0]
			continue
		}
		r.Header[name] = values
	}
	return r, nil
}

func (run *offlineRun) body(file string) ([]byte, error) {
	in := run.in
	if file != "-" {
		opened, err := os.Open(file)
		if err != nil {
			return nil, fmt.Errorf("--data-file: %w", err)
		}
		defer opened.Close()
		in = opened
	}
	body, err := io.ReadAll(io.LimitReader(in, maxSignedBody+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading the body: %w", err)
	case len(body) > maxSignedBody:
		return nil, fmt.Errorf("the body has more than %d bytes, which no receiver takes: give a smaller one", maxSignedBody)
	}
	return body, nil
}

// sign signs the request as the flags say.
func (run *offlineRun) sign(r *http.Request, secrets []string) error {
	cfg := signer.Config{
		Provider: run.args[0],
		Secrets:  secrets,
		Key:      run.flags.String("key"),
		ID:       run.flags.String("id"),
		MaxSize:  maxSignedBody,
	}
	var err error
	if cfg.Template, err = readTemplate(run.flags.String("template")); err != nil {
		return err
	}
	rules, err := receiver.Config{Provider: cfg.Provider, Template: cfg.Template, Key: cfg.Key}.Signing()
	if err == nil && rules.WithURL {
		if cfg.URL = run.flags.String("url"); cfg.URL == "" {
			cfg.URL = run.flags.String("send")
		}
	}
	var o signer.Options
	if text := run.flags.String("timestamp"); text != "" {
		at, err := parseMoment(text)
		if err != nil {
			return err
		}
		o.Now = func() time.Time { return at }
	}
	s, err := signer.New(cfg, o)
	if err != nil {
		return misuse{err}
	}
	return s.Sign(r)
}

// readTemplate reads a file with a template as JSON.
func readTemplate(file string) (*receiver.Template, error) {
	if file == "" {
		return nil, nil
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("--template: %w", err)
	}
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	t := new(receiver.Template)
	if err := decoder.Decode(t); err != nil {
		return nil, fmt.Errorf("--template %s: it is not the JSON of a template: %w", file, err)
	}
	return t, nil
}

// parseMoment reads Unix seconds or RFC 3339.
func parseMoment(text string) (time.Time, error) {
	if seconds, err := strconv.ParseInt(text, 10, 64); err == nil {
		return time.Unix(seconds, 0), nil
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}, newMisuse("--timestamp %q is no time: write Unix seconds, or one such as 2006-01-02T15:04:05Z", text)
	}
	return at, nil
}

// send sends the request and prints the answer.
func (run *offlineRun) send(r *http.Request) error {
	client := &http.Client{
		Timeout:       run.flags.Duration("timeout"),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(r)
	if err != nil {
		return fmt.Errorf("it could not be sent: %w", err)
	}
	defer resp.Body.Close()
	const shown = 64 << 10
	answer, err := io.ReadAll(io.LimitReader(resp.Body, shown))
	if err != nil {
		return fmt.Errorf("the answer could not be read: %w", err)
	}
	if run.flags.Bool("json") {
		err = writeJSON(run.out, map[string]any{"status": resp.StatusCode, "headers": flat(resp.Header), "body": string(answer)})
	} else {
		text := oneLine(resp.Status) + "\n"
		if len(answer) > 0 {
			text += visible(strings.TrimSuffix(string(answer), "\n")) + "\n"
		}
		_, err = io.WriteString(run.out, text)
	}
	if err == nil && resp.StatusCode/100 != 2 {
		return errNo
	}
	return err
}

// flat has one value for each header.
func flat(h http.Header) map[string]string {
	out := make(map[string]string, len(h))
	for name, values := range h {
		out[name] = strings.Join(values, ", ")
	}
	return out
}

// writeJSON writes a value over several lines.
func writeJSON(w io.Writer, value any) error {
	text, err := command.JSON(value, true)
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, text)
	return err
}

// headerLines are the headers, by name, each with an end behind it.
func headerLines(h http.Header, end string) string {
	var b strings.Builder
	for _, name := range sortedNames(h) {
		for _, value := range h[name] {
			b.WriteString(name + ": " + value + end)
		}
	}
	return b.String()
}

func sortedNames(h http.Header) []string {
	names := make([]string, 0, len(h))
	for name := range h {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// requestHead is a request in HTTP/1.1 up to its body.
func requestHead(r *http.Request) string {
	return r.Method + " " + r.URL.RequestURI() + " HTTP/1.1\r\nHost: " + r.Host + "\r\n" +
		headerLines(r.Header, "\r\n") + "Content-Length: " + strconv.FormatInt(r.ContentLength, 10) + "\r\n\r\n"
}

// curlCommand sends the request, with the body from a file.
func curlCommand(r *http.Request, file string) string {
	var b strings.Builder
	b.WriteString("curl --globoff --request " + quoted(r.Method))
	if r.Host != r.URL.Host {
		b.WriteString(" --header " + quoted("Host: "+r.Host))
	}
	for _, name := range sortedNames(r.Header) {
		for _, value := range r.Header[name] {
			b.WriteString(" \\\n  --header " + quoted(name+": "+value))
		}
	}
	b.WriteString(" \\\n  --data-binary " + quoted("@"+file) + " \\\n  " + quoted(r.URL.String()))
	return b.String()
}

// quoted quotes a word for a POSIX shell.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
