package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/manysends/caddy-webhooks/integration/bench/load"
)

// workerWord is the argument with which this program starts itself as a process
// that makes load or takes it in.
const workerWord = "worker"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	status := command(ctx, os.Args[1:], os.Stdin, os.Stdout)
	stop()
	os.Exit(status)
}

// command runs the program and returns its exit status: 0, 1 when events were
// lost or came twice, 2 when it could not measure.
func command(ctx context.Context, args []string, in io.Reader, out io.Writer) int {
	if len(args) == 1 && args[0] == workerWord {
		if err := load.Work(ctx, in, out); err != nil {
			fmt.Fprintln(os.Stderr, "worker:", err)
			return 2
		}
		return 0
	}
	f, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 2
	}
	report, err := f.report(ctx, out)
	if report != nil {
		err = errors.Join(err, f.write(report, out))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 2
	}
	if faults := report.faults(); len(faults) > 0 {
		fmt.Fprintln(os.Stderr, strings.Join(faults, "\n"))
		return 1
	}
	return 0
}
