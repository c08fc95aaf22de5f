package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// profiler takes profiles of a Caddy while a case is measured. A nil one does
// nothing.
type profiler struct {
	caddy *caddy
	of    *Case
	path  string // of its files, but for how they end

	files   []string // of processor time
	events  int      // that were handled meanwhile
	seconds float64  // of processor time that they took
}

// profilerOf is one for a Caddy in a case, if profiles were asked for. What it has
// found is in the result when [bench.finishProfiles] has returned.
func (b *bench) profilerOf(c *caddy, r *Result, name string) *profiler {
	if b.options.profile == "" {
		return nil
	}
	p := &profiler{caddy: c, of: r.of(name), path: filepath.Join(b.options.profile, r.Row+"-"+fileName(name))}
	b.profilers = append(b.profilers, p)
	return p
}

// fileName is a name that a file can have.
func fileName(name string) string {
	words := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') })
	return strings.Join(words, "-")
}

// during takes a profile of processor time while do makes a burst.
func (p *profiler) during(ctx context.Context, longest time.Duration, do func() (*outcome, error)) (*outcome, error) {
	if p == nil {
		return do()
	}
	file := fmt.Sprintf("%s-cpu-%d.pprof", p.path, len(p.files)+1)
	p.files = append(p.files, file)
	taken := make(chan error, 1)
	go func() { taken <- p.fetch(ctx, fmt.Sprintf("profile?seconds=%.0f", math.Ceil(longest.Seconds())), file) }()
	o, err := do()
	if err := errors.Join(err, <-taken); err != nil {
		return nil, err
	}
	p.events += o.account.Distinct
	p.seconds += o.processors[0]
	return o, nil
}

// finishProfiles takes the other profiles, and notes where the time went. The
// Caddys that were measured still run.
func (b *bench) finishProfiles(ctx context.Context) error {
	all := b.profilers
	b.profilers = nil
	for _, p := range all {
		if err := p.finish(ctx); err != nil {
			return fmt.Errorf("%s: %w", p.of.Name, err)
		}
	}
	return nil
}

func (p *profiler) finish(ctx context.Context) error {
	for _, name := range []string{"allocs", "heap", "mutex", "block"} {
		if err := p.fetch(ctx, name, p.path+"-"+name+".pprof"); err != nil {
			return err
		}
	}
	cmd := exec.CommandContext(ctx, "go", append([]string{"tool", "pprof", "-traces", "-unit", "us", p.caddy.program}, p.files...)...) //nolint:gosec // our own files
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	groups, err := groupTraces(out)
	if err := errors.Join(err, cmd.Wait()); err != nil {
		return fmt.Errorf("reading the profiles: %w", err)
	}
	// Profiles are samples, and end before what is late has arrived: they say
	// how the time that was measured is shared out.
	p.of.Profile = scale(groups, p.seconds*1e6/float64(max(p.events, 1)))
	return nil
}

// profileGrid is where the time of each event went, in the cases with profiles;
// nil without any.
func (r *Result) profileGrid() [][]string {
	grid := [][]string{{"µs per event"}}
	var parts []string
	totals := make(map[string]float64)
	for _, c := range r.Cases {
		if c.Profile == nil {
			continue
		}
		grid[0] = append(grid[0], c.Name)
		for _, g := range c.Profile {
			if totals[g.Name] == 0 {
				parts = append(parts, g.Name)
			}
			totals[g.Name] += g.Microseconds
		}
	}
	if len(parts) == 0 {
		return nil
	}
	slices.SortStableFunc(parts, func(a, b string) int {
		switch {
		case a == groupRest:
			return 1
		case b == groupRest:
			return -1
		}
		return cmp.Compare(totals[b], totals[a])
	})
	for _, part := range parts {
		line := []string{part}
		for _, c := range r.Cases {
			if c.Profile != nil {
				line = append(line, c.timeOf(part))
			}
		}
		grid = append(grid, line)
	}
	return grid
}

// timeOf is what a part took of each event, or empty.
func (c *Case) timeOf(part string) string {
	for _, g := range c.Profile {
		if g.Name == part {
			return number(g.Microseconds)
		}
	}
	return ""
}

// fetch writes a profile into a file.
func (p *profiler) fetch(ctx context.Context, name, file string) (err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.caddy.admin+"/debug/pprof/"+name, http.NoBody)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("fetching a profile: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("fetching the profile %s: status %s", name, resp.Status)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil { //nolint:gosec // profiles are no secret
		return err
	}
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, resp.Body)
	return errors.Join(err, out.Close())
}
