package main

import (
	"context"
	"os"
)

// rowSize is how much larger the modules make the program.
func (b *bench) rowSize(ctx context.Context, r *Result) error {
	r.Baseline = "stock Caddy"
	var base float64
	for _, p := range []struct {
		program
		says string
	}{{stock, r.Baseline}, {withSQLite, "with SQLite alone"}, {withModule, "with caddy-webhooks"}, {withRedis, "with Redis as well"}, {withPostgres, "with PostgreSQL as well"}, {withAll, "with PostgreSQL and Redis as well"}} {
		path, err := b.build(ctx, p.program)
		if err != nil {
			return err
		}
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		size := float64(info.Size()) / (1 << 20)
		c := r.of(p.says)
		c.add("MiB", size)
		if p.says == r.Baseline {
			base = size
			continue
		}
		c.add("MiB more", size-base)
	}
	return nil
}
