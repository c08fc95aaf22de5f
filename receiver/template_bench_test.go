package receiver

import (
	"io"
	"strings"
	"testing"
	"time"
)

// BenchmarkVerify is the check of one signature over a body of 1 KB, by the
// template of each of these providers.
func BenchmarkVerify(b *testing.B) {
	for _, s := range allSamples(b) {
		switch s.provider {
		case "github", "stripe", "standard", "svix", "slack", "discord":
		default:
			continue
		}
		b.Run(s.provider, func(b *testing.B) {
			rc := mustNew(b, s.config(), Options{})
			now := time.Now()
			r := s.request(attempt{secret: s.secret, key: s.key, id: "evt1", at: now}, strings.Repeat("x", 1000))
			body, err := io.ReadAll(r.Body)
			if err != nil {
				b.Fatal(err)
			}
			in := &inbound{request: r, body: body, now: now, tolerance: DefaultTolerance}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := rc.scheme.verify(b.Context(), in); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
