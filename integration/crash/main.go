// Command crash kills a real Caddy under load, again and again and at moments
// that hurt, and then accounts for every event that was acknowledged.
//
//	go run ./integration/crash -kills 100
//
// It exits with 1 when an event is lost, when one came again that was not in
// hand when Caddy was killed, or when one came out of order to an endpoint that
// wants order.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/manysends/caddy-webhooks/integration/internal/caddyproc"
	"github.com/manysends/caddy-webhooks/integration/internal/loadtest"
)

func main() {
	var o options
	flag.IntVar(&o.kills, "kills", 100, "how many times Caddy is killed")
	flag.Uint64Var(&o.seed, "seed", uint64(time.Now().UnixNano()), "of the moments of the kills")
	flag.DurationVar(&o.recent, "recent", loadtest.Recent, "how long before a kill what is repeated may have come")
	flag.StringVar(&o.binary, "binary", "", "the program; default: it is built")
	race := flag.Bool("race", false, "build the program with the race detector")
	limit := flag.Duration("limit", 30*time.Minute, "how long it may take as a whole")
	flag.Parse()
	ctx, cancel := context.WithTimeout(context.Background(), *limit)
	err := run(ctx, o, *race)
	cancel()
	if err != nil {
		fmt.Fprintln(os.Stderr, "FAIL:", err)
		os.Exit(1)
	}
}

// options are what a drill is told.
type options struct {
	kills  int
	recent time.Duration
	seed   uint64
	binary string
}

// run goes through a drill.
func run(ctx context.Context, o options, race bool) error {
	fmt.Printf("seed %d\n", o.seed)
	random := rand.New(rand.NewPCG(o.seed, 0))
	return caddyproc.InFolder(ctx, o.binary, race, func(program, folder string) error {
		o.binary = program
		migrated, err := migrations(ctx, o, folder, random)
		if err != nil {
			return err
		}
		d, err := newDrill(o.binary, filepath.Join(folder, "home"), random)
		if err != nil {
			return err
		}
		err = errors.Join(d.run(ctx, o.kills-migrated), d.scene.Close())
		d.report(os.Stdout)
		return errors.Join(err, d.verdict(o.recent))
	})
}
