package command

import (
	"errors"
	"fmt"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

// exit is an end with a code, when everything has been said.
type exit int

func (e exit) Error() string { return fmt.Sprintf("exiting with status %d", int(e)) }

// misuse is an error in the flags or the arguments.
type misuse struct{ error }

func (e misuse) Unwrap() error { return e.error }

func newMisuse(format string, args ...any) error {
	return misuse{fmt.Errorf(format, args...)}
}

// end says an error on stderr, as one sentence, and makes the error that Caddy
// exits with the right code for.
func end(cmd *cobra.Command, err error) error {
	if err == nil {
		return nil
	}
	cmd.SilenceErrors = true // they are said here
	code := exitFailed
	if known, ok := errors.AsType[exit](err); ok {
		code = int(known)
	} else {
		cmd.PrintErrln("Error: " + printable(err.Error()))
	}
	if _, ok := errors.AsType[misuse](err); ok {
		cmd.PrintErrf("See: %s --help\n", cmd.CommandPath())
		code = exitMisuse
	}
	if code == exitFailed {
		return err
	}
	// Caddy exits with a code of its own for an error of its own type only,
	// which nothing else makes.
	return caddycmd.WrapCommandFuncForCobra(func(caddycmd.Flags) (int, error) { return code, nil })(cmd, nil)
}
