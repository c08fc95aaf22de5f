package receiver

import (
	"math"
	"strconv"

	"github.com/manysends/caddy-webhooks/webhook"
)

// The header fields that tell a client of its limits, in the canonical form of
// net/http (draft-ietf-httpapi-ratelimit-headers-11).
const (
	headerRateLimit       = "Ratelimit"
	headerRateLimitPolicy = "Ratelimit-Policy"
)

// The names of the limits in header fields and metrics: those of
// [Config].Rates have their index behind the name.
const (
	limitByIP   = "ip"
	limitByRate = "rate_"
)

// rateLimitPolicy is the value that tells of all limits, or nil without any: a
// quota and the seconds in which an empty bucket fills.
func rateLimitPolicy(s *settings) []string {
	var text []byte
	add := func(name string, r webhook.Rate) {
		if text != nil {
			text = append(text, ", "...)
		}
		text = appendPolicy(text, name, "q", int64(r.BurstSize()), "w", int64(math.Ceil(float64(r.BurstSize())/r.PerSecond()-1e-6)))
	}
	if s.ipRate != nil {
		add(limitByIP, *s.ipRate)
	}
	for i, r := range s.rates {
		add(limitByRate+strconv.Itoa(i), r)
	}
	if text == nil {
		return nil
	}
	return []string{string(text)}
}

// appendPolicy appends an item of a list: a string with two parameters (RFC
// 9651, section 3).
func appendPolicy(text []byte, name, param1 string, value1 int64, param2 string, value2 int64) []byte {
	text = append(text, '"')
	text = append(text, name...)
	text = append(text, `";`...)
	text = append(text, param1...)
	text = append(text, '=')
	text = strconv.AppendInt(text, value1, 10)
	text = append(text, ';')
	text = append(text, param2...)
	text = append(text, '=')
	return strconv.AppendInt(text, max(1, value2), 10)
}

// appendRateLimit appends what is left of a limit, after others.
func appendRateLimit[K limitKey](text []byte, name string, d *demand[K]) []byte {
	if len(text) > 0 {
		text = append(text, ", "...)
	}
	left := int64(max(0, d.tokens) + 1e-6)
	return appendPolicy(text, name, "r", left, "t", int64(d.reset().Seconds()))
}
