package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/manysends/caddy-webhooks/receiver"
)

const (
	// maxListened bounds the body of a request, in bytes.
	maxListened = 16 << 20

	// listenGrace is how long requests under way may take after Ctrl-C.
	listenGrace = 5 * time.Second

	// forwardTimeout is how long the application may take.
	forwardTimeout = 60 * time.Second
)

// listenCommand is `caddy webhooks listen`.
func listenCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "listen [--provider <provider>] [--secret-file <file>] [--forward <url>]",
		Short: "Receives webhooks on this machine, and shows and explains each",
		Long: strings.TrimSpace(`
Listens for webhooks, checks each as webhook_receive does, and shows it: its
headers, its body, whether it is authentic, and if not, why not and what to do.
Without a secret nothing is checked. It ends with Ctrl-C.

An authentic request is answered with --status, any other with what
webhook_receive answers, such as 401; a duplicate of one that was taken with 200.
With --forward an authentic request is passed on, and the answer to it is what is
answered. --fail and --delay try how a sender retries.`) + exitCodes,
		Example: `  $ caddy webhooks listen --secret-env WEBHOOK_SECRET
  $ caddy webhooks listen --provider github --secret-file secret --forward http://localhost:3000/github
  $ caddy webhooks listen --secret-file secret --fail 3 --delay 2s --json`,
		Args: cobra.ArbitraryArgs,
		RunE: runsOffline(runListen),
	}
	addReceiverFlags(cmd)
	f := cmd.Flags()
	f.String("provider", "standard", "Whose `rules` of signing apply")
	f.StringP("listen", "l", "localhost:8082", "The `address` to listen at")
	f.Int("status", http.StatusOK, "The `status` to answer with")
	f.Duration("delay", 0, "How `long` to wait before each answer")
	f.Int("fail", 0, "Answer the first `n` authentic requests with 500")
	f.String("forward", "", "Pass authentic requests on to this `URL`")
	f.Bool("json", false, "Print each request as one line of JSON")
	cmd.MarkFlagsMutuallyExclusive("forward", "status")
	return cmd
}

// listener receives webhooks and shows them.
type listener struct {
	cfg      receiver.Config
	receiver *receiver.Receiver // nil: nothing is checked
	status   int
	delay    time.Duration
	forward  *url.URL
	client   *http.Client
	now      func() time.Time

	mu   sync.Mutex // guards what follows
	fail int
	out  listenOutput
}

func runListen(run *offlineRun) error {
	if len(run.args) > 0 {
		return newMisuse("the argument %q is too many: the provider is given with --provider", run.args[0])
	}
	l, err := run.listener()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(run.context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var config net.ListenConfig
	socket, err := config.Listen(ctx, "tcp", run.flags.String("listen"))
	if err != nil {
		return unusableAddress(run.flags.String("listen"), err)
	}
	if _, err := io.WriteString(run.notes, l.greeting(run, socket.Addr())); err != nil {
		return err
	}
	server := &http.Server{
		Handler:           l,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       time.Minute,
		ErrorLog:          slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(socket) }()
	select {
	case err := <-ended:
		return fmt.Errorf("the listener ended: %w", err)
	case <-ctx.Done():
	}
	stop() // a second Ctrl-C ends it at once
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), listenGrace)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		_ = server.Close()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	_, err = fmt.Fprintf(run.notes, "\nStopped after %s.\n", plural(l.out.shown, "request"))
	return err
}

// unusableAddress says what is wrong with an address to listen at.
func unusableAddress(address string, err error) error {
	reason, remedy := err, "give another one with --listen, such as localhost:8083"
	if op, ok := errors.AsType[*net.OpError](err); ok {
		reason = op.Err
	}
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("%s is in use by another program: stop that, or %s", address, remedy)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("%s is no address of this machine: %s", address, remedy)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("%s may not be listened at by this user: %s", address, remedy)
	}
	return newMisuse("%s cannot be listened at (%w): %s", address, reason, remedy)
}

// listener makes the listener that the flags describe.
func (run *offlineRun) listener() (*listener, error) {
	l := &listener{
		cfg:    receiver.Config{Provider: run.flags.String("provider"), MaxSize: maxListened},
		status: run.flags.Int("status"),
		delay:  run.flags.Duration("delay"),
		fail:   run.flags.Int("fail"),
		now:    time.Now,
		out:    listenOutput{w: run.out, json: run.flags.Bool("json"), terminal: isTerminal(run.out)},
	}
	switch {
	case l.status < 200 || l.status > 599:
		return nil, newMisuse("--status is %d: give a status from 200 to 599", l.status)
	case l.delay < 0:
		return nil, newMisuse("--delay is %s: give a time such as 2s", l.delay)
	case l.fail < 0:
		return nil, newMisuse("--fail is %d: give a number of requests, such as 3", l.fail)
	}
	if target := run.flags.String("forward"); target != "" {
		u, err := url.Parse(target)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, newMisuse("--forward %q is not a whole URL: write one such as http://localhost:3000/hooks", target)
		}
		l.forward = u
		l.client = &http.Client{
			Timeout:       forwardTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	}
	given, err := run.hasSecrets()
	if err != nil {
		return nil, err
	}
	if known, keyless := knownProvider(l.cfg.Provider); !given && !keyless {
		if !known {
			return nil, newMisuse("--provider %q is unknown: use one that webhook_receive knows, such as standard or github", l.cfg.Provider)
		}
		return l, nil
	}
	if err := run.receiverConfig(&l.cfg); err != nil {
		return nil, err
	}
	l.receiver, err = receiver.New(l.cfg, receiver.Options{Observe: observeListened})
	if err != nil {
		return nil, misuse{err}
	}
	return l, nil
}

// hasSecrets tells whether the flags name secrets.
func (run *offlineRun) hasSecrets() (bool, error) {
	for _, name := range []string{secretFileFlag, secretEnvFlag} {
		values, err := run.flags.GetStringArray(name)
		if err != nil || len(values) > 0 {
			return true, err
		}
	}
	return false, nil
}

// greeting says where the listener is, and how events get there.
func (l *listener) greeting(run *offlineRun, at net.Addr) string {
	host, _, _ := net.SplitHostPort(run.flags.String("listen"))
	if host == "" || host == "0.0.0.0" || host == "::" {
		host = "localhost"
	}
	_, port, _ := net.SplitHostPort(at.String())
	address := "http://" + net.JoinHostPort(host, port) + "/"
	var b strings.Builder
	fmt.Fprintf(&b, "Listening at %s (Ctrl-C ends it).\n", address)
	if l.receiver == nil {
		fmt.Fprintf(&b, "Nothing is verified, because there is no secret: give it with --%s or --%s.\n", secretFileFlag, secretEnvFlag)
	} else {
		fmt.Fprintf(&b, "Requests are verified as %s signs them, with %s.\n", l.cfg.Provider, plural(len(l.cfg.Secrets), "secret"))
	}
	fmt.Fprintf(&b, `To have webhooks of a Caddy on this machine sent here, put into its Caddyfile:

	{
		webhooks {
			egress {
				allow %s
				allow_http
			}
			endpoint listen %s {
				secret %s
			}
		}
	}

`, host, address, run.secretPlaceholder())
	return b.String()
}

// secretPlaceholder is what a Caddyfile has for the first secret.
func (run *offlineRun) secretPlaceholder() string {
	if files, _ := run.flags.GetStringArray(secretFileFlag); len(files) > 0 && files[0] != secretFromInput {
		path, err := filepath.Abs(files[0])
		if err != nil {
			path = files[0]
		}
		return "{file." + oneLine(path) + "}"
	}
	if names, _ := run.flags.GetStringArray(secretEnvFlag); len(names) > 0 {
		return "{env." + oneLine(names[0]) + "}"
	}
	return "{env.WEBHOOK_SECRET}"
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}

// answerFails takes one of the failures that were asked for.
func (l *listener) answerFails() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail == 0 {
		return false
	}
	l.fail--
	return true
}

// wait waits as long as answers are delayed, unless the sender leaves.
func (l *listener) wait(r *http.Request) error {
	if l.delay == 0 {
		return nil
	}
	timer := time.NewTimer(l.delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-r.Context().Done():
		return errors.New("the sender did not wait for the answer")
	}
}
