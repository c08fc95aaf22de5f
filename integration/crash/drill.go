package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"github.com/manysends/caddy-webhooks/integration/internal/loadtest"
)

// drill is a Caddy that is killed under load.
type drill struct {
	scene    *loadtest.Scene
	random   *rand.Rand
	kills    map[string]int  // by the moment
	recovery []time.Duration // from the start of a process to the next 202
	waited   time.Duration   // at the end, until everything had come
}

// newDrill makes one, with endpoints of each kind.
func newDrill(binary, home string, random *rand.Rand) (*drill, error) {
	if err := os.Mkdir(home, 0o700); err != nil {
		return nil, err
	}
	scene, err := loadtest.NewScene(binary, home, map[string]loadtest.Behaviour{
		"fast":   {},
		"slow":   {Delay: 30 * time.Millisecond},
		"flaky":  {FailEvery: 4},
		"strict": {Ordered: true, FailEvery: 50},
	})
	if err != nil {
		return nil, err
	}
	// Old events are purged every minute, first of all when limits are measured
	// for the first time, a second after the start.
	scene.Settings = "retention 20s\n\t\tmax_backlog 1000000"
	return &drill{scene: scene, random: random, kills: map[string]int{}}, nil
}

// moments are when Caddy is killed, by what it may be doing then.
var moments = []struct {
	name  string
	await func(ctx context.Context, d *drill)
}{
	{"at random", func(ctx context.Context, d *drill) { d.sleep(ctx, 50*time.Millisecond, 5*time.Second) }},
	{"in a commit", func(ctx context.Context, d *drill) {
		d.sleep(ctx, 50*time.Millisecond, 800*time.Millisecond)
		d.after(ctx, d.scene.Publishers.Sent, 3*time.Millisecond)
	}},
	{"in dispatch", func(ctx context.Context, d *drill) {
		d.sleep(ctx, 50*time.Millisecond, 800*time.Millisecond)
		d.after(ctx, d.scene.Publishers.Acknowledged, 2*time.Millisecond)
	}},
	{"in settling", func(ctx context.Context, d *drill) {
		d.sleep(ctx, 50*time.Millisecond, 800*time.Millisecond)
		d.after(ctx, d.scene.Site.Answered, 12*time.Millisecond)
	}},
	{"in a purge", func(ctx context.Context, d *drill) { d.sleep(ctx, 980*time.Millisecond, 1100*time.Millisecond) }},
	{"in a reload", func(ctx context.Context, d *drill) {
		d.sleep(ctx, 50*time.Millisecond, 800*time.Millisecond)
		loading, cancel := context.WithCancel(ctx)
		defer cancel()
		caddyfile := d.scene.Caddyfile(fmt.Sprint(d.random.Uint32()))
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = d.scene.Load(loading, caddyfile) // it may be killed in the midst of it
		}()
		<-time.After(time.Millisecond)
		d.sleep(ctx, 0, 100*time.Millisecond)
		cancel()
		<-ended
	}},
	{"in its start", nil}, // see run
}

// sleep waits for a time between two.
func (d *drill) sleep(ctx context.Context, least, most time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(least + time.Duration(d.random.Int64N(int64(most-least)))):
	}
}

// after waits for a signal, and then a little more.
func (d *drill) after(ctx context.Context, signal <-chan struct{}, most time.Duration) {
	select { // one may be waiting from before
	case <-signal:
	default:
	}
	select {
	case <-signal:
	case <-time.After(5 * time.Second):
	case <-ctx.Done():
	}
	// Far more exact than a timer.
	for until := time.Now().Add(time.Duration(d.random.Int64N(int64(most)))); time.Now().Before(until); {
	}
}

// run kills Caddy so many times, and then has it deliver what is left.
func (d *drill) run(ctx context.Context, kills int) error {
	if err := d.scene.Start(d.scene.Caddyfile("first")); err != nil {
		return err
	}
	d.scene.Publishers.Start()
	defer d.scene.Publishers.Stop()
	for n := range kills {
		m := moments[n%len(moments)]
		if m.await != nil {
			m.await(ctx, d)
			if err := d.kill(m.name); err != nil {
				return err
			}
		} else {
			// One that has not come up yet: the kill that goes before belongs to it.
			if err := d.kill("before that"); err != nil {
				return err
			}
			if err := d.scene.Launch(d.scene.Caddyfile("first")); err != nil {
				return err
			}
			d.sleep(ctx, 20*time.Millisecond, 600*time.Millisecond)
			if err := d.kill(m.name); err != nil {
				return err
			}
		}
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("after %d kills: %w", n, err)
		}
		if err := d.restart(ctx); err != nil {
			return fmt.Errorf("after kill %d, %s: %w", n+1, m.name, err)
		}
	}
	d.scene.Publishers.Stop()
	began := time.Now()
	err := d.scene.AwaitDelivered(3 * time.Minute)
	d.waited = time.Since(began)
	if err != nil {
		return err
	}
	// What comes again now would be a repeat without a kill.
	<-time.After(2 * time.Second)
	return d.scene.Stop()
}

// kill kills Caddy.
func (d *drill) kill(moment string) error {
	d.kills[moment]++
	d.scene.Ledger.Kill()
	if err := d.scene.Kill(); err != nil {
		return err
	}
	d.scene.Site.AwaitQuiet()
	d.scene.Ledger.Begin()
	return nil
}

// restart starts Caddy again and measures how long it takes until it takes
// events in.
func (d *drill) restart(ctx context.Context) error {
	acknowledged := d.scene.Publishers.Acks.Load()
	began := time.Now()
	if err := d.scene.Start(d.scene.Caddyfile("first")); err != nil {
		return err
	}
	for d.scene.Publishers.Acks.Load() == acknowledged {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Millisecond):
		}
		if time.Since(began) > time.Minute {
			return fmt.Errorf("no event was taken in for a minute:\n%s", d.scene.Output())
		}
	}
	d.recovery = append(d.recovery, time.Since(began))
	return nil
}
