package load

import (
	"testing"
	"time"
)

// BenchmarkLoad is what a request costs the generator and the sink together, with
// nothing in between: the ceiling of what they can measure.
func BenchmarkLoad(b *testing.B) {
	for _, kind := range []string{Publish, Signed, Bare} {
		b.Run(kind, func(b *testing.B) {
			s, err := Listen(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			if err := s.Begin(Plan{Run: 1, Events: b.N}); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.ResetTimer()
			r, err := Do(b.Context(), Job{
				Kind: kind, Address: s.Address(), Path: "/e/0", Run: 1, Connections: 64, Limit: b.N,
				Payload: 1024, Type: "message.created", Secret: testSecret,
			})
			if err != nil || len(r.Failed) > 0 {
				b.Fatal(err, r)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
		})
	}
}

// BenchmarkHistogram is what counting one time costs.
func BenchmarkHistogram(b *testing.B) {
	var h Histogram
	d := time.Duration(0)
	for b.Loop() {
		h.Add(d)
		d = (d + 7919) % time.Second
	}
}
