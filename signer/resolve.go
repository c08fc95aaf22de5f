package signer

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/manysends/caddy-webhooks/receiver"
	"github.com/manysends/caddy-webhooks/webhook"
)

// settings is a valid [Config] with its defaults filled in.
type settings struct {
	rules   *receiver.Signing
	layout  *layout
	keys    keys
	url     string
	maxSize int64
}

// keys are the secrets, read for the provider's way to sign.
type keys struct {
	standard []webhook.Signer // of Standard Webhooks
	other    []signature
}

// resolve checks the configuration and fills in the defaults.
func (c Config) resolve() (settings, error) {
	var problems []error
	problem := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf("%w: "+format, append([]any{ErrConfig}, args...)...))
	}
	s := settings{url: c.URL, maxSize: c.MaxSize}
	if s.maxSize == 0 {
		s.maxSize = DefaultMaxSize
	}
	if c.MaxSize < 0 {
		problem("max_size is %d bytes: use a positive size, or leave it out for %d", c.MaxSize, DefaultMaxSize)
	}
	rules, err := receiver.Config{Provider: c.Provider, Template: c.Template, Key: c.Key}.Signing()
	if err != nil {
		return settings{}, errors.Join(append(problems, fmt.Errorf("%w: %w", ErrConfig, withoutConfig{err}))...)
	}
	s.rules = rules
	var wrong string
	if s.layout, wrong = newLayout(&rules.Template); wrong != "" {
		return settings{}, errors.Join(append(problems, fmt.Errorf("%w: provider %s %w: %s", ErrConfig, c.Provider, receiver.ErrOneWay, wrong))...)
	}
	c.checkURL(rules, problem)
	if c.ID != "" && len(s.layout.id) == 0 {
		problem("id is set, and provider %s sends no ID in a header: leave id out", c.Provider)
	}
	if s.keys, err = readKeys(rules, c.Secrets); err != nil {
		problem("%w", err)
	} else if limit := s.layout.room(rules.Standard); len(c.Secrets) > limit {
		problem("secrets has %d, and a request of provider %s has room for %d: keep the newest", len(c.Secrets), c.Provider, limit)
	}
	if len(problems) > 0 {
		return settings{}, errors.Join(problems...)
	}
	return s, nil
}

// checkURL checks whether there is a URL where it is needed, and only there.
func (c Config) checkURL(rules *receiver.Signing, problem func(format string, args ...any)) {
	switch {
	case c.URL == "" && rules.WithURL:
		problem("url is not set, and provider %s signs it: write the whole address that requests are sent to, as the receiver knows it", c.Provider)
		return
	case c.URL == "":
		return
	case !rules.WithURL:
		problem("url is set, and provider %s does not sign it: leave url out", c.Provider)
		return
	}
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || strings.Contains(c.URL, "#") {
		problem("url is not a whole address: write one such as https://hooks.example.com/square")
	}
}

// readKeys reads the secrets. Errors about one wrap [webhook.ErrKey].
func readKeys(rules *receiver.Signing, secrets []string) (keys, error) {
	var k keys
	if len(secrets) == 0 {
		return k, errors.New("secrets is empty: give the secret to sign with")
	}
	for i, secret := range secrets {
		if strings.TrimSpace(secret) == "" {
			return k, fmt.Errorf("secrets[%d] is empty, or nothing but white space: give the secret, or check the variable that it comes from", i)
		}
		var err error
		if rules.Standard {
			var signer webhook.Signer
			signer, err = webhook.ParseSigner(secret)
			k.standard = append(k.standard, signer)
		} else {
			var sign signature
			sign, err = newSignature(rules, secret)
			k.other = append(k.other, sign)
		}
		if err != nil {
			return k, fmt.Errorf("secrets[%d]: %w", i, err)
		}
	}
	return k, nil
}

// withoutConfig is an error of package receiver without the words "invalid
// configuration", which are this package's to say.
type withoutConfig struct{ err error }

func (e withoutConfig) Error() string {
	return strings.ReplaceAll(e.err.Error(), receiver.ErrConfig.Error()+": ", "")
}

func (e withoutConfig) Unwrap() error { return e.err }
