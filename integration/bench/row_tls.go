package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
)

const (
	caseHTTP   = "http"
	caseHTTPS1 = "https, HTTP/1.1"
	caseHTTPS2 = "https, HTTP/2"
)

// rowTLS is what deliveries cost that are made over TLS.
func (b *bench) rowTLS(ctx context.Context, r *Result) (err error) {
	r.Baseline = caseHTTP
	path, err := b.built(ctx)
	if err != nil {
		return err
	}
	var turns []turn
	var warm []burst
	for _, name := range []string{caseHTTP, caseHTTPS1, caseHTTPS2} {
		to := b.sinkEndpoint()
		var trust []string
		if name != caseHTTP {
			site, err := b.sink.Secure(name == caseHTTPS2)
			if err != nil {
				return err
			}
			ca := filepath.Join(b.scratch, "ca-"+filepath.Base(site.Address)+".pem")
			if err := os.WriteFile(ca, []byte(site.CA), 0o600); err != nil {
				return err
			}
			to.url, trust = "https://"+site.Address+"/e/0", []string{"SSL_CERT_FILE=" + ca}
		}
		c, err := b.newCaddy(ctx, path, "tls", trust...)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, c.remove()) }()
		if err := c.start(ctx, senderCaddyfile(c, to)); err != nil {
			return err
		}
		turns = append(turns, b.publishTurn(ctx, r, name, c, b.publishTo(c)))
		warm = append(warm, b.publishTo(c))
	}
	if err := b.warmUp(ctx, r, warm...); err != nil {
		return err
	}
	return b.rounds(ctx, turns, r, "delivered/s", cost)
}
