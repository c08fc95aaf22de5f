package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/manysends/caddy-webhooks/integration/bench/load"
	"github.com/manysends/caddy-webhooks/internal/postgrestest"
)

const (
	namePostgres = "PostgreSQL"
	mostCaddys   = 3
)

// rowPostgres is how many events a second several Caddys on one PostgreSQL store
// and deliver together, beside one Caddy on SQLite.
func (b *bench) rowPostgres(ctx context.Context, r *Result) (err error) {
	server, err := postgrestest.New("shared_buffers=256MB", "max_wal_size=4GB")
	if errors.Is(err, postgrestest.ErrMissing) {
		b.say("%v", err)
		return nil
	}
	if err != nil {
		return err
	}
	defer server.Close()
	pid, err := server.PID()
	if err != nil {
		return err
	}
	path, err := b.build(ctx, b.measured(withPostgres))
	if err != nil {
		return err
	}
	r.Baseline = "1 Caddy, SQLite"
	alone, err := b.startSenderOf(ctx, path, "sqlite", b.sinkEndpoint())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, alone.remove()) }()
	m := b.publishTo(alone)
	warm := []burst{m}
	turns := []turn{b.sharedTurn(ctx, r, r.Baseline, m, group{alone})}
	for n := 1; n <= mostCaddys; n++ {
		g, err := b.startGroup(ctx, server, path, n)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, g.remove()) }()
		m := b.publishToAll(pid, g)
		warm = append(warm, m)
		turns = append(turns, b.sharedTurn(ctx, r, plural(n, "Caddy", "Caddys")+", PostgreSQL", m, g))
	}
	if err := b.warmUp(ctx, r, warm...); err != nil {
		return err
	}
	return b.rounds(ctx, turns, r, "delivered/s", cost)
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprint(n, " ", many)
}

// group is several Caddys on one database.
type group []*caddy

func (g group) remove() error {
	var all []error
	for _, c := range g {
		all = append(all, c.remove())
	}
	return errors.Join(all...)
}

// startGroup starts n Caddys on a database of their own.
func (b *bench) startGroup(ctx context.Context, server *postgrestest.Server, path string, n int) (g group, err error) {
	schema := fmt.Sprintf("bench%d", n)
	for range n {
		c, err := b.newCaddy(ctx, path, "postgres", "DATABASE_URL="+server.URL())
		if err != nil {
			return nil, errors.Join(err, g.remove())
		}
		caddyfile := strings.Replace(senderCaddyfile(c, b.sinkEndpoint()), "\twebhooks {\n",
			"\twebhooks {\n\t\tstore postgres {env.DATABASE_URL} {\n\t\t\tschema "+schema+"\n\t\t}\n", 1)
		if err := c.start(ctx, caddyfile); err != nil {
			return nil, errors.Join(err, c.remove(), g.remove())
		}
		g = append(g, c)
	}
	return g, nil
}

// publishToAll is a burst of events to several Caddys, connections taking turns.
func (b *bench) publishToAll(postgres int, g group) burst {
	m := burst{
		job:   load.Job{Kind: load.Publish, Address: g[0].site, Path: "/events", Duration: b.options.duration},
		maker: b.load, family: namePostgres,
	}
	for _, c := range g {
		m.watched = append(m.watched, watched{nameCaddy, c.pid()})
		if c != g[0] {
			m.job.Others = append(m.job.Others, c.site)
		}
	}
	m.watched = append(m.watched, watched{namePostgres, postgres}, watched{nameLoad, b.load.PID()}, watched{nameSink, b.sink.PID()})
	return m
}

// sharedTurn measures Caddys together: their cost is that of all of them.
func (b *bench) sharedTurn(ctx context.Context, r *Result, name string, m burst, g group) turn {
	if len(g) == 1 {
		m.profiler = b.profilerOf(g[0], r, name)
	}
	return turn{name, func(of *Case) error {
		of.X = float64(len(g))
		o, err := b.run(ctx, r, m)
		if err != nil {
			return err
		}
		of.add("delivered/s", o.delivered)
		costs := map[string]float64{}
		for i, w := range m.watched {
			costs[w.name] += o.processors[i] / float64(max(o.account.Distinct, 1)) * 1000
		}
		of.add(cost, costs[nameCaddy])
		for _, name := range []string{namePostgres, nameLoad, nameSink} {
			of.add(cost+": "+name, costs[name])
		}
		of.add("accepted/s", o.accepted)
		of.latency("202", o.report.Answers)
		of.latency("delivered", o.account.Latency)
		return nil
	}}
}
