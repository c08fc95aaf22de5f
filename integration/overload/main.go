// Command overload publishes far more events than a real Caddy can take, whether
// it answers or not, and looks what becomes of it: how many are refused, how
// long the others take, how much memory it needs, whether all that was accepted
// is delivered, and how soon it is as quick as before.
//
//	go run ./integration/overload -for 1m -factor 3
//
// It exits with 1 when an accepted event is lost or repeated, when something is
// answered with neither 202 nor 503 with Retry-After, when the memory is over
// the limit, and when it does not become quick again.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/manysends/caddy-webhooks/integration/internal/caddyproc"
	"github.com/manysends/caddy-webhooks/integration/internal/loadtest"
)

func main() {
	var o options
	flag.DurationVar(&o.duration, "for", time.Minute, "how long the overload goes on")
	flag.Float64Var(&o.factor, "factor", 3, "how many times more is published than can be taken")
	flag.Int64Var(&o.memory, "memory", 768, "how much memory Caddy may need, in MiB: 8,192 connections alone take half of it")
	flag.IntVar(&o.data, "data", 1000, "bytes of data of an event")
	flag.StringVar(&o.binary, "binary", "", "the program; default: it is built")
	procs := flag.String("procs", "1", "GOMAXPROCS of Caddy, so that there is something left to publish with")
	flag.Parse()
	// This process has read it already.
	if err := os.Setenv("GOMAXPROCS", *procs); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if err := run(context.Background(), os.Stdout, o); err != nil {
		fmt.Fprintln(os.Stderr, "FAIL:", err)
		os.Exit(1)
	}
}

// options are what is asked for.
type options struct {
	duration time.Duration
	untimed  bool // how soon it is quick again is shown, and not judged
	factor   float64
	memory   int64
	data     int
	binary   string
}

// run measures what Caddy can take, and then publishes more than that.
func run(ctx context.Context, w io.Writer, o options) error {
	return caddyproc.InFolder(ctx, o.binary, false, func(program, folder string) (err error) {
		scene, err := loadtest.NewScene(program, folder, map[string]loadtest.Behaviour{"fast": {}})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, scene.Close()) }()
		if err := scene.Start(scene.Caddyfile("first")); err != nil {
			return err
		}
		return flood(w, scene, o)
	})
}
