package receiver

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/manysends/caddy-webhooks/webhook"
)

// gathered is what a State's metrics say, by name and labels; histograms by
// their count.
func gathered(t *testing.T, states ...*State) map[string]float64 {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	for _, s := range states {
		if err := registry.Register(s.Collector()); err != nil {
			t.Fatal(err)
		}
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := make(map[string]float64)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := strings.TrimPrefix(f.GetName(), "caddy_webhooks_")
			for _, l := range m.GetLabel() {
				name += " " + l.GetName() + "=" + l.GetValue()
			}
			got[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return got
}

// some is those that are not 0.
func some(all map[string]float64) map[string]float64 {
	list := make(map[string]float64)
	for name, value := range all {
		if value != 0 {
			list[name] = value
		}
	}
	return list
}

func TestMetrics(t *testing.T) {
	tick := newClock()
	state := NewState(StateOptions{Name: "n", Now: tick.Now})
	defer state.Close()
	cfg := testConfig("standard")
	cfg.IPRate, cfg.Rates = &webhook.Rate{Events: 8}, []SourceRate{{Rate: *fastRate()}, {Rate: perMinute(1, 3)}}
	cfg.Dedupe.Wait = -1
	rc := mustNew(t, cfg, Options{State: state, Now: tick.Now})
	send := func(r *http.Request, next func(http.ResponseWriter, *http.Request) error) error {
		return rc.Handle(httptest.NewRecorder(), r, next)
	}
	signed := func(secret string, n int) *http.Request {
		r, _ := requestSignedWith(t, secret, "standard", eventID(n), tick.Now(), []byte(`{}`))
		return r
	}
	if got := gathered(t, state)["received_total provider=standard receiver=n verdict=accepted"]; got != 0 {
		t.Errorf("%v accepted before the first request", got)
	}
	_ = send(signed(oldSecret, 1), func(w http.ResponseWriter, _ *http.Request) error {
		// The same event meanwhile: it is refused.
		var refusal *Refusal
		if err := send(signed(testSecret, 1), answerWith(200)); !errors.As(err, &refusal) || refusal.Reason != ReasonInProgress {
			t.Errorf("error %v, want in_progress", err)
		}
		return nil
	})
	_ = send(signed(testSecret, 1), answerWith(200))    // a duplicate
	_ = send(signed(testSecret, 2), answerWith(200))    // over the second rate
	_ = send(signed(foreignSecret, 3), answerWith(200)) // forged
	for range 10 {
		_ = send(signed(foreignSecret, 3), answerWith(200)) // some forged, some over the rate of the address
	}
	_ = send(httptest.NewRequest(http.MethodGet, "/", nil), answerWith(200))

	want := map[string]float64{
		"duplicates_total kind=in_progress receiver=n":                                 1,
		"duplicates_total kind=settled receiver=n":                                     1,
		"limiter_keys limit=ip receiver=n":                                             1,
		"limiter_keys limit=rate receiver=n":                                           2,
		"limiter_refusals_total limit=ip receiver=n":                                   7,
		"limiter_refusals_total limit=rate_1 receiver=n":                               1,
		"process_seconds receiver=n":                                                   8,
		"received_total provider=standard receiver=n verdict=accepted":                 1,
		"received_total provider=standard receiver=n verdict=duplicate":                1,
		"received_total provider=standard receiver=n verdict=in_progress":              1,
		"received_total provider=standard receiver=n verdict=invalid":                  1,
		"received_total provider=standard receiver=n verdict=limited":                  8,
		"received_total provider=standard receiver=n verdict=not_authentic":            4,
		"secret_matches_total index=0 receiver=n":                                      3,
		"secret_matches_total index=1 receiver=n":                                      1,
		"seen_events place=exact receiver=n":                                           1,
		"verify_failures_total provider=standard reason=signature_mismatch receiver=n": 4,
	}
	if diff := cmp.Diff(want, some(gathered(t, state))); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}

	// They outlive the receiver, go on with the next, and stand beside those of
	// other States.
	other := NewState(StateOptions{Name: "m"})
	defer other.Close()
	renewed := mustNew(t, cfg, Options{State: state, Now: tick.Now})
	_ = renewed.Handle(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil), answerWith(200))
	if got := gathered(t, state, other)["received_total provider=standard receiver=n verdict=invalid"]; got != 2 {
		t.Errorf("%v invalid requests after a change, want 2", got)
	}
}

// Labels come from the configuration alone, so that no request can add series
// without end.
func TestMetricsAreBounded(t *testing.T) {
	b := newBench(t, testConfig("standard"))
	b.rates = append(b.rates, *fastRate())
	for n := range 3 {
		b.mustAccept(t, b.signed(t, n))
	}
	before := len(gathered(t, b.state))
	for n := range 100 {
		r := b.signed(t, 10+n)
		r.RemoteAddr = "192.0.2." + string(rune('0'+n%10)) + ":1"
		if n%2 == 0 {
			r.Header.Set(webhook.HeaderSignature, "v1,x")
		}
		_, _ = b.send(r)
	}
	if after := len(gathered(t, b.state)); after != before {
		t.Errorf("%d series became %d", before, after)
	}
}

// A Receiver of a configuration that is rejected leaves no series behind.
func TestUnusedReceiverHasNoSeries(t *testing.T) {
	b := newBench(t, testConfig("standard"))
	for name := range gathered(t, b.state) {
		if strings.Contains(name, "provider=") {
			t.Errorf("series %s without a request", name)
		}
	}
}
