// Command soak runs a real Caddy for long under mixed traffic, with reloads and
// with endpoints that come and go, and looks whether anything grows: goroutines,
// open files, memory, the store.
//
//	go run ./integration/soak -for 30m
//
// It exits with 1 when something keeps growing, or when an event is lost or
// repeated.
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
	flag.DurationVar(&o.duration, "for", 30*time.Minute, "how long the traffic goes on")
	flag.DurationVar(&o.every, "sample", 10*time.Second, "how often it is measured")
	flag.DurationVar(&o.reload, "reload", 20*time.Second, "how often the configuration is loaded anew")
	flag.DurationVar(&o.pause, "pause", 20*time.Millisecond, "how long each of the four publishers rests between two events")
	flag.StringVar(&o.binary, "binary", "", "the program; default: it is built")
	race := flag.Bool("race", false, "build the program with the race detector")
	flag.Parse()
	if err := run(context.Background(), os.Stdout, o, *race); err != nil {
		fmt.Fprintln(os.Stderr, "FAIL:", err)
		os.Exit(1)
	}
}

// options are what a soak is told.
type options struct {
	duration, every, reload, pause time.Duration
	binary                         string
}

// run goes through a soak and prints what it measures.
func run(ctx context.Context, w io.Writer, o options, race bool) error {
	return caddyproc.InFolder(ctx, o.binary, race, func(program, folder string) (err error) {
		scene, err := loadtest.NewScene(program, folder, map[string]loadtest.Behaviour{
			"fast":     {},
			"slow":     {Delay: 20 * time.Millisecond},
			"flaky":    {FailEvery: 5},
			"flapping": {Down: 5 * time.Second, Period: 37 * time.Second},
			"strict":   {Ordered: true},
		})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, scene.Close()) }()
		// The store must come to an even size while it is looked at.
		scene.Settings = "retention 1m\n\t\tmax_backlog 1000000"
		scene.Publishers.Pause = o.pause
		if err := scene.Start(scene.Caddyfile("0")); err != nil {
			return err
		}
		samples, err := soak(ctx, w, scene, o)
		if err != nil {
			return errors.Join(err, fmt.Errorf("caddy printed:\n%s", scene.Output()))
		}
		return verdict(w, scene, samples)
	})
}
