package receiver

import (
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

// BenchmarkTimeOfWrongSignatures measures how long it takes to refuse a signature
// whose first byte is wrong, and one whose last byte is. The figure t is that of
// Welch's test over all requests but the slowest tenth: beyond 4.5 or so, time and
// again and with the same sign, the time tells where the two differ.
//
//	go test ./receiver -run xxx -bench TimeOfWrongSignatures -benchtime 200000x
func BenchmarkTimeOfWrongSignatures(b *testing.B) {
	const body = `{"id":1}`
	tick := newClock()
	sum := hexSHA256(testSecret, body)
	standard, _ := signedRequest(b, "standard", eventID(1), tick.Now(), []byte(body))
	for _, bench := range []struct {
		provider, header, prefix string
		request                  *http.Request
	}{
		{"standard", webhook.HeaderSignature, "v1,", standard},
		{"github", "X-Hub-Signature-256", "sha256=", customRequest(body, "X-Hub-Signature-256", "sha256="+sum)},
		{"gitlab_token", "X-Gitlab-Token", "", customRequest(body, "X-Gitlab-Token", testSecret)},
	} {
		b.Run(bench.provider, func(b *testing.B) {
			scheme := mustNew(b, Config{Provider: bench.provider, Secrets: []string{testSecret}}, Options{Now: tick.Now}).ring.Load().scheme
			r, name := bench.request, bench.header
			right, prefix := r.Header.Get(name), len(bench.prefix)
			defer r.Header.Set(name, right)
			in := &inbound{request: r, body: []byte(body), now: tick.Now(), tolerance: time.Hour}
			swap := func(at int) []string {
				text := []byte(right)
				text[at] = map[bool]byte{true: 'b', false: 'a'}[text[at] == 'a']
				return []string{string(text)}
			}
			values := [2][]string{swap(prefix), swap(len(right) - 2)}
			times := [2][]float64{make([]float64, 0, b.N), make([]float64, 0, b.N)}
			random := rand.New(rand.NewPCG(1, 2))
			for range 2 * b.N {
				which := random.IntN(2) // in no order that a processor could learn
				r.Header[name] = values[which]
				began := time.Now()
				_, err := scheme.verify(b.Context(), in)
				times[which] = append(times[which], float64(time.Since(began)))
				if err == nil {
					b.Fatal("a wrong signature is taken for right")
				}
			}
			first, last := mostly(times[0]), mostly(times[1])
			b.ReportMetric(welch(first, last), "t")
			b.ReportMetric(first.mean, "ns/first")
			b.ReportMetric(last.mean, "ns/last")
		})
	}
}

// moments are those of times.
type moments struct{ n, mean, variance float64 }

// slowestBut is the time within which that part of the requests was done.
func slowestBut(times []float64, part float64) float64 {
	if len(times) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(times))
	return sorted[int(part*float64(len(sorted)-1))]
}

// mostly are the moments of all but the slowest tenth, in which the scheduler and
// the collector are.
func mostly(times []float64) (m moments) {
	limit := slowestBut(times, 0.9)
	for _, v := range times {
		if v <= limit {
			m.n++
			m.mean += v
		}
	}
	m.mean /= m.n
	for _, v := range times {
		if v <= limit {
			m.variance += (v - m.mean) * (v - m.mean)
		}
	}
	m.variance /= max(1, m.n-1)
	return m
}

// welch is the statistic of Welch's test.
func welch(a, b moments) float64 {
	if spread := math.Sqrt(a.variance/a.n + b.variance/b.n); spread > 0 {
		return (a.mean - b.mean) / spread
	}
	return 0
}
