package receiver

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/manysends/caddy-webhooks/webhook"
)

// ErrKeysUnavailable is wrapped by the [Refusal] of a request that could not be
// checked, because the keys or the certificate of its provider could not be
// fetched. It says nothing about the request: the provider should try again.
var ErrKeysUnavailable = errors.New("keys of the provider unavailable")

const (
	// fetchTimeout is how long it may take to fetch a key.
	fetchTimeout = 5 * time.Second

	// maxKept is how many keys are kept.
	maxKept = 64

	// failureKept is how long it is remembered that a key could not be had.
	failureKept = 10 * time.Second

	// staleKept is how long a key is used that could not be fetched again.
	staleKept = 72 * time.Hour

	// unknownAfter is how old keys must be to be fetched again because one is
	// not among them.
	unknownAfter = time.Minute

	// fetchBurst and fetchEvery limit how often keys are fetched: whoever sends
	// requests chooses which key they name.
	fetchBurst = 16
	fetchEvery = time.Second
)

// keyCache keeps what providers publish: certificates and keys. It is safe for
// concurrent use.
type keyCache[T any] struct {
	// fetch gets what is published under a name, and tells for how long it may
	// be kept. Errors wrap [ErrKeysUnavailable], or errNotPublished.
	fetch func(ctx context.Context, name string) (T, time.Duration, error)

	mu      sync.Mutex
	kept    map[string]*kept[T]
	limiter *rate.Limiter
}

// kept is the outcome of a fetch. All but the first three is set before done is
// closed, and not changed any more.
type kept[T any] struct {
	done   chan struct{}
	proven bool     // a request was signed with it; guarded by the cache's lock
	before *kept[T] // what was there before, until the next fetch; set under the lock

	value   T
	err     error
	fetched time.Time // when value was; the zero time where there is none
	until   time.Time
}

func (k *kept[T]) isDone() bool {
	select {
	case <-k.done:
		return true
	default:
		return false
	}
}

// isUsable tells whether a value is there that may be used if there is no other.
func (k *kept[T]) isUsable(now time.Time) bool {
	return k != nil && k.err == nil && now.Sub(k.fetched) < staleKept
}

func newKeyCache[T any](fetch func(context.Context, string) (T, time.Duration, error)) *keyCache[T] {
	return &keyCache[T]{fetch: fetch, kept: make(map[string]*kept[T]), limiter: rate.NewLimiter(rate.Every(fetchEvery), fetchBurst)}
}

// get is what is published under a name, fetched at most maxAge ago, if maxAge
// is not 0 and it could be had. Of those who ask at the same time one fetches,
// and the others go by what was there before, or wait where that is not enough.
// Errors wrap [ErrKeysUnavailable] or [webhook.ErrSignatureMismatch].
func (c *keyCache[T]) get(ctx context.Context, name string, now time.Time, maxAge time.Duration) (T, error) {
	k, mine, err := c.find(name, now, maxAge)
	if err != nil {
		var none T
		return none, err
	}
	if mine {
		c.fill(ctx, name, now, k)
	}
	select {
	case <-k.done:
	case <-ctx.Done():
		var none T
		return none, fmt.Errorf("%w: the request ended before its key was there: %w", ErrKeysUnavailable, ctx.Err())
	}
	return k.value, k.err
}

// find returns what is kept or will be, and with mine, that it is for the caller
// to fetch it.
func (c *keyCache[T]) find(name string, now time.Time, maxAge time.Duration) (k *kept[T], mine bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := c.kept[name]
	if before != nil {
		switch {
		case !before.isDone() && maxAge == 0 && before.before.isUsable(now):
			return before.before, false, nil
		case !before.isDone():
			return before, false, nil
		case now.Before(before.until) && (maxAge == 0 || now.Sub(before.fetched) < maxAge):
			return before, false, nil
		}
	}
	if !c.limiter.AllowN(now, 1) || before == nil && !c.makeRoom() {
		if before.isUsable(now) {
			return before, false, nil
		}
		return nil, false, fmt.Errorf("%w: too many are being asked for", ErrKeysUnavailable)
	}
	k = &kept[T]{done: make(chan struct{}), before: before}
	if before != nil {
		k.proven, before.before = before.proven, nil
	}
	c.kept[name] = k
	return k, true, nil
}

// prove notes that a request was signed with what is published under a name. A
// stranger can name any number of keys that are there, but sign with none.
func (c *keyCache[T]) prove(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if k := c.kept[name]; k != nil {
		k.proven = true
	}
}

// makeRoom sees to it that there is room for one more. What could not be had
// goes first, and what requests were signed with last, so that asking for others
// does not push out keys that are in use.
func (c *keyCache[T]) makeRoom() bool {
	if len(c.kept) < maxKept {
		return true
	}
	victim := ""
	for name, k := range c.kept {
		if k.isDone() && (victim == "" || k.goesBefore(c.kept[victim])) {
			victim = name
		}
	}
	if victim == "" {
		return false
	}
	delete(c.kept, victim)
	return true
}

// goesBefore tells whether k is less of a loss than another that is done.
func (k *kept[T]) goesBefore(other *kept[T]) bool {
	if a, b := k.worth(), other.worth(); a != b {
		return a < b
	}
	return k.until.Before(other.until)
}

// worth is more for what is in use, and least for what could not be had.
func (k *kept[T]) worth() int {
	switch {
	case k.err != nil:
		return 0
	case !k.proven:
		return 1
	}
	return 2
}

// fill fetches. It goes on when the request ends that has caused it, because
// others may be waiting for the same.
func (c *keyCache[T]) fill(ctx context.Context, name string, now time.Time, k *kept[T]) {
	defer close(k.done)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTimeout)
	defer cancel()
	k.err = fmt.Errorf("%w: fetching it came to nothing", ErrKeysUnavailable) // if fetch panics
	k.until = now.Add(failureKept)
	value, keep, err := c.fetch(ctx, name)
	switch {
	case err == nil:
		k.value, k.err, k.fetched, k.until = value, nil, now, now.Add(keep)
	case errors.Is(err, errNotPublished) && !errors.Is(err, ErrKeysUnavailable):
		k.err = fmt.Errorf("%w: %w", webhook.ErrSignatureMismatch, err)
	case k.before.isUsable(now):
		k.value, k.err, k.fetched = k.before.value, nil, k.before.fetched
	case errors.Is(err, ErrKeysUnavailable), errors.Is(err, webhook.ErrSignatureMismatch):
		k.err = err
	default:
		k.err = fmt.Errorf("%w: %w", ErrKeysUnavailable, err)
	}
}

// withoutURL takes the URL out of an error of net/http: it may hold more than
// the host, which is told anyway.
func withoutURL(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}
