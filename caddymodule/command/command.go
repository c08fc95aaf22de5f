package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

// What the commands exit with, beside 0.
const (
	exitFailed      = 1   // it could not be done
	exitMisuse      = 2   // the flags or arguments are wrong
	exitNo          = 3   // it was done, and the answer is no
	exitInterrupted = 130 // as shells say it
)

// help is the long help of a command: what it does, and what it exits with
// beside the usual.
func help(does string, more ...string) string {
	lines := append([]string{
		strings.TrimSpace(does) + "\n\nExit codes:",
		"0  it was done",
		"1  it could not be done",
		"2  the flags or arguments are wrong",
	}, more...)
	return strings.Join(lines, "\n  ")
}

// groupID is how cobra knows these commands together.
const groupID = "online"

// AddTo adds the commands to `caddy webhooks`, with the flags that say where
// the admin API is.
func AddTo(parent *cobra.Command) {
	set := &commands{
		now:      time.Now,
		zone:     time.Local,
		terminal: terminalOf,
		pause:    pause,
		silence:  3 * keepAlive,
	}
	set.addTo(parent)
}

// commands makes the commands. Tests put their own parts in.
type commands struct {
	now      func() time.Time
	zone     *time.Location
	terminal func(stream any) (width int, ok bool)
	pause    func(context.Context, time.Duration) error

	// silence is after how long a stream that says nothing is given up.
	silence time.Duration
}

func (set *commands) addTo(parent *cobra.Command) {
	parent.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		// A command that there is none of has no flags either, and is the mistake.
		if before := cmd.Flags().Args(); cmd == parent && len(before) > 0 {
			return group(cmd, before)
		}
		return end(cmd, newMisuse("%w", err))
	})
	parent.Args = cobra.ArbitraryArgs
	parent.RunE = group
	parent.AddGroup(&cobra.Group{ID: groupID, Title: "Commands that ask a running Caddy:"})
	for _, cmd := range []*cobra.Command{
		set.status(),
		set.endpoints(),
		set.deliveries(),
		set.show(),
		set.retry(),
		set.replay(),
		set.tail(),
		set.test(),
		set.forget(),
		set.backup(),
	} {
		cmd.GroupID = groupID
		addAdminFlags(cmd)
		refuseFlagGroups(cmd)
		parent.AddCommand(cmd)
	}
}

// refuseFlagGroups has a command and its children refuse flags that exclude each
// other as what they are, a misuse: cobra would do so later, as any failure.
func refuseFlagGroups(cmd *cobra.Command) {
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error {
		if err := cmd.ValidateFlagGroups(); err != nil {
			return end(cmd, newMisuse("%w", err))
		}
		return nil
	}
	for _, child := range cmd.Commands() {
		refuseFlagGroups(child)
	}
}

// addAdminFlags adds the flags that say where the admin API is. The parent does
// not have them: some of its children ask no running Caddy.
func addAdminFlags(cmd *cobra.Command) {
	f := cmd.PersistentFlags()
	f.String("address", "", "The `interface` of the admin API, if not the default")
	f.StringP("config", "c", "", "Configuration `file` to find the admin API by (if --address is not used)")
	f.StringP("adapter", "a", "", "`Name` of config adapter to apply (if --config is used)")
}

// needs are the arguments of a command: just these.
func needs(names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return newMisuse("the %s is missing: write: %s", names[len(args)], cmd.UseLine())
		case len(args) > len(names):
			return newMisuse("the argument %q is too many: write: %s", args[len(names)], cmd.UseLine())
		}
		for i, arg := range args {
			if arg == "" {
				return newMisuse("the %s is empty: write: %s", names[i], cmd.UseLine())
			}
		}
		return nil
	}
}

// group is what a command does that has its children alone.
func group(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	hint := ""
	cmd.SuggestionsMinimumDistance = 2 // as cobra has it
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		hint = fmt.Sprintf(": did you mean %q?", near[0])
	}
	return end(cmd, newMisuse("there is no command %q%s", args[0], hint))
}

// call is one run of a command.
type call struct {
	*commands
	cmd    *cobra.Command
	args   []string
	flags  caddycmd.Flags
	in     io.Reader
	out    *screen
	notes  *screen // what is not the result goes to stderr
	client *client
}

// does makes the function that a command runs: it gets its arguments checked,
// and its context ends when the user interrupts.
func (set *commands) does(args cobra.PositionalArgs, f func(context.Context, *call) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, given []string) error {
		if err := args(cmd, given); err != nil {
			return end(cmd, newMisuse("%w", err))
		}
		// Without a tenant is what is meant by an empty one; and Caddy's own commands
		// take the others for not given.
		if name := EmptyFlag(cmd.Flags(), "tenant", "address", "config", "adapter"); name != "" {
			return end(cmd, newMisuse("--%s has an empty value: give one, or leave the flag out", name))
		}
		base := cmd.Context()
		if base == nil {
			base = context.Background()
		}
		ctx, stop := signal.NotifyContext(base, os.Interrupt, syscall.SIGTERM)
		defer stop()
		context.AfterFunc(ctx, stop) // a second Ctrl-C ends it at once
		c := &call{
			commands: set,
			cmd:      cmd,
			args:     given,
			flags:    caddycmd.Flags{FlagSet: cmd.Flags()},
			in:       cmd.InOrStdin(),
			out:      set.screen(cmd.OutOrStdout()),
			notes:    set.screen(cmd.ErrOrStderr()),
		}
		address, err := c.adminAddress()
		if err != nil {
			return end(cmd, fmt.Errorf("the address of the admin API cannot be told: %w", err))
		}
		if c.client, err = newClient(address); err != nil {
			return end(cmd, err)
		}
		err = c.blamed(f(ctx, c))
		if err == nil {
			err = c.out.err
		}
		if ctx.Err() != nil && errors.Is(err, context.Canceled) {
			err = exit(exitInterrupted)
		}
		return end(cmd, err)
	}
}

// adminAddress is where the admin API is that a command asks.
func (c *call) adminAddress() (string, error) {
	address, file, adapter := c.flags.String("address"), c.flags.String("config"), c.flags.String("adapter")
	if address != "" || file == "" {
		return caddycmd.DetermineAdminAPIAddress(address, nil, "", "")
	}
	return configuredAdmin(file, adapter)
}

// otherwise are the flags whose values the API knows by other names than theirs.
var otherwise = map[string]string{"endpoints": "endpoint", "statuses": "status", "types": "type", "from": "since", "to": "until"}

// blamed makes a misuse of a refusal for what a flag has said, and names the flag.
func (c *call) blamed(err error) error {
	refused, ok := errors.AsType[*refusal](err)
	if !ok || refused.status != http.StatusUnprocessableEntity {
		return err
	}
	field, what, _ := strings.Cut(refused.sentence, ": ")
	name := field
	if flag, ok := otherwise[field]; ok {
		name = flag
	}
	if field != refused.field || !c.cmd.Flags().Changed(name) {
		return err
	}
	return newMisuse("--%s: %s", name, what)
}

// pause waits for a while, or until the context ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
