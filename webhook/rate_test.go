package webhook_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

func every(d time.Duration) webhook.Duration { return webhook.Duration(d) }

func TestParseRate(t *testing.T) {
	accepted := map[string]webhook.Rate{
		"100/s":    {Events: 100, Per: every(time.Second)},
		"600/m":    {Events: 600, Per: every(time.Minute)},
		"10/h":     {Events: 10, Per: every(time.Hour)},
		"5/d":      {Events: 5, Per: every(24 * time.Hour)},
		"1/ms":     {Events: 1, Per: every(time.Millisecond)},
		"5/10s":    {Events: 5, Per: every(10 * time.Second)},
		"5/1h30m":  {Events: 5, Per: every(90 * time.Minute)},
		"5/.5s":    {Events: 5, Per: every(500 * time.Millisecond)}, // not 1.5 s
		"5/0.25s":  {Events: 5, Per: every(250 * time.Millisecond)},
		"007/1m0s": {Events: 7, Per: every(time.Minute)},
	}
	for in, want := range accepted {
		if got, err := webhook.ParseRate(in); err != nil || got != want {
			t.Errorf("ParseRate(%q) = %+v, %v; want %+v", in, got, err, want)
		}
	}

	const remedy = " is not understood: write a whole number, a slash and a unit of time, such as 100/s, 600/m or 5/10s"
	refused := map[string]string{
		"":         `rate ""` + remedy,
		"100":      `rate "100"` + remedy,
		"100/":     `rate "100/"` + remedy,
		"/s":       `rate "/s"` + remedy,
		"1.5/s":    `rate "1.5/s"` + remedy,
		"100 / s":  `rate "100 / s"` + remedy,
		"100/sec":  `rate "100/sec"` + remedy,
		"100/10":   `rate "100/10"` + remedy,
		"5/0s":     `rate "5/0s"` + remedy, // zero would mean the default, 1s
		"5/s10m":   `rate "5/s10m"` + remedy,
		"5/s/s":    `rate "5/s/s"` + remedy,
		"ten/s":    `rate "ten/s"` + remedy,
		"9e99/s":   `rate "9e99/s"` + remedy,
		"0/s":      "rate 0/s is too low: allow at least 1 event per unit of time",
		"-5/m":     "rate -5/m is too low: allow at least 1 event per unit of time",
		"5/-10s":   "rate 5/-10s has a negative unit of time: write one such as 1s or 1m",
		"100/s 20": `rate "100/s 20"` + remedy,
	}
	for in, want := range refused {
		if got, err := webhook.ParseRate(in); err == nil || err.Error() != want {
			t.Errorf("ParseRate(%q) = %+v, error:\n%v\nwant:\n%s", in, got, err, want)
		}
	}
}

func TestRateJSON(t *testing.T) {
	tests := []struct {
		in        string
		perSecond float64
		burst     int
		out, text string
	}{
		{`{"events":100}`, 100, 100, `{"events":100}`, "100/s"},
		{`{"events":100,"per":"1s","burst":200}`, 100, 200, `{"events":100,"per":"1s","burst":200}`, "100/s burst 200"},
		{`{"events":600,"per":"1m"}`, 10, 600, `{"events":600,"per":"1m"}`, "600/m"},
		{`{"events":9,"per":"1h"}`, 0.0025, 9, `{"events":9,"per":"1h"}`, "9/h"},
		{`{"events":1,"per":10000000000}`, 0.1, 1, `{"events":1,"per":"10s"}`, "1/10s"},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			var r webhook.Rate
			if err := json.Unmarshal([]byte(tt.in), &r); err != nil {
				t.Fatal(err)
			}
			if err := r.Validate(); err != nil {
				t.Error(err)
			}
			if math.Abs(r.PerSecond()-tt.perSecond) > 1e-12 || r.BurstSize() != tt.burst || r.String() != tt.text {
				t.Errorf("PerSecond %v, BurstSize %d, String %q; want %v, %d, %q", r.PerSecond(), r.BurstSize(), r, tt.perSecond, tt.burst, tt.text)
			}
			if out, err := json.Marshal(r); err != nil || string(out) != tt.out {
				t.Errorf("encodes as %s, %v; want %s", out, err, tt.out)
			}
		})
	}
}

func TestRateValidate(t *testing.T) {
	tests := []struct {
		in   webhook.Rate
		want string
	}{
		{webhook.Rate{}, "rate 0/s is too low: allow at least 1 event per unit of time"},
		{webhook.Rate{Events: 1, Per: -1}, "rate 1/-1ns has a negative unit of time: write one such as 1s or 1m"},
		{webhook.Rate{Events: 1, Burst: -2}, "rate 1/s burst -2 has a negative burst: leave it out, or allow at least 1"},
		{webhook.Rate{Events: 1, Per: webhook.Duration(367 * 24 * time.Hour)}, "rate 1/8808h has a unit of time of more than a year: use a shorter one"},
	}
	for _, tt := range tests {
		if err := tt.in.Validate(); err == nil || err.Error() != tt.want {
			t.Errorf("%+v: %v, want %s", tt.in, err, tt.want)
		}
	}
}

func FuzzParseRate(f *testing.F) {
	for _, seed := range []string{"", "100/s", "600/m", "5/10s", "5/.5s", "5/0s", "5/s10m", "-1/s", "1/1d12h", "1/1ns"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := webhook.ParseRate(s)
		if err != nil {
			return
		}
		if r.Events < 1 || r.Per <= 0 || r.Burst != 0 || r.PerSecond() <= 0 || math.IsInf(r.PerSecond(), 0) {
			t.Errorf("%q was read as the unusable %+v", s, r)
		}
		if again, err := webhook.ParseRate(r.String()); err != nil || again != r {
			t.Errorf("%q was read as %v, which is read as %+v, %v", s, r, again, err)
		}
		// What stands after the slash is a duration, or a unit for one of it.
		_, unit, _ := strings.Cut(s, "/")
		per, err := webhook.ParseDuration(unit)
		if err != nil {
			per, err = webhook.ParseDuration("1" + unit)
		}
		if err != nil || per != r.Per {
			t.Errorf("%q was read with the unit %v, want %v, %v", s, r.Per, per, err)
		}
	})
}
