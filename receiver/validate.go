package receiver

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

// Validate says what is wrong with the configuration: one sentence for each
// problem, all of them joined. The errors wrap [ErrConfig], and those about a
// secret also wrap [webhook.ErrKey]. No message holds a secret.
func (c Config) Validate() error {
	_, err := c.resolve(nil)
	return err
}

// settings is a valid [Config] with its defaults filled in and its keys read.
type settings struct {
	provider  *provider
	scheme    scheme
	url       string
	maxSize   int64
	tolerance time.Duration
	ipRate    *webhook.Rate
	rates     []webhook.Rate
	dedupe    bool
	ttl       time.Duration
	wait      time.Duration // 0 or less: not at all
	capacity  int
}

// resolve checks the configuration and fills in the defaults. The client is for
// providers that publish their keys.
func (c Config) resolve(client *http.Client) (settings, error) {
	var problems []error
	problem := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf("%w: "+format, append([]any{ErrConfig}, args...)...))
	}

	s := settings{
		url:       c.URL,
		maxSize:   c.MaxSize,
		tolerance: time.Duration(c.Tolerance),
		ipRate:    c.IPRate,
		dedupe:    !c.Dedupe.Off,
		ttl:       time.Duration(c.Dedupe.TTL),
		wait:      time.Duration(c.Dedupe.Wait),
		capacity:  c.Dedupe.Capacity,
	}

	s.provider = c.resolveProvider(problem)
	if s.provider != nil {
		c.validateParameters(s.provider, problem)
		s.dedupe = s.dedupe && !s.provider.Alike
		if c.Tolerance > 0 && !s.provider.Timestamped {
			problem("tolerance is set, but the signature of provider %s covers no time of sending, so that the age of a request cannot be checked: leave tolerance out", c.Provider)
		}
	}
	schemeOptions := schemeOptions{key: c.Key, parameters: c.Parameters, client: client}
	if s.provider != nil {
		schemeOptions.template = s.provider.template
	}
	c.validateSecrets(s.provider, schemeOptions, problem)
	if wrong := wrongURL(c.URL); wrong != "" {
		problem("url %s", wrong)
	}

	if c.MaxSize < 0 {
		problem("max_size is %d bytes: use a positive size, or leave it out for %d", c.MaxSize, DefaultMaxSize)
	}
	if c.IPRate != nil {
		if err := c.IPRate.Validate(); err != nil {
			problem("ip_rate: %w", err)
		}
	}
	for i := range c.Rates {
		if err := c.Rates[i].Validate(); err != nil {
			problem("rates[%d]: %w", i, err)
		}
		s.rates = append(s.rates, c.Rates[i].Rate)
	}
	if c.Dedupe.TTL < 0 {
		problem("dedupe.ttl is %s: use a positive time, or leave it out for %s; dedupe.off turns the check off", c.Dedupe.TTL, DefaultTTL)
	}
	switch {
	case c.Dedupe.CapacityBytes < 0:
		problem("dedupe.capacity_bytes is %d: use a positive size, or leave it out", c.Dedupe.CapacityBytes)
	case c.Dedupe.CapacityBytes > 0 && c.Dedupe.Capacity > 0:
		problem("dedupe.capacity and dedupe.capacity_bytes are both set: keep one")
	}
	if c.Dedupe.Capacity < 0 {
		problem("dedupe.capacity is %d: use a positive number of IDs, or leave it out for %d", c.Dedupe.Capacity, DefaultCapacity)
	}
	if len(problems) > 0 {
		return settings{}, errors.Join(problems...)
	}

	schemeOptions.secrets = c.Secrets
	scheme, err := s.provider.newScheme(schemeOptions)
	if err != nil {
		return settings{}, fmt.Errorf("%w: secrets: %w", ErrConfig, err)
	}
	s.scheme = scheme
	if s.maxSize == 0 {
		s.maxSize = DefaultMaxSize
	}
	if s.tolerance == 0 {
		s.tolerance = DefaultTolerance
	}
	if s.ttl == 0 {
		s.ttl = DefaultTTL
	}
	if s.wait == 0 {
		s.wait = DefaultWait
	}
	if s.capacity == 0 {
		s.capacity = DefaultCapacity
	}
	return s, nil
}
