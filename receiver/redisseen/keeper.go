package redisseen

import (
	"context"
	"encoding/base64"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/manysends/caddy-webhooks/receiver"
)

const (
	// firstRetry and maxRetry are how long Redis is left alone after it failed,
	// at first and at most, before the jitter.
	firstRetry = 50 * time.Millisecond
	maxRetry   = 5 * time.Second

	// upkeepEvery is how often the others' wishes to forget are looked for.
	upkeepEvery = time.Second

	// renewAtOnce is how many keys are renewed by one call.
	renewAtOnce = 512

	// maxOwed is how many commits and releases are kept for Redis to come back.
	maxOwed = 1 << 16
)

// keeper is the one goroutine of a Memory: it connects, renews the claims,
// pays what is owed, and hears what is to be forgotten.
type keeper struct {
	*Memory
	client  rueidis.Client // nil, or one that may or may not work
	heard   string         // the last entry of the stream that was read
	renewed time.Time
	retold  int64 // how many connections had been made when all was told again
}

func (k *keeper) run() {
	defer close(k.done)
	defer func() {
		k.live.Store(nil)
		k.drop()
		k.closing.Wait()
	}()
	tick := time.NewTicker(min(upkeepEvery, k.options.Lease/6))
	defer tick.Stop()
	for delay := firstRetry; ; {
		if k.live.Load() == nil {
			if !k.pause(jitter(delay)) {
				return
			}
			delay = min(2*delay, maxRetry)
			if k.connect() != nil {
				continue
			}
		}
		k.upkeep()
		select {
		case <-k.stop:
			return
		case <-k.wake:
		case <-tick.C:
			delay = firstRetry // it has worked for a while
		}
	}
}

// pause waits, and tells whether to go on.
func (k *keeper) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-k.stop:
		return false
	case <-timer.C:
		return true
	}
}

// jitter is between half of d and d, so that those who have lost the same
// Redis do not come back at once.
func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d/2+1) }

// connect makes sure that Redis takes a write where the keys are, with the
// client that there is or else with a new one, and tells it what it may have
// lost. It notes why it fails.
func (k *keeper) connect() (err error) {
	defer func() {
		if err != nil {
			k.away.Store(&awayError{err})
		}
	}()
	if k.client == nil {
		if k.client, err = rueidis.NewClient(k.Memory.client); err != nil {
			k.client = nil
			return err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), k.options.Timeout)
	defer cancel()
	probe := k.client.B().Set().Key(k.prefix + "probe").Value("1").PxMilliseconds(1000).Build()
	if err = k.client.Do(ctx, probe).Error(); err == nil {
		k.learn(k.read(ctx, k.client)) // what is forgotten is not to be told again
		err = k.retell(k.client, true)
	}
	if err != nil {
		// The next one may find another server at the same address.
		k.drop()
		return err
	}
	k.live.Store(&connection{k.client})
	return nil
}

// drop closes the client, which may take a while.
func (k *keeper) drop() {
	if k.client != nil {
		k.closing.Go(k.client.Close)
		k.client = nil
	}
}

// isRefusal tells whether Redis has answered that we may not.
func isRefusal(err error) bool {
	said, ok := rueidis.IsRedisErr(err)
	if !ok {
		return false
	}
	for _, word := range []string{"WRONGPASS", "NOAUTH", "NOPERM", "ERR invalid password", "ERR AUTH", "ERR Client sent AUTH"} {
		if strings.HasPrefix(said.Error(), word) {
			return true
		}
	}
	return false
}

// upkeep does what is due. What fails is done the next time.
func (k *keeper) upkeep() {
	k.retellUnnoticed()
	k.letGo(time.Now())
	if now := time.Now(); now.Sub(k.renewed) >= k.options.Lease/4 {
		k.renewed = now
		k.renew(now)
	}
	k.pay()
	k.hear()
}

// renew gives all claims that have been held for a while another lease.
func (k *keeper) renew(now time.Time) {
	keys, tokens := make([]string, 0, 64), []string{milliseconds(k.options.Lease)}
	flush := func() {
		if len(keys) > 0 {
			_, _ = k.number(context.Background(), scriptRenew, keys, tokens)
			keys, tokens = keys[:0], tokens[:1]
		}
	}
	for _, h := range k.held(now.Add(-k.options.Lease / 4)) {
		for _, name := range h.names {
			keys, tokens = append(keys, name), append(tokens, h.token)
		}
		if len(keys) >= renewAtOnce {
			flush()
		}
	}
	flush()
}

// held are the claims that were granted before a time.
func (m *Memory) held(before time.Time) (holds []*hold) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for h := range m.holds {
		if h.granted.Before(before) {
			holds = append(holds, h)
		}
	}
	return holds
}

// hear learns which events others have had forgotten.
func (k *keeper) hear() {
	result, err := k.call(context.Background(), func(ctx context.Context, c rueidis.Client) rueidis.RedisResult {
		return k.read(ctx, c)
	})
	if err == nil {
		k.learn(result)
	}
}

// read reads on in the stream.
func (k *keeper) read(ctx context.Context, c rueidis.Client) rueidis.RedisResult {
	if k.heard == "" {
		k.heard = "0"
	}
	return c.Do(ctx, c.B().Xread().Count(1000).Streams().Key(k.stream()).Id(k.heard).Build())
}

func (k *keeper) learn(result rueidis.RedisResult) {
	entries, err := result.AsXRead()
	if err != nil {
		return // there is no stream
	}
	tell := k.forgotten.Load()
	for _, e := range entries[k.stream()] {
		k.heard = e.ID
		raw, err := base64.RawURLEncoding.DecodeString(e.FieldValues["k"])
		if err != nil || len(raw) != len(receiver.Key{}) {
			continue
		}
		k.disremember(receiver.Key(raw))
		if tell != nil {
			(*tell)(receiver.Key(raw))
		}
	}
}
