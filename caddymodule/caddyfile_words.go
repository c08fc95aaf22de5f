package caddymodule

import (
	"math"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/dustin/go-humanize"

	"github.com/manysends/caddy-webhooks/caddymodule/internal/block"
	"github.com/manysends/caddy-webhooks/webhook"
)

// notEmpty refuses an argument that is empty, as one becomes whose placeholder
// {$NAME} is not set.
func notEmpty(d *caddyfile.Dispenser, word string, args ...string) error {
	for _, s := range args {
		if s == "" {
			return d.Errf("%s has an empty value: set it, or remove it", word)
		}
	}
	return nil
}

// parseText reads exactly one argument, which must not be empty.
func parseText(d *caddyfile.Dispenser, s *string) error {
	word := d.Val()
	if !d.AllArgs(s) {
		return d.Errf("%s needs exactly one value: put it into quotes if it has spaces", word)
	}
	if *s == "" {
		return d.Errf("%s has an empty value: set it, or remove the line", word)
	}
	return block.None(d, word)
}

// parseFlag reads a word that stands alone.
func parseFlag(d *caddyfile.Dispenser, flag *bool) error {
	word := d.Val()
	if d.NextArg() {
		return d.Errf("%s takes no argument, found %q: remove it", word, d.Val())
	}
	*flag = true
	return block.None(d, word)
}

// parseOnOff reads the word on or off.
func parseOnOff(d *caddyfile.Dispenser, on *bool) error {
	word := d.Val()
	var s string
	if err := parseText(d, &s); err != nil {
		return err
	}
	if s != "on" && s != "off" {
		return d.Errf("%s %q is not understood: write %s on or %s off", word, s, word, word)
	}
	*on = s == "on"
	return nil
}

// parseSecrets reads one or more secrets, or keys. They may be placeholders.
func parseSecrets(d *caddyfile.Dispenser, secrets *[]string) error {
	word := d.Val()
	*secrets = d.RemainingArgs()
	if len(*secrets) == 0 {
		return d.Errf("%s needs a value: write: %s {env.WEBHOOK_%s}, and further ones behind it while changing over", word, word, strings.ToUpper(word))
	}
	if err := checkSecretArgs(d, word, *secrets); err != nil {
		return err
	}
	return block.None(d, word)
}

// checkSecretArgs refuses secrets, or keys, that are empty.
func checkSecretArgs(d *caddyfile.Dispenser, word string, secrets []string) error {
	for i, s := range secrets {
		if s == "" {
			return d.Errf("%s %d is empty: set the environment variable it comes from before starting Caddy", word, i+1)
		}
	}
	return nil
}

// parseDuration reads exactly one duration, longer than zero.
func parseDuration(d *caddyfile.Dispenser, out *webhook.Duration) error {
	word := d.Val()
	if err := parseDurationArg(d, out); err != nil {
		return err
	}
	if d.NextArg() {
		return d.Errf("%s needs exactly one value, found %q after it: remove that", word, d.Val())
	}
	return block.None(d, word)
}

// parseDurationOrOff reads exactly one duration longer than zero, or the word
// off, which is -1.
func parseDurationOrOff(d *caddyfile.Dispenser, out *webhook.Duration) error {
	word := d.Val()
	if off(d) {
		*out = -1
		return block.None(d, word)
	}
	return parseDuration(d, out)
}

// off tells whether the only argument is the word off, and consumes it if so.
func off(d *caddyfile.Dispenser) bool {
	if d.CountRemainingArgs() != 1 {
		return false
	}
	d.NextArg()
	if d.Val() == "off" {
		return true
	}
	d.Prev()
	return false
}

// parseDurationArg reads the next argument as a duration longer than zero, and
// leaves what follows.
func parseDurationArg(d *caddyfile.Dispenser, out *webhook.Duration) error {
	word := d.Val()
	if !d.NextArg() {
		return d.Errf("%s needs a duration: write one such as 30s, 5m or 30d", word)
	}
	parsed, err := webhook.ParseDuration(d.Val())
	if err != nil {
		return d.WrapErr(err)
	}
	if parsed <= 0 {
		return d.Errf("%s %s is not longer than zero: write one such as 30s, 5m or 30d", word, parsed)
	}
	*out = parsed
	return nil
}

func parseDurations(d *caddyfile.Dispenser, out *[]webhook.Duration) error {
	word := d.Val()
	args := d.RemainingArgs()
	if len(args) == 0 {
		return d.Errf("%s needs at least one duration: write such as: %s 5s 5m 30m 2h", word, word)
	}
	for _, s := range args {
		parsed, err := webhook.ParseDuration(s)
		if err != nil {
			return d.WrapErr(err)
		}
		*out = append(*out, parsed)
	}
	return block.None(d, word)
}

func parseSize(d *caddyfile.Dispenser, out *int64) error {
	word := d.Val()
	var s string
	if err := parseText(d, &s); err != nil {
		return err
	}
	n, err := humanize.ParseBytes(s)
	if err != nil || n == 0 || n > math.MaxInt64 {
		return d.Errf("%s %q is not a size: write one such as 512KiB, 1MiB or 64MiB", word, s)
	}
	*out = int64(n)
	return nil
}

func parseCount[T int | int64](d *caddyfile.Dispenser, out *T) error {
	word := d.Val()
	var s string
	if err := parseText(d, &s); err != nil {
		return err
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 1 || int64(T(n)) != n {
		return d.Errf("%s %q is not a count: write a whole number of at least 1", word, s)
	}
	*out = T(n)
	return nil
}

// parsePlainRate reads "100/s [burst 200]" and nothing else.
func parsePlainRate(d *caddyfile.Dispenser, out **webhook.Rate) error {
	word := d.Val()
	rate, rest, err := parseRate(d)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return d.Errf("%s has an argument too many, %q: write: %s 100/s burst 200", word, rest[0], word)
	}
	*out = &rate
	return nil
}

// parseRate reads "100/s [burst 200]" and returns the arguments after it.
func parseRate(d *caddyfile.Dispenser) (rate webhook.Rate, rest []string, err error) {
	word := d.Val()
	args := d.RemainingArgs()
	if len(args) == 0 {
		return rate, nil, d.Errf("%s needs a rate: write such as: %s 100/s burst 200", word, word)
	}
	if rate, err = webhook.ParseRate(args[0]); err != nil {
		return rate, nil, d.WrapErr(err)
	}
	args = args[1:]
	if len(args) > 0 && args[0] == "burst" {
		if len(args) < 2 {
			return rate, nil, d.Errf("burst needs a number: write such as: %s 100/s burst 200", word)
		}
		n, err := strconv.Atoi(args[1])
		if err != nil || n < 1 {
			return rate, nil, d.Errf("burst %q is not a count: write a whole number of at least 1", args[1])
		}
		rate.Burst, args = n, args[2:]
	}
	return rate, args, block.None(d, word)
}
