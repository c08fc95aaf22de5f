package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
)

// profiler takes profiles of a Caddy while it is measured. A nil one does
// nothing.
type profiler struct {
	caddy  *caddy
	dir    string
	prefix string

	files   []string // of processor time
	events  int      // that were handled meanwhile
	seconds float64  // of processor time that they took
}

// profilerOf is one for a Caddy, if profiles were asked for.
func (b *bench) profilerOf(c *caddy, r *Result) (*profiler, error) {
	if b.options.profile == "" {
		return nil, nil
	}
	return &profiler{caddy: c, dir: b.options.profile, prefix: r.Row}, os.MkdirAll(b.options.profile, 0o755) //nolint:gosec // profiles are no secret
}

// runProfiled makes a burst and takes a profile meanwhile.
func (b *bench) runProfiled(ctx context.Context, r *Result, m burst, p *profiler) (*outcome, error) {
	if p == nil {
		return b.run(ctx, r, m)
	}
	file := filepath.Join(p.dir, fmt.Sprintf("%s-cpu-%d.pprof", p.prefix, len(p.files)+1))
	p.files = append(p.files, file)
	taken := make(chan error, 1)
	seconds := int(math.Ceil(m.job.Duration.Seconds()))
	go func() { taken <- p.fetch(ctx, fmt.Sprintf("profile?seconds=%d", seconds), file) }()
	o, err := b.run(ctx, r, m)
	if err := errors.Join(err, <-taken); err != nil {
		return nil, err
	}
	p.events += o.account.Distinct
	p.seconds += o.processors[0]
	return o, nil
}

// finish takes the other profiles, and has the result show where the time went.
func (p *profiler) finish(ctx context.Context, r *Result) error {
	if p == nil || len(p.files) == 0 {
		return nil
	}
	for _, name := range []string{"allocs", "heap", "mutex", "block"} {
		if err := p.fetch(ctx, name, filepath.Join(p.dir, p.prefix+"-"+name+".pprof")); err != nil {
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
	r.Profile = scale(groups, p.seconds*1e6/float64(max(p.events, 1)))
	return nil
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
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, resp.Body)
	return errors.Join(err, out.Close())
}
