package main

import (
	"errors"
	"flag"
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

// flags are the command line.
type flags struct {
	options
	read     string
	json     string
	svg      string
	document string
	markdown bool
}

func parse(args []string) (*flags, error) {
	f := new(flags)
	set := flag.NewFlagSet("bench", flag.ContinueOnError)
	rows := set.String("rows", "", "the rows to measure, separated by commas: "+strings.Join(rowNames(), ", "))
	set.IntVar(&f.rounds, "rounds", 5, "how often each case is measured")
	set.DurationVar(&f.duration, "duration", 2*time.Second, "how long load is made in each round")
	set.IntVar(&f.payload, "payload", 1024, "the size of an event's data in bytes")
	set.IntVar(&f.connections, "connections", 64, "how many connections make load")
	set.IntVar(&f.backlog, "backlog", 1_000_000, "how many deliveries wait at most in the row backlog")
	set.StringVar(&f.dir, "dir", "/var/tmp", "a folder on the disk that is to be measured")
	set.StringVar(&f.caddy, "caddy", "", "a Caddy that is built already, to be measured instead of this checkout's")
	set.StringVar(&f.against, "against", "", "another Caddy that takes turns with it in the rows publish and receive")
	set.StringVar(&f.json, "json", "", "a file for all values as JSON")
	set.StringVar(&f.read, "read", "", "a file that -json has written, to be shown instead of measuring")
	set.StringVar(&f.svg, "svg", "", "a folder for pictures")
	set.StringVar(&f.document, "write", "", "a document whose tables and pictures (with -svg) are replaced by what was measured, such as docs/performance.md")
	set.BoolVar(&f.markdown, "markdown", false, "print Markdown at the end, and nothing else")
	set.StringVar(&f.profile, "profile", "", "a folder for profiles of each Caddy that is measured; figures are slower then")
	if err := set.Parse(args); err != nil {
		return nil, err
	}
	if set.NArg() > 0 {
		return nil, fmt.Errorf("the argument %q is not understood: there are only flags", set.Arg(0))
	}
	if f.rounds < 1 || f.duration <= 0 || f.payload < 2 || f.connections < 1 || f.backlog < 1 {
		return nil, errors.New("rounds, duration, payload, connections and backlog must be greater than 0")
	}
	if *rows != "" {
		f.rows = strings.Split(*rows, ",")
	}
	for _, path := range []*string{&f.caddy, &f.against} {
		if *path == "" {
			continue
		}
		var err error
		if *path, err = filepath.Abs(*path); err != nil {
			return nil, err
		}
	}
	_, err := chosen(f.rows)
	return f, err
}
