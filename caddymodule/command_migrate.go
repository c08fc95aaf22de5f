package caddymodule

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/dustin/go-humanize"
	"github.com/spf13/cobra"

	"github.com/manysends/caddy-webhooks/sender"
)

// CopySourceModule is what a module in the namespace `webhooks.stores` is as
// well when its stores can be copied into others.
type CopySourceModule interface {
	// OpenSource opens the store at a location: what follows the module's name
	// and a colon in `caddy webhooks migrate --from`, or the whole of a URL.
	OpenSource(ctx context.Context, location string) (sender.CopySource, error)
}

// CopyTargetModule is what a module in the namespace `webhooks.stores` is as
// well when others can be copied into its stores.
type CopyTargetModule interface {
	// OpenTarget opens the store at a location, as
	// [CopySourceModule.OpenSource] does. Errors hold no password.
	OpenTarget(ctx context.Context, location string) (sender.CopyTarget, error)
}

// progressEvery is how often migrate says how far it is.
const progressEvery = time.Second

// migrateCommand is `caddy webhooks migrate`.
func migrateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "migrate --to <store> [--from <store>]",
		Short: "Copies the store into an empty one of another kind",
		Long: strings.TrimSpace(`
Copies all that is in a store into an empty one of another kind: the endpoints
made at run time, events, deliveries as they stand, attempts and what was
counted. Stop Caddy before; the store that is copied stays as it is.

A store is written as in --from sqlite:/var/lib/caddy/webhooks.db and
--to postgres://caddy@db.internal/webhooks, or as a placeholder such as
{env.DATABASE_URL}, which keeps its password out of the list of processes.

It may be broken off at any moment, and goes on from there when it is called
again. At the end it counts both stores; only then can the new one be used.`) + exitCodes + `
  3  the copy differs from the store: it cannot be used`,
		Example: `  $ caddy webhooks migrate --to {env.DATABASE_URL}
  $ caddy webhooks migrate --from sqlite:/var/lib/caddy/webhooks.db --to postgres://caddy@db.internal/webhooks`,
		Args: cobra.ArbitraryArgs,
		RunE: runsOffline(runMigrate),
	}
	f := cmd.Flags()
	f.String("from", "", "The `store` to copy (default the SQLite file of this Caddy)")
	f.String("to", "", "The `store` to copy into")
	return cmd
}

func runMigrate(run *offlineRun) error {
	if len(run.args) > 0 {
		return newMisuse("there is an argument, %q, where none is expected: write: %s --to <store>", run.args[0], run.cmd.CommandPath())
	}
	ctx, stop := signal.NotifyContext(run.context(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	from, to, err := openStores(ctx, run.flags.String("from"), run.flags.String("to"))
	if err != nil {
		return err
	}
	defer func() { _, _ = from.Close(), to.Close() }()
	original, copied, err := sender.CopyStore(ctx, from, to, tellProgress(run.notes))
	switch {
	case errors.Is(err, sender.ErrMiscounted):
		fmt.Fprintln(run.notes, "Error: "+visible(err.Error()))
		return errors.Join(printInventories(run.out, original, copied), errNo)
	case ctx.Err() != nil:
		return errors.New("the copy was broken off: call the command again to go on")
	case err != nil:
		return err
	}
	return printInventories(run.out, original, copied)
}

// openStores opens the store that is copied, and the one it is copied into.
func openStores(ctx context.Context, fromText, toText string) (sender.CopySource, sender.CopyTarget, error) {
	if toText == "" {
		return nil, nil, newMisuse("--to is missing: write: --to {env.DATABASE_URL}")
	}
	fromModule, fromLocation, err := storeModule("from", cmp.Or(fromText, "sqlite:"+defaultStorePath()))
	if err != nil {
		return nil, nil, err
	}
	toModule, toLocation, err := storeModule("to", toText)
	if err != nil {
		return nil, nil, err
	}
	source, can := fromModule.(CopySourceModule)
	if !can {
		return nil, nil, newMisuse("--from: stores of the kind %s cannot be copied", fromModule.CaddyModule().ID.Name())
	}
	target, can := toModule.(CopyTargetModule)
	if !can {
		return nil, nil, newMisuse("--to: nothing can be copied into stores of the kind %s", toModule.CaddyModule().ID.Name())
	}
	from, err := source.OpenSource(ctx, fromLocation)
	if err != nil {
		return nil, nil, err
	}
	to, err := target.OpenTarget(ctx, toLocation)
	if err != nil {
		return nil, nil, errors.Join(err, from.Close())
	}
	return from, to, nil
}

// storeModule finds the module of a store, and where the store is: all of the
// text when that is a URL.
func storeModule(flag, text string) (caddy.Module, string, error) {
	if u, err := url.Parse(text); err == nil {
		if _, has := u.User.Password(); has || u.Query().Has("password") || u.Query().Has("sslpassword") {
			return nil, "", newMisuse("--%s has a password, which everybody on this machine can see: put the URL into the environment, and write {env.DATABASE_URL}", flag)
		}
	}
	text, err := caddy.NewReplacer().ReplaceOrErr(text, true, true)
	if err != nil {
		return nil, "", newMisuse("--%s: %w", flag, err)
	}
	name, location, found := strings.Cut(text, ":")
	if !found || location == "" {
		return nil, "", newMisuse("--%s is no store: write such as sqlite:/var/lib/caddy/webhooks.db or {env.DATABASE_URL}", flag)
	}
	if strings.HasPrefix(location, "//") {
		location = text
	}
	if name == "postgresql" { // both are in use in URLs
		name = "postgres"
	}
	info, err := caddy.GetModule("webhooks.stores." + name)
	if err != nil {
		return nil, "", newMisuse("--%s: %s", flag, unknownStore(name))
	}
	return info.New(), location, nil
}

// tellProgress makes a function that says how much was copied, once in a while.
func tellProgress(out io.Writer) func(sender.CopyProgress) {
	var told time.Time
	return func(p sender.CopyProgress) {
		if time.Since(told) < progressEvery {
			return
		}
		told = time.Now()
		fmt.Fprintf(out, "%s %s copied so far\n", humanize.Comma(p.Count), p.Kind)
	}
}

// printInventories prints what is on both sides.
func printInventories(out io.Writer, original, copied sender.Inventory) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "original\tcopy\t")
	kinds := copied.Kinds()
	for i, kind := range original.Kinds() {
		fmt.Fprintf(w, "%d\t%d\t  %s\n", kind.Count, kinds[i].Count, kind.Kind)
	}
	return w.Flush()
}
