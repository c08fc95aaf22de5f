package signer_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/manysends/caddy-webhooks/signer"
)

// BenchmarkSign is what a request with a body of 1 KiB costs.
func BenchmarkSign(b *testing.B) {
	body := []byte(strings.Repeat("a", 1024))
	for _, cfg := range []signer.Config{
		{Provider: "github", Secrets: []string{"secret"}, ID: "x"},
		{Provider: "standard", Secrets: []string{vectorSecret}},
		{Provider: "stripe", Secrets: []string{"secret"}},
	} {
		b.Run(cfg.Provider, func(b *testing.B) {
			s := newSigner(b, cfg)
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				r := &http.Request{Method: http.MethodPost, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body))}
				if err := s.Sign(r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
