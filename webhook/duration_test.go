package webhook_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

func TestParseDuration(t *testing.T) {
	const day = 24 * time.Hour
	accepted := map[string]time.Duration{
		"0":           0,
		"0s":          0,
		"0d":          0,
		"500ms":       500 * time.Millisecond,
		"30s":         30 * time.Second,
		"1h30m":       90 * time.Minute,
		"1.5h":        90 * time.Minute,
		"-5s":         -5 * time.Second,
		"30d":         30 * day,
		"1d12h":       day + 12*time.Hour,
		"7d0s":        7 * day,
		"65535d":      65535 * day,
		"106751d":     106751 * day,
		"65535d1000h": 65535*day + 1000*time.Hour,
	}
	for in, want := range accepted {
		if got, err := webhook.ParseDuration(in); err != nil || time.Duration(got) != want {
			t.Errorf("ParseDuration(%q) = %v, %v; want %v", in, got, err, want)
		}
	}

	const (
		units = " is not understood: write a number and a unit, such as 500ms, 30s, 5m, 2h or 30d"
		days  = " is not understood: write a whole number of days first, such as 30d or 1d12h"
	)
	refused := map[string]string{
		"":                      `duration ""` + units,
		"30":                    `duration "30"` + units,
		"s":                     `duration "s"` + units,
		"1 h":                   `duration "1 h"` + units,
		"5 minutes":             `duration "5 minutes"` + units,
		"1d1d":                  `duration "1d1d"` + units,
		"1d-2h":                 `duration "1d-2h"` + units,
		"99999999h":             `duration "99999999h"` + units,
		"d":                     `duration "d"` + days,
		"1.5d":                  `duration "1.5d"` + days,
		"-1d":                   `duration "-1d"` + days,
		"+1d":                   `duration "+1d"` + days,
		"12h1d":                 `duration "12h1d"` + days,
		"106752d":               `duration "106752d" is too long: use less than 292 years`,
		"99999999999999999999d": `duration "99999999999999999999d" is too long: use less than 292 years`,
		"1 day":                 `duration "1 day"` + days,
		"never, duh":            `duration "never, duh"` + days,
		// Days and hours are each in range here, but their sum is not.
		"65535d2000000h": `duration "65535d2000000h" is too long: use less than 292 years`,
	}
	for in, want := range refused {
		if got, err := webhook.ParseDuration(in); err == nil || err.Error() != want {
			t.Errorf("ParseDuration(%q) = %v, error:\n%v\nwant:\n%s", in, got, err, want)
		}
	}
}

func TestDurationJSON(t *testing.T) {
	type config struct {
		Wait webhook.Duration `json:"wait,omitzero"`
	}
	for in, want := range map[string]time.Duration{
		`{"wait":"30d"}`:      720 * time.Hour,
		`{"wait":"\u0035m"}`:  5 * time.Minute,
		`{"wait":1500000000}`: 1500 * time.Millisecond,
		`{"wait":-1}`:         -1,
		`{}`:                  0,
		`{"wait":null}`:       0,
	} {
		var got config
		if err := json.Unmarshal([]byte(in), &got); err != nil || time.Duration(got.Wait) != want {
			t.Errorf("%s gave %v, %v; want %v", in, got.Wait, err, want)
		}
	}
	for in, want := range map[string]string{
		`{"wait":"soon"}`: `duration "soon" is not understood`,
		`{"wait":1.5}`:    `duration 1.5 is not understood: write text such as "30s", or nanoseconds`,
		`{"wait":true}`:   `duration true is not understood: write text such as "30s", or nanoseconds`,
		`{"wait":{}}`:     `duration {} is not understood: write text such as "30s", or nanoseconds`,
	} {
		var got config
		if err := json.Unmarshal([]byte(in), &got); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s gave %v, want an error with %q", in, err, want)
		}
	}
	for in, want := range map[time.Duration]string{90 * time.Second: `{"wait":"1m30s"}`, 30 * 24 * time.Hour: `{"wait":"720h"}`, 10 * time.Minute: `{"wait":"10m"}`, 0: `{}`} {
		got, err := json.Marshal(config{webhook.Duration(in)})
		if err != nil || string(got) != want {
			t.Errorf("%v encodes as %s, %v; want %s", in, got, err, want)
		}
	}
}

func FuzzParseDuration(f *testing.F) {
	for _, seed := range []string{"", "0", "30s", "1d12h", "65535d2000000h", "1d-2h", "9223372036854775807ns", "d", "-5s"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, err := webhook.ParseDuration(s)
		if err != nil {
			return
		}
		if !strings.HasPrefix(s, "-") && d < 0 {
			t.Errorf("%q was read as the negative %v", s, d)
		}
		if again, err := webhook.ParseDuration(d.String()); err != nil || again != d {
			t.Errorf("%q was read as %v, which is read as %v, %v", s, d, again, err)
		}
		encoded, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		var decoded webhook.Duration
		if err := json.Unmarshal(encoded, &decoded); err != nil || decoded != d {
			t.Errorf("%v is %s in JSON, which is read as %v, %v", d, encoded, decoded, err)
		}
	})
}
