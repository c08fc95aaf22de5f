package caddymodule

import (
	"errors"
	"fmt"
	"io"
	"strings"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"

	"github.com/manysends/caddy-webhooks/caddymodule/command"
)

// What the commands that need no running Caddy exit with, beside 0 and 1.
const (
	exitMisuse = 2 // the flags or arguments are wrong
	exitNo     = 3 // it was done, and the answer is no
)

// exitCodes is the end of a long help.
const exitCodes = `

Exit codes:
  0  it was done
  1  it could not be done
  2  the flags or arguments are wrong`

// misuse is an error in the flags or the arguments.
type misuse struct{ error }

func (e misuse) Unwrap() error { return e.error }

func newMisuse(format string, args ...any) error { return misuse{fmt.Errorf(format, args...)} }

// errNo ends a command whose answer is no, when everything has been said.
var errNo = errors.New("the answer is no")

// offlineRun is one run of a command that needs no running Caddy.
type offlineRun struct {
	cmd   *cobra.Command
	args  []string
	flags caddycmd.Flags
	in    io.Reader
	out   io.Writer
	notes io.Writer // for what is not the result
}

// runsOffline makes the function that a command runs. Errors are said on stderr,
// as one sentence.
func runsOffline(f func(*offlineRun) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		cmd.SilenceErrors = true // they are said here
		var err error
		if name := command.EmptyFlag(cmd.Flags()); name != "" {
			err = newMisuse("--%s has an empty value: give one, or leave the flag out", name)
		} else {
			err = f(&offlineRun{cmd, args, caddycmd.Flags{FlagSet: cmd.Flags()}, cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr()})
		}
		code := exitNo
		switch _, wrong := errors.AsType[misuse](err); {
		case err == nil:
			return nil
		case errors.Is(err, errNo):
		case wrong:
			code = exitMisuse
			cmd.PrintErrf("Error: %s\nSee: %s --help\n", visible(err.Error()), cmd.CommandPath())
		default:
			cmd.PrintErrln("Error: " + visible(err.Error()))
			return err
		}
		// Caddy exits with other codes than 1 for errors of its own type only,
		// which nothing else makes.
		return caddycmd.WrapCommandFuncForCobra(func(caddycmd.Flags) (int, error) { return code, nil })(cmd, nil)
	}
}

// refuseFlagGroups refuses flags that exclude each other as what they are, a
// misuse: cobra would do so later, as any failure.
func refuseFlagGroups(run *offlineRun) error {
	if err := run.cmd.ValidateFlagGroups(); err != nil {
		return misuse{err}
	}
	return nil
}

// visible makes a text that comes from elsewhere fit for a terminal: what would
// drive it is escaped, but for line breaks and tabs.
func visible(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		parts := strings.Split(line, "\t")
		for j, part := range parts {
			parts[j] = command.Printable(part)
		}
		lines[i] = strings.Join(parts, "\t")
	}
	return strings.Join(lines, "\n")
}
