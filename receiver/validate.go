package receiver

import (
	"errors"
	"fmt"
	"time"

	"github.com/manysends/caddy-webhooks/webhook"
)

// Validate says what is wrong with the configuration: one sentence for each
// problem, all of them joined. The errors wrap [ErrConfig], and those about a
// secret also wrap [webhook.ErrKey]. No message holds a secret.
func (c Config) Validate() error {
	_, err := c.resolve()
	return err
}

// settings is a valid [Config] with its defaults filled in and its keys read.
type settings struct {
	provider  *provider
	scheme    scheme
	maxSize   int64
	tolerance time.Duration
	ipRate    *webhook.Rate
	rate      *webhook.Rate
	dedupe    bool
	ttl       time.Duration
	wait      time.Duration // 0 or less: not at all
	capacity  int
}

// resolve checks the configuration and fills in the defaults.
func (c Config) resolve() (settings, error) {
	var problems []error
	problem := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf("%w: "+format, append([]any{ErrConfig}, args...)...))
	}

	s := settings{
		maxSize:   c.MaxSize,
		tolerance: time.Duration(c.Tolerance),
		ipRate:    c.IPRate,
		dedupe:    !c.Dedupe.Off,
		ttl:       time.Duration(c.Dedupe.TTL),
		wait:      time.Duration(c.Dedupe.Wait),
		capacity:  c.Dedupe.Capacity,
	}

	s.provider = findProvider(c.Provider)
	switch {
	case c.Provider == "":
		problem("provider is not set: choose one of %s", providerNames())
	case s.provider == nil:
		problem("provider %q is unknown: use one of %s", c.Provider, providerNames())
	}

	if len(c.Secrets) == 0 {
		problem("secrets is empty: give at least one, an empty secret would let anyone in")
	}
	for i, secret := range c.Secrets {
		if secret == "" {
			problem("secrets[%d] is empty: give the secret, or check the variable that it comes from; an empty secret would let anyone in", i)
			continue
		}
		if s.provider == nil {
			continue // which keys are right depends on the provider
		}
		if _, err := s.provider.newScheme([]string{secret}); err != nil {
			problem("secrets[%d]: %w", i, err)
		}
	}

	if c.MaxSize < 0 {
		problem("max_size is %d bytes: use a positive size, or leave it out for %d", c.MaxSize, DefaultMaxSize)
	}
	if c.IPRate != nil {
		if err := c.IPRate.Validate(); err != nil {
			problem("ip_rate: %w", err)
		}
	}
	if c.Rate != nil {
		s.rate = &c.Rate.Rate
		if err := s.rate.Validate(); err != nil {
			problem("rate: %w", err)
		}
	}
	if c.Dedupe.TTL < 0 {
		problem("dedupe.ttl is %s: use a positive time, or leave it out for %s; dedupe.off turns the check off", c.Dedupe.TTL, DefaultTTL)
	}
	if c.Dedupe.Capacity < 0 {
		problem("dedupe.capacity is %d: use a positive number of IDs, or leave it out for %d", c.Dedupe.Capacity, DefaultCapacity)
	}
	if len(problems) > 0 {
		return settings{}, errors.Join(problems...)
	}

	scheme, err := s.provider.newScheme(c.Secrets)
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
