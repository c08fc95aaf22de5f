package redisseen

import (
	"context"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/manysends/caddy-webhooks/receiver"
)

// rememberForgetting is how long others can hear that an event was forgotten.
// It is longer than they go without Redis for what they remember by themselves
// to matter.
const rememberForgetting = time.Hour

// stream is the key by which they hear it.
func (m *Memory) stream() string { return m.prefix + "forgotten" }

// Forget implements [receiver.Seen].
func (m *Memory) Forget(ctx context.Context, k receiver.Key) (bool, error) {
	name := m.name(k)
	result, err := m.call(ctx, func(ctx context.Context, c rueidis.Client) rueidis.RedisResult {
		return c.Do(ctx, c.B().Get().Key(name).Build())
	})
	if err != nil {
		return false, err
	}
	value, err := result.ToString()
	if err != nil { // there is none
		return false, nil //nolint:nilerr // a key that is not there is no failure
	}
	other, committed := strings.CutPrefix(value, "=")
	if !committed {
		return false, nil
	}
	keys, args := []string{name}, []string{milliseconds(rememberForgetting), name[len(m.prefix):]}
	if other != "" {
		keys, args = append(keys, m.prefix+other), append(args, other)
	}
	m.disremember(k)
	n, err := m.number(ctx, scriptForget, append(keys, m.stream()), args)
	return n > 0, err
}
