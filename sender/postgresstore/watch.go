package postgresstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/manysends/caddy-webhooks/sender"
)

// pollEvery is how often an instance that hears nothing looks for changes, and
// pingEvery how often it speaks to itself to know whether it does.
const (
	pollEvery = 2 * time.Second
	pingEvery = 10 * time.Second
)

// The pauses between attempts to listen again double from the first to the last.
const (
	firstPause = 100 * time.Millisecond
	lastPause  = 10 * time.Second
)

// errWatched means that there is a Watch already.
var errWatched = errors.New("somebody watches already: end that Watch first")

// watch is what is to be told to whoever watches.
type watch struct {
	busy sync.Mutex // held by Watch

	mu       sync.Mutex
	watched  bool
	messages map[message]struct{}
	hears    time.Time // when this instance heard itself last
	asked    time.Time // when it spoke to itself last
	wake     chan struct{}
	outbox   chan struct{} // holds one token when there may be something new in the outbox
}

func (w *watch) init() {
	w.messages, w.wake, w.outbox = map[message]struct{}{}, make(chan struct{}, 1), make(chan struct{}, 1)
}

// add has a message told, if somebody watches.
func (w *watch) add(m message) {
	w.mu.Lock()
	if w.watched {
		if len(w.messages) >= maxMessages {
			clear(w.messages)
			m = message{kind: kindAll}
		}
		w.messages[m] = struct{}{}
	}
	w.mu.Unlock()
	token(w.wake)
}

// take takes what is to be told; of many things, those that are all there is to
// say.
func (w *watch) take() []message {
	w.mu.Lock()
	defer w.mu.Unlock()
	var taken []message
	all := message{kind: kindAll}
	if _, told := w.messages[all]; told {
		taken = append(taken, all)
		clear(w.messages)
	}
	for m := range w.messages {
		taken = append(taken, m)
	}
	clear(w.messages)
	return taken
}

// Watch implements [sender.SharedStore].
func (s *Store) Watch(ctx context.Context, f func(sender.Change)) error {
	if err := s.begin(ctx); err != nil {
		return s.failed("watching", err)
	}
	s.end()
	w := &s.watch
	if !w.busy.TryLock() {
		return s.failed("watching", errWatched)
	}
	defer w.busy.Unlock()
	w.mu.Lock()
	w.watched = true
	w.mu.Unlock()
	defer func() {
		w.mu.Lock()
		w.watched = false
		clear(w.messages)
		w.mu.Unlock()
	}()
	w.add(message{kind: kindAll}) // what happened before

	listening, stop := context.WithCancel(ctx)
	defer context.AfterFunc(s.background, stop)()
	var helpers sync.WaitGroup
	defer helpers.Wait()
	defer stop()
	helpers.Go(func() { s.hear(listening) })
	helpers.Go(func() { s.poll(listening) })
	for {
		select {
		case <-w.wake:
		case <-ctx.Done():
			return ctx.Err()
		case <-s.background.Done():
			return s.failed("watching", sender.ErrStoreClosed)
		}
		s.tellLost(f)
		for _, m := range w.take() {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			f(m.change())
		}
	}
}

// tellLost tells that the lease was lost, if it was. Until then this instance
// counts for none.
func (s *Store) tellLost(f func(sender.Change)) {
	k := &s.keeper
	k.mu.Lock()
	lost, number := k.lost, k.current
	k.mu.Unlock()
	if !lost || number == 0 {
		return
	}
	f(message{kind: kindLost}.change())
	k.mu.Lock()
	k.lost = k.current != number // it may have been lost again
	k.mu.Unlock()
	s.watch.add(message{kind: kindInstances})
}

// hear listens until the context ends, on a connection of its own. After each
// time that it was not there, anything may have changed.
func (s *Store) hear(ctx context.Context) {
	pause := firstPause
	for ctx.Err() == nil {
		began := time.Now()
		err := s.hearOnce(ctx)
		s.hearing(time.Time{})
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > lastPause {
			pause = firstPause
		}
		s.logger.Warn("listening for changes was interrupted; they are looked for meanwhile",
			"error", s.failed("listening", err), "again_in", pause)
		select {
		case <-time.After(pause/2 + rand.N(pause/2)):
		case <-ctx.Done():
		}
		pause = min(2*pause, lastPause)
	}
}

// stayIdle keeps the server from ending a connection on which nothing is asked,
// as the role or the database may have it do. Versions before 14 have no such
// setting.
const stayIdle = `; SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'idle_session_timeout'`

// hearOnce listens until the connection is lost.
func (s *Store) hearOnce(ctx context.Context) error {
	conn, err := pgx.ConnectConfig(ctx, s.listen)
	if err != nil {
		return err
	}
	defer func() {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(closing)
	}()
	if _, err := conn.PgConn().Exec(ctx, "LISTEN "+s.channel()+stayIdle).ReadAll(); err != nil {
		return err
	}
	s.watch.add(message{kind: kindAll})
	for {
		s.askSelf()
		waiting, cancel := context.WithTimeout(ctx, pollEvery)
		n, err := conn.WaitForNotification(waiting)
		nothing := waiting.Err() != nil && ctx.Err() == nil
		cancel()
		switch {
		case err == nil:
			s.heard(n.Payload)
		case !nothing:
			return err
		case s.deaf(): // nothing comes: the connection may be gone
			asking, cancel := context.WithTimeout(ctx, connectTimeout)
			err := conn.Ping(asking)
			cancel()
			if err != nil {
				return err
			}
		}
	}
}

// askSelf has this instance speak to itself now and then, to know whether it
// hears.
func (s *Store) askSelf() {
	w := &s.watch
	w.mu.Lock()
	defer w.mu.Unlock()
	if time.Since(w.asked) >= pingEvery {
		w.asked = time.Now()
		s.notifier.tell(message{kind: kindPing})
	}
}

// deaf tells whether this instance has not heard itself lately.
func (s *Store) deaf() bool {
	s.watch.mu.Lock()
	defer s.watch.mu.Unlock()
	return time.Since(s.watch.hears) > 2*pingEvery+pollEvery
}

// hearing notes when this instance heard itself.
func (s *Store) hearing(at time.Time) {
	s.watch.mu.Lock()
	s.watch.hears = at
	if at.IsZero() {
		s.watch.asked = at
	}
	s.watch.mu.Unlock()
}

// heard takes in what an instance has told.
func (s *Store) heard(note string) {
	instance, m, ok := parseNote(note)
	own := instance == s.keeper.number()
	switch {
	case !ok:
		s.logger.Warn("a notification was not understood", "payload", fmt.Sprintf("%.100q", note))
	case m.kind == kindPing:
		if own {
			s.hearing(time.Now())
		}
	case m.kind == kindOutbox:
		token(s.watch.outbox)
	case own:
	case m.kind == kindInstances:
		token(s.keeper.look) // it tells when the number of instances is another
	default:
		s.watch.add(m)
	}
}

// poll looks for changes while this instance hears nothing.
func (s *Store) poll(ctx context.Context) {
	var seen int64
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		if !s.deaf() {
			seen = 0
			continue
		}
		var changes int64
		if err := s.pool.QueryRow(ctx, s.in(`SELECT last_value FROM {s}.changes`)).Scan(&changes); err != nil {
			continue
		}
		if changes != seen {
			seen = changes
			s.watch.add(message{kind: kindAll})
		}
	}
}
