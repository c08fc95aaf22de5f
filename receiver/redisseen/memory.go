package redisseen

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/manysends/caddy-webhooks/receiver"
)

// Memory is what the receivers of one name know together. It is a
// [receiver.Shared]. Make one with [Open] and end it with Close.
type Memory struct {
	options Options
	client  rueidis.ClientOption
	prefix  string // of all keys, with the hash tag
	token   string // begins the tokens of this Memory
	claims  atomic.Uint64

	live      atomic.Pointer[connection] // nil while Redis is away
	away      atomic.Pointer[awayError]  // why it is, as of the last attempt
	dialed    atomic.Int64               // connections that were made
	wake      chan struct{}              // wakes the keeper
	forgotten atomic.Pointer[func(receiver.Key)]

	mu     sync.Mutex
	holds  map[*hold]struct{}
	owed   []debt
	recent []ended // oldest first

	stop    chan struct{}
	done    chan struct{}
	closing sync.WaitGroup // clients that are closed in the background
}

// connection is a client that has shown to work.
type connection struct{ rueidis.Client }

// Open makes a Memory. That Redis cannot be reached is no error: it may come
// later, and until then all calls fail with [receiver.ErrUnavailable]. That it
// refuses the user or the password is one.
func Open(o Options) (*Memory, error) {
	client, err := o.resolve()
	if err != nil {
		return nil, err
	}
	var random [9]byte
	if _, err := o.Random.Read(random[:]); err != nil {
		return nil, fmt.Errorf("no token can be made for claims: %w", err)
	}
	m := &Memory{
		options: o,
		client:  client,
		prefix:  o.Prefix + ":{" + url.QueryEscape(o.Name) + "}:",
		token:   "?" + base64.RawURLEncoding.EncodeToString(random[:]) + ".",
		wake:    make(chan struct{}, 1),
		holds:   make(map[*hold]struct{}),
		stop:    make(chan struct{}),
		done:    make(chan struct{}),
	}
	m.countDials()
	k := keeper{Memory: m}
	if err := k.connect(); err != nil && isRefusal(err) {
		k.drop()
		m.closing.Wait()
		return nil, fmt.Errorf("redis is there, but refuses the connection: %w: check the user and the password in its URL", err)
	}
	go k.run()
	return m, nil
}

// Watch implements [receiver.Shared].
func (m *Memory) Watch(forgotten func(receiver.Key)) { m.forgotten.Store(&forgotten) }

// Close frees everything. Claims that are held then become free when their
// lease is over.
func (m *Memory) Close() {
	close(m.stop)
	<-m.done
}

// name is the key in Redis of an event or a bucket.
func (m *Memory) name(k receiver.Key) string {
	return m.prefix + base64.RawURLEncoding.EncodeToString(k[:])
}

func (m *Memory) names(keys []receiver.Key) []string {
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = m.name(k)
	}
	return names
}

// call runs a command in the time that Redis is given. A client that leaves
// does not cut it off: nobody would know whether it was carried out.
func (m *Memory) call(ctx context.Context, command func(context.Context, rueidis.Client) rueidis.RedisResult) (rueidis.RedisResult, error) {
	c := m.live.Load()
	if c == nil {
		return rueidis.RedisResult{}, m.away.Load()
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), m.options.Timeout)
	defer cancel()
	result := command(ctx, c.Client)
	if err := result.Error(); err != nil && !rueidis.IsRedisNil(err) {
		m.fail(c, err)
		return result, fmt.Errorf("%w: %w", receiver.ErrUnavailable, err)
	}
	return result, nil
}

// exec runs a script.
func (m *Memory) exec(ctx context.Context, script *rueidis.Lua, keys, args []string) (rueidis.RedisResult, error) {
	return m.call(ctx, func(ctx context.Context, c rueidis.Client) rueidis.RedisResult {
		return script.Exec(ctx, c, keys, args)
	})
}

// number runs a script that returns a number.
func (m *Memory) number(ctx context.Context, script *rueidis.Lua, keys, args []string) (int64, error) {
	result, err := m.exec(ctx, script, keys, args)
	if err != nil {
		return 0, err
	}
	n, err := result.AsInt64()
	if err != nil {
		return 0, unexpected(err)
	}
	return n, nil
}

// awayError is the error of a call that was not made.
type awayError struct{ cause error }

func (e *awayError) Error() string {
	return fmt.Sprintf("%s: it failed a moment ago: %s", receiver.ErrUnavailable, e.cause)
}

func (*awayError) Unwrap() error { return receiver.ErrUnavailable }

// errAnswer is what is wrong with an answer of another length.
var errAnswer = errors.New("it has not the parts that it should have")

// unexpected is the error for an answer that Redis does not give.
func unexpected(err error) error {
	return fmt.Errorf("%w: its answer makes no sense: %w", receiver.ErrUnavailable, err)
}

// fail lets all calls fail until the keeper has seen Redis work.
func (m *Memory) fail(c *connection, cause error) {
	m.away.Store(&awayError{cause})
	if m.live.CompareAndSwap(c, nil) {
		m.wakeKeeper()
	}
}

func (m *Memory) wakeKeeper() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

func milliseconds(d time.Duration) string {
	return strconv.FormatInt(max(1, d.Milliseconds()), 10)
}

// Interface guard
var _ receiver.Shared = (*Memory)(nil)
